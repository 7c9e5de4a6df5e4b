/**
 * Field tables in JavaScript. A value that JavaScript would write as it was is itself; others keep type and bytes in a
 * `TypedValue`, so that a table that was read is written byte for byte as it came.
 */
import { textSize, writeText } from '@millrace/wire'
import { AmqpError } from '../amqp-error.ts'
import { limits } from '../limits.ts'
import { contentAt, endOfName, endOfValue, hasLength } from './field-types.ts'

export type FieldValue = string | number | boolean | null | Uint8Array | readonly FieldValue[] | FieldTable | TypedValue

/** What is written as a table: whole numbers by their size as `I` or `l`, others as `d`, text as `S`, bytes as `x`. */
export interface PlainTable {
  readonly [name: string]: PlainValue | undefined
}
export type PlainValue = FieldValue | PlainTable | readonly PlainValue[]

/** A value whose type must not be lost. */
export class TypedValue {
  readonly type: string
  /** Without type octet and length. */
  readonly bytes: Uint8Array

  constructor(type: string, bytes: Uint8Array) {
    this.type = type
    this.bytes = bytes
  }

  /** Whole numbers beyond 2^53 are bigints, decimals the nearest number, timestamps seconds, text that is not UTF-8 bytes. */
  get value(): number | bigint | boolean | Uint8Array {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
    switch (this.type) {
      case 't':
        return view.getUint8(0) !== 0
      case 'b':
        return view.getInt8(0)
      case 'B':
        return view.getUint8(0)
      case 's':
        return view.getInt16(0)
      case 'u':
        return view.getUint16(0)
      case 'I':
        return view.getInt32(0)
      case 'i':
        return view.getUint32(0)
      case 'f':
        return view.getFloat32(0)
      case 'd':
        return view.getFloat64(0)
      case 'D':
        return view.getInt32(1) / 10 ** view.getUint8(0)
      case 'T':
        return narrowed(view.getBigUint64(0))
      case 'l':
      case 'L':
        return narrowed(view.getBigInt64(0))
      default:
        return this.bytes
    }
  }
}

/** A table as it was read: names may come more than once, and the first counts. */
export class FieldTable {
  readonly names: readonly string[]
  readonly values: readonly FieldValue[]

  constructor(names: readonly string[] = [], values: readonly FieldValue[] = []) {
    this.names = names
    this.values = values
  }

  get size(): number {
    return this.names.length
  }

  get(name: string): FieldValue | undefined {
    const n = this.names.indexOf(name)
    return n < 0 ? undefined : this.values[n]
  }
}

/** 64 bits, seconds since 1970. */
export function timestampValue(seconds: number): TypedValue {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(seconds))
  return new TypedValue('T', bytes)
}

/** A whole number as 64 bits, whatever its size. */
export function longValue(value: number): TypedValue {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value))
  return new TypedValue('l', bytes)
}

// ---- reading --------------------------------------------------------------------------------------------------------

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The entries of a table, which lie from `at` to `end`. Nothing of it is borrowed. @throws AmqpError `syntax-error` */
export function decodeTable(bytes: Uint8Array, at: number, end: number, depth = 1): FieldTable {
  checkDepth(depth)
  const names: string[] = []
  const values: FieldValue[] = []
  for (let next = at; next < end;) {
    const typeAt = endOfName(bytes, next, end)
    const valueEnd = endOfValue(bytes, typeAt, end)
    names.push(decoder.decode(bytes.subarray(next + 1, typeAt)))
    values.push(decodeValue(bytes, typeAt, valueEnd, depth))
    next = valueEnd
  }
  return new FieldTable(names, values)
}

/** The value whose type octet is at `at`, and that ends at `end`. @throws AmqpError `syntax-error` */
export function decodeValue(bytes: Uint8Array, at: number, end: number, depth = 1): FieldValue {
  const start = contentAt(bytes, at)
  switch (String.fromCharCode(bytes[at]!)) {
    case 'S':
      return textOf(bytes.subarray(start, end)) ?? typedValue(bytes, at, end)
    case 'F':
      return decodeTable(bytes, start, end, depth + 1)
    case 'A':
      return decodeArray(bytes, start, end, depth + 1)
    case 'x':
      return bytes.slice(start, end)
    case 'V':
      return null
    default:
      return scalar(typedValue(bytes, at, end))
  }
}

function decodeArray(bytes: Uint8Array, at: number, end: number, depth: number): readonly FieldValue[] {
  checkDepth(depth)
  const values: FieldValue[] = []
  for (let next = at; next < end;) {
    const valueEnd = endOfValue(bytes, next, end)
    values.push(decodeValue(bytes, next, valueEnd, depth))
    next = valueEnd
  }
  return values
}

/** Looks through a table as `decodeTable` does, without making it. @throws AmqpError `syntax-error` */
export function checkTable(bytes: Uint8Array, at: number, end: number, depth = 1): void {
  checkDepth(depth)
  for (let next = at; next < end;) {
    const typeAt = endOfName(bytes, next, end)
    next = checkValue(bytes, typeAt, end, depth)
  }
}

function checkValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  const valueEnd = endOfValue(bytes, at, end)
  if (bytes[at] === TABLE) checkTable(bytes, contentAt(bytes, at), valueEnd, depth + 1)
  else if (bytes[at] === ARRAY) {
    checkDepth(depth + 1)
    for (let next = contentAt(bytes, at); next < valueEnd;) next = checkValue(bytes, next, valueEnd, depth + 1)
  }
  return valueEnd
}

const TABLE = 'F'.charCodeAt(0)
const ARRAY = 'A'.charCodeAt(0)

function checkDepth(depth: number): void {
  if (depth > limits.tableDepthMax)
    throw new AmqpError('syntax-error', `tables inside each other, more than ${limits.tableDepthMax}`)
}

function typedValue(bytes: Uint8Array, at: number, end: number): TypedValue {
  return new TypedValue(String.fromCharCode(bytes[at]!), bytes.slice(contentAt(bytes, at), end))
}

/** The number or boolean itself, where it would be written like that. */
function scalar(typed: TypedValue): FieldValue {
  const { value } = typed
  if (typed.type === 't') return typed.bytes[0]! > 1 ? typed : (value as boolean)
  return typeof value === 'number' && !Number.isNaN(value) && numberType(value) === typed.type ? value : typed
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    // Not UTF-8: text of another encoding, which stays bytes.
    return undefined
  }
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

// ---- writing --------------------------------------------------------------------------------------------------------

/** The entries of a table, without the length in front of them. A name is at most 255 bytes. */
export function encodeTable(table: FieldTable | PlainTable): Uint8Array {
  const bytes = new Uint8Array(tableSize(table))
  writeTable(new DataView(bytes.buffer), bytes, 0, table)
  return bytes
}

function tableSize(table: FieldTable | PlainTable): number {
  let size = 0
  forEachEntry(table, (name, value) => (size += 1 + textSize(name) + valueSize(value)))
  return size
}

function valueSize(value: PlainValue): number {
  const type = typeOf(value)
  const content = contentSize(value)
  return 1 + (hasLength(type.charCodeAt(0)) ? 4 : 0) + content
}

function contentSize(value: PlainValue): number {
  if (typeof value === 'string') return textSize(value)
  if (typeof value === 'number') return numberType(value) === 'I' ? 4 : 8
  if (typeof value === 'boolean') return 1
  if (value === null) return 0
  if (value instanceof Uint8Array) return value.length
  if (value instanceof TypedValue) return value.bytes.length
  if (isArray(value)) return value.reduce<number>((size, each) => size + valueSize(each), 0)
  return tableSize(value)
}

function typeOf(value: PlainValue): string {
  if (typeof value === 'string') return 'S'
  if (typeof value === 'number') return numberType(value)
  if (typeof value === 'boolean') return 't'
  if (value === null) return 'V'
  if (value instanceof Uint8Array) return 'x'
  if (value instanceof TypedValue) return value.type
  return isArray(value) ? 'A' : 'F'
}

function numberType(value: number): 'I' | 'l' | 'd' {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return 'd'
  return value >= -0x8000_0000 && value <= 0x7fff_ffff ? 'I' : 'l'
}

function writeTable(view: DataView, bytes: Uint8Array, start: number, table: FieldTable | PlainTable): number {
  let at = start
  forEachEntry(table, (name, value) => {
    const size = textSize(name)
    if (size > 0xff) throw new RangeError(`a field name of ${size} bytes does not fit its length field`)
    bytes[at] = size
    at = writeValue(view, bytes, writeText(bytes, at + 1, name, size), value)
  })
  return at
}

function writeValue(view: DataView, bytes: Uint8Array, at: number, value: PlainValue): number {
  const type = typeOf(value)
  bytes[at] = type.charCodeAt(0)
  const start = hasLength(bytes[at]) ? at + 5 : at + 1
  const end = writeContent(view, bytes, start, value)
  if (start > at + 1) view.setUint32(at + 1, end - start)
  return end
}

function writeContent(view: DataView, bytes: Uint8Array, at: number, value: PlainValue): number {
  if (typeof value === 'string') return writeText(bytes, at, value, textSize(value))
  if (typeof value === 'number') return writeNumber(view, at, value)
  if (typeof value === 'boolean') {
    bytes[at] = value ? 1 : 0
    return at + 1
  }
  if (value === null) return at
  if (value instanceof Uint8Array || value instanceof TypedValue) {
    const content = value instanceof TypedValue ? value.bytes : value
    bytes.set(content, at)
    return at + content.length
  }
  if (isArray(value)) return value.reduce<number>((next, each) => writeValue(view, bytes, next, each), at)
  return writeTable(view, bytes, at, value)
}

function writeNumber(view: DataView, at: number, value: number): number {
  const type = numberType(value)
  if (type === 'I') {
    view.setInt32(at, value)
    return at + 4
  }
  if (type === 'l') view.setBigInt64(at, BigInt(value))
  else view.setFloat64(at, value)
  return at + 8
}

function forEachEntry(table: FieldTable | PlainTable, visit: (name: string, value: PlainValue) => void): void {
  if (table instanceof FieldTable) {
    for (let n = 0; n < table.size; n++) visit(table.names[n]!, table.values[n]!)
    return
  }
  for (const [name, value] of Object.entries(table)) if (value !== undefined) visit(name, value)
}

function isArray(value: PlainValue): value is readonly PlainValue[] {
  return Array.isArray(value)
}
