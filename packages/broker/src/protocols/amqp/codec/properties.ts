/**
 * The properties of a message in its content header: flags, one bit for each from the highest down, then those that are there.
 *
 *   0 class u16 | 2 weight u16 | 4 body size u64 | 12 flags u16 | properties
 */
import { textSize, writeText } from '@millrace/wire'
import { AmqpError } from '../amqp-error.ts'
import { readUint32 } from './field-types.ts'

export const CONTENT_CLASS = 60
/** Where the flags are in the payload of a content header. */
export const PROPERTIES_AT = 12
const FLAGS_BYTES = 2
/** The lowest bit says that more flags follow; the one above it has no property. */
const OTHER_FLAGS = 0b11

type PropertyKind = 'shortstr' | 'table' | 'octet' | 'timestamp'

/** In the order of the wire. */
const kinds = {
  contentType: 'shortstr',
  contentEncoding: 'shortstr',
  headers: 'table',
  deliveryMode: 'octet',
  priority: 'octet',
  correlationId: 'shortstr',
  replyTo: 'shortstr',
  expiration: 'shortstr',
  messageId: 'shortstr',
  timestamp: 'timestamp',
  type: 'shortstr',
  userId: 'shortstr',
  appId: 'shortstr',
  clusterId: 'shortstr',
} as const

export type PropertyName = keyof typeof kinds
export const propertyNames: readonly PropertyName[] = Object.keys(kinds) as PropertyName[]
const kindOf: readonly PropertyKind[] = Object.values(kinds)
/** Of each: its place in the order of the wire. */
export const PROPERTY: Readonly<Record<PropertyName, number>> = Object.fromEntries(
  propertyNames.map((name, n) => [name, n]),
) as Record<PropertyName, number>

/** @returns the body size of the content header in `at..end` @throws AmqpError */
export function readBodySize(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < PROPERTIES_AT + FLAGS_BYTES) throw new AmqpError('syntax-error', 'a content header ends early')
  const classId = (bytes[at]! << 8) | bytes[at + 1]!
  if (classId !== CONTENT_CLASS) {
    throw new AmqpError('unexpected-frame', `expected a content header of class ${CONTENT_CLASS}, got one of class ${classId}`)
  }
  return readUint32(bytes, at + 4) * 4_294_967_296 + readUint32(bytes, at + 8)
}

/** Where each property is; they are decoded when they are asked for. The bytes are borrowed for as long as that. */
export class Properties {
  bytes: Uint8Array = new Uint8Array(FLAGS_BYTES)
  readonly #at = new Int32Array(kindOf.length)
  readonly #end = new Int32Array(kindOf.length).fill(-1)

  /** @param at where the flags are @throws AmqpError `syntax-error` */
  read(bytes: Uint8Array, at: number, end: number): void {
    if (end - at < FLAGS_BYTES) throw endsEarly()
    const flags = (bytes[at]! << 8) | bytes[at + 1]!
    if ((flags & OTHER_FLAGS) !== 0)
      throw new AmqpError('syntax-error', `a content header with unknown flags: ${flags & OTHER_FLAGS}`)
    this.bytes = bytes
    let next = at + FLAGS_BYTES
    for (let n = 0; n < kindOf.length; n++) {
      if ((flags & (0x8000 >> n)) === 0) {
        this.#end[n] = -1
        continue
      }
      const start = contentStart(kindOf[n]!, next)
      if (start > end) throw endsEarly()
      next = contentEnd(kindOf[n]!, bytes, next, start)
      if (next > end) throw endsEarly()
      this.#at[n] = start
      this.#end[n] = next
    }
    if (next !== end) throw new AmqpError('syntax-error', `${end - next} bytes are left over in a content header`)
  }

  has(property: number): boolean {
    return this.#end[property]! >= 0
  }

  /** Where the content of a property is, without length: from here to `end`. */
  at(property: number): number {
    return this.#at[property]!
  }

  end(property: number): number {
    return this.#end[property]!
  }

  /** A view of it. */
  content(property: number): Uint8Array {
    return this.bytes.subarray(this.at(property), this.end(property))
  }

  octet(property: number): number {
    return this.bytes[this.at(property)]!
  }

  /** As text; what is not UTF-8 is replaced. */
  text(property: number): string {
    return decoder.decode(this.content(property))
  }

  /** 64 bits. */
  timestamp(): bigint {
    const at = this.at(PROPERTY.timestamp)
    return BigInt(readUint32(this.bytes, at)) * 4_294_967_296n + BigInt(readUint32(this.bytes, at + 4))
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function contentStart(kind: PropertyKind, at: number): number {
  return kind === 'shortstr' ? at + 1 : kind === 'table' ? at + 4 : at
}

function contentEnd(kind: PropertyKind, bytes: Uint8Array, at: number, start: number): number {
  if (kind === 'shortstr') return start + bytes[at]!
  if (kind === 'table') return start + readUint32(bytes, at)
  return kind === 'octet' ? start + 1 : start + 8
}

function endsEarly(): AmqpError {
  return new AmqpError('syntax-error', 'a content header ends early')
}

// ---- writing --------------------------------------------------------------------------------------------------------

/** Short strings as text or bytes, at most 255 of them; headers as the entries of their table; timestamp in seconds. */
export type PropertyValues = {
  readonly [Name in PropertyName]?: Written[(typeof kinds)[Name]]
}

interface Written {
  shortstr: string | Uint8Array
  table: Uint8Array
  octet: number
  timestamp: number | bigint
}

/** Flags and properties, as they stand in a content header. */
export function encodeProperties(values: PropertyValues): Uint8Array {
  let flags = 0
  let size = FLAGS_BYTES
  for (let n = 0; n < kindOf.length; n++) {
    const value = values[propertyNames[n]!]
    if (value === undefined) continue
    flags |= 0x8000 >> n
    size = contentStart(kindOf[n]!, size) + contentSize(kindOf[n]!, value)
  }
  const bytes = new Uint8Array(size)
  bytes[0] = flags >>> 8
  bytes[1] = flags
  let at = FLAGS_BYTES
  for (let n = 0; n < kindOf.length; n++) {
    const value = values[propertyNames[n]!]
    if (value !== undefined) at = writeProperty(bytes, at, kindOf[n]!, value)
  }
  return bytes
}

type AnyValue = Written[PropertyKind]

function contentSize(kind: PropertyKind, value: AnyValue): number {
  if (kind === 'octet') return 1
  if (kind === 'timestamp') return 8
  return typeof value === 'string' ? textSize(value) : (value as Uint8Array).length
}

function writeProperty(bytes: Uint8Array, at: number, kind: PropertyKind, value: AnyValue): number {
  const start = contentStart(kind, at)
  const size = contentSize(kind, value)
  if (kind === 'octet') bytes[at] = value as number
  else if (kind === 'timestamp') new DataView(bytes.buffer).setBigUint64(at, BigInt(value as number | bigint))
  else {
    if (kind === 'table') new DataView(bytes.buffer).setUint32(at, size)
    else if (size > 0xff) throw new RangeError(`a property of ${size} bytes does not fit its length field`)
    else bytes[at] = size
    if (typeof value === 'string') writeText(bytes, start, value, size)
    else bytes.set(value as Uint8Array, start)
  }
  return start + size
}
