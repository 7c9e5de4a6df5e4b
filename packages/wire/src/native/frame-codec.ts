/** Reads and writes any frame by its schema. For control frames and as the reference for `hot-frames.ts`. */
import {
  type FieldTypes,
  type Frame,
  type FrameBody,
  type FrameName,
  frameSchemas,
  type JsonObject,
  ProtocolError,
  type RecordPlace,
  type SettleRange,
} from './frames.ts'
import type { FrameWriter } from './frame-writer.ts'

interface Schema {
  readonly opcode: number
  readonly fields: Readonly<Record<string, keyof FieldTypes>>
}

const names = new Map<number, FrameName>()
for (const name of Object.keys(frameSchemas) as FrameName[]) names.set(frameSchemas[name].opcode, name)

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The frame's name, or undefined for an opcode that this version does not know. */
export function frameNameOf(opcode: number): FrameName | undefined {
  return names.get(opcode)
}

export function writeFrame<N extends FrameName>(writer: FrameWriter, name: N, body: FrameBody<N>): void {
  const schema: Schema = frameSchemas[name]
  const values = body as Readonly<Record<string, unknown>>
  writer.begin(schema.opcode)
  for (const field in schema.fields) writeField(writer, schema.fields[field]!, values[field])
  writer.end()
}

/**
 * @param start where the opcode is
 * @param end one past the last byte of the frame; nothing may be left before it
 * @throws ProtocolError
 */
export function readFrame(bytes: Uint8Array, view: DataView, start: number, end: number): Frame {
  const name = names.get(bytes[start]!)
  if (name === undefined)
    throw new ProtocolError(`Unknown opcode 0x${bytes[start]!.toString(16).padStart(2, '0')}.`, 'unsupported')
  const schema: Schema = frameSchemas[name]
  const cursor = new Cursor(name, bytes, view, start + 1, end)
  const frame: Record<string, unknown> = { name }
  for (const field in schema.fields) frame[field] = cursor.read(schema.fields[field]!)
  cursor.finish()
  return frame as unknown as Frame
}

function writeField(writer: FrameWriter, kind: keyof FieldTypes, value: unknown): void {
  switch (kind) {
    case 'u8':
      return writer.u8(value as number)
    case 'u32':
      return writer.u32(value as number)
    case 'i32':
      return writer.i32(value as number)
    case 'u64':
      return writer.u64(value as number)
    case 'offset':
      return writer.f64(value as number)
    case 'string':
      return writer.string(value as string)
    case 'json':
      return writer.json(value)
    case 'offsets': {
      const offsets = value as readonly number[]
      writer.u32(offsets.length)
      for (const offset of offsets) writer.f64(offset)
      return undefined
    }
    case 'ranges': {
      const ranges = value as readonly SettleRange[]
      writer.u16(ranges.length)
      for (const range of ranges) {
        writer.u32(range.partition)
        writer.f64(range.first)
        writer.f64(range.last)
        writer.u32(range.attempt)
      }
      return undefined
    }
    case 'places': {
      const places = value as readonly RecordPlace[]
      writer.u32(places.length)
      for (const place of places) {
        writer.u32(place.position)
        writer.u32(place.partition)
        writer.f64(place.offset)
      }
      return undefined
    }
    case 'rest':
      return writer.copy(value as Uint8Array)
    case 'restJson':
      return value === undefined ? undefined : writer.json(value)
    default:
      throw new TypeError(`no such field kind: ${String(kind satisfies never)}`)
  }
}

/** Reads fields one after the other, never beyond the end of the frame. */
class Cursor {
  readonly #name: FrameName
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #end: number
  #at: number

  constructor(name: FrameName, bytes: Uint8Array, view: DataView, start: number, end: number) {
    this.#name = name
    this.#bytes = bytes
    this.#view = view
    this.#at = start
    this.#end = end
  }

  read(kind: keyof FieldTypes): unknown {
    switch (kind) {
      case 'u8':
        return this.#bytes[this.#take(1)]
      case 'u32':
        return this.#view.getUint32(this.#take(4))
      case 'i32':
        return this.#view.getInt32(this.#take(4))
      case 'u64': {
        const at = this.#take(8)
        return this.#integer(this.#view.getUint32(at) * 4294967296 + this.#view.getUint32(at + 4))
      }
      case 'offset':
        return this.#integer(this.#view.getFloat64(this.#take(8)))
      case 'string':
        return this.#text(this.#view.getUint16(this.#take(2)))
      case 'json':
        return this.#json()
      case 'offsets':
        return this.#offsets()
      case 'ranges':
        return this.#ranges()
      case 'places':
        return this.#places()
      case 'rest': {
        const at = this.#take(this.#end - this.#at)
        return this.#bytes.subarray(at, this.#end)
      }
      case 'restJson':
        return this.#at === this.#end ? undefined : this.#json()
      default:
        throw new TypeError(`no such field kind: ${String(kind satisfies never)}`)
    }
  }

  finish(): void {
    if (this.#at !== this.#end) throw new ProtocolError(`\`${this.#name}\` has ${this.#end - this.#at} bytes too many.`)
  }

  #take(bytes: number): number {
    const at = this.#at
    if (bytes > this.#end - at) throw new ProtocolError(`\`${this.#name}\` ends early.`)
    this.#at = at + bytes
    return at
  }

  #integer(value: number): number {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new ProtocolError(`\`${this.#name}\` has a number that is not an integer from 0 to 2^53 - 1.`)
    return value
  }

  #text(length: number): string {
    const at = this.#take(length)
    try {
      return strictDecoder.decode(this.#bytes.subarray(at, at + length))
    } catch {
      throw new ProtocolError(`\`${this.#name}\` has text that is not UTF-8.`)
    }
  }

  #json(): JsonObject {
    const text = this.#text(this.#view.getUint32(this.#take(4)))
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      throw new ProtocolError(`\`${this.#name}\` has a field that is not JSON.`)
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ProtocolError(`\`${this.#name}\` has a JSON field that is not an object.`)
    }
    return value as JsonObject
  }

  #offsets(): number[] {
    const count = this.#view.getUint32(this.#take(4))
    let at = this.#take(count * 8)
    const offsets: number[] = []
    for (let n = 0; n < count; n++, at += 8) {
      const offset = this.#view.getFloat64(at)
      offsets.push(Number.isNaN(offset) ? offset : this.#integer(offset))
    }
    return offsets
  }

  #places(): RecordPlace[] {
    const count = this.#view.getUint32(this.#take(4))
    let at = this.#take(count * 16)
    const places: RecordPlace[] = []
    for (let n = 0; n < count; n++, at += 16) {
      const position = this.#view.getUint32(at)
      const offset = this.#view.getFloat64(at + 8)
      if (n > 0 && position <= places[n - 1]!.position) throw new ProtocolError(`\`${this.#name}\` has positions out of order.`)
      places.push({ position, partition: this.#view.getUint32(at + 4), offset: offset === -1 ? offset : this.#integer(offset) })
    }
    return places
  }

  #ranges(): SettleRange[] {
    const count = this.#view.getUint16(this.#take(2))
    const ranges: SettleRange[] = []
    for (let n = 0; n < count; n++) {
      const at = this.#take(24)
      const first = this.#integer(this.#view.getFloat64(at + 4))
      const last = this.#integer(this.#view.getFloat64(at + 12))
      if (last < first) throw new ProtocolError(`\`${this.#name}\` has a range from ${first} to ${last}.`)
      ranges.push({ partition: this.#view.getUint32(at), first, last, attempt: this.#view.getUint32(at + 20) })
    }
    return ranges
  }
}
