// hot path (packages/broker/test/kafka/throughput.mjs)
/**
 * Turns the notation of a message into functions that read and write it in one version: one closure per field, put together once,
 * when the version is first used.
 */
import { encodeName } from '@millrace/wire'
import { unreachable } from '../../../base/assert.ts'
import { TAGGED_FIELDS_MAX } from './limits.ts'
import { MessageFormatError, type MessageReader } from './message-reader.ts'
import { MessageWriter } from './message-writer.ts'
import { type Field, type Fields, type FieldType, parseFields } from './notation.ts'

type Read = (reader: MessageReader) => unknown
type Write = (writer: MessageWriter, value: unknown) => void

interface FieldCodec {
  readonly name: string
  readonly read: Read
  readonly write: Write
  readonly default: unknown
}

interface TaggedCodec extends FieldCodec {
  readonly tag: number
}

type Values = Record<string, unknown>

/** Reads and writes one structure in one version. */
export class StructCodec {
  /** A structure in which every field has its default. */
  readonly #template: Values
  readonly #fields: readonly FieldCodec[]
  readonly #tagged: readonly TaggedCodec[]
  readonly #flexible: boolean

  constructor(notation: Fields, version: number, flexible: boolean) {
    const fields = parseFields(notation, version)
    const codecs = fields.map((field) => fieldCodec(field, version, flexible))
    this.#template = Object.fromEntries(codecs.map((codec) => [codec.name, codec.default]))
    const present = codecs.filter((_, n) => fields[n]!.isPresent)
    this.#fields = present.filter(({ tag }) => tag === undefined)
    this.#tagged = present.flatMap((codec) => (codec.tag === undefined ? [] : [{ ...codec, tag: codec.tag }])).toSorted(byTag)
    this.#flexible = flexible
  }

  /** Shared: not to be changed. */
  get defaults(): Values {
    return this.#template
  }

  /** @throws MessageFormatError */
  read(reader: MessageReader): Values {
    const values = { ...this.#template }
    const fields = this.#fields
    for (let n = 0; n < fields.length; n++) {
      const field = fields[n]!
      values[field.name] = field.read(reader)
    }
    if (this.#flexible) this.#readTagged(reader, values)
    return values
  }

  write(writer: MessageWriter, values: Values): void {
    const fields = this.#fields
    for (let n = 0; n < fields.length; n++) {
      const field = fields[n]!
      const value = values[field.name]
      field.write(writer, value === undefined ? field.default : value)
    }
    if (this.#flexible) this.#writeTagged(writer, values)
  }

  #readTagged(reader: MessageReader, values: Values): void {
    const count = reader.uvarint()
    if (count > TAGGED_FIELDS_MAX) throw new MessageFormatError(`a structure claims ${count} tagged fields`)
    for (let n = 0; n < count; n++) {
      const tag = reader.uvarint()
      const size = reader.uvarint()
      if (size > reader.left) throw new MessageFormatError(`a tagged field claims ${size} bytes, and ${reader.left} are left`)
      const known = this.#tagged.find((field) => field.tag === tag)
      if (known === undefined) {
        reader.skip(size)
        continue
      }
      const { end } = reader
      reader.end = reader.at + size
      values[known.name] = known.read(reader)
      if (reader.left > 0) throw new MessageFormatError(`${reader.left} bytes are left over in the tagged field ${known.name}`)
      reader.end = end
    }
  }

  #writeTagged(writer: MessageWriter, values: Values): void {
    const tagged = this.#tagged
    let count = 0
    for (let n = 0; n < tagged.length; n++) if (!isDefault(values[tagged[n]!.name], tagged[n]!.default)) count++
    writer.uvarint(count)
    if (count === 0) return
    for (const field of tagged) {
      if (isDefault(values[field.name], field.default)) continue
      const inner = new MessageWriter()
      field.write(inner, values[field.name])
      writer.uvarint(field.tag)
      writer.uvarint(inner.length)
      for (const chunk of inner.take()) writer.raw(chunk)
    }
  }
}

function byTag(a: TaggedCodec, b: TaggedCodec): number {
  return a.tag - b.tag
}

function isDefault(value: unknown, fallback: unknown): boolean {
  if (value === undefined || value === fallback) return true
  return Array.isArray(value) && Array.isArray(fallback) && value.length === 0
}

// ---- fields -----------------------------------------------------------------------------------------------------------

function fieldCodec(field: Field, version: number, flexible: boolean): FieldCodec & { readonly tag: number | undefined } {
  const { name, tag, isArray, isNullable } = field
  const inner = field.fields === undefined ? undefined : new StructCodec(field.fields, version, flexible)
  const element = inner === undefined ? scalar(field.type as FieldType, isNullable && !isArray, flexible) : structure(inner)
  const whole = isArray
    ? array(name, element, isNullable, flexible)
    : inner !== undefined && isNullable
      ? optional(element)
      : element
  // A structure that is not there is one of defaults.
  const fallback = field.default === undefined ? inner!.defaults : field.default
  return { name, tag, default: fallback, ...whole }
}

interface Codec {
  readonly read: Read
  readonly write: Write
}

function structure(codec: StructCodec): Codec {
  return { read: (reader) => codec.read(reader), write: (writer, value) => codec.write(writer, value as Values) }
}

/** A structure that may be null has a byte in front. */
function optional({ read, write }: Codec): Codec {
  return {
    read: (reader) => (reader.int8() < 0 ? null : read(reader)),
    write(writer, value) {
      writer.int8(value === null ? -1 : 1)
      if (value !== null) write(writer, value)
    },
  }
}

function array(name: string, { read, write }: Codec, isNullable: boolean, flexible: boolean): Codec {
  return {
    read(reader) {
      const count = reader.checkCount(flexible ? reader.uvarint() - 1 : reader.int32())
      if (count < 0) return nothing(name, isNullable)
      const elements: unknown[] = []
      for (let n = 0; n < count; n++) elements.push(read(reader))
      return elements
    },
    write(writer, value) {
      const elements = value as readonly unknown[] | null
      const count = elements === null ? -1 : elements.length
      if (flexible) writer.uvarint(count + 1)
      else writer.int32(count)
      for (let n = 0; n < count; n++) write(writer, elements![n])
    },
  }
}

function nothing(what: string, isNullable: boolean): null {
  if (isNullable) return null
  throw new MessageFormatError(`${what} may not be null`)
}

function scalar(type: FieldType, isNullable: boolean, flexible: boolean): Codec {
  switch (type) {
    case 'bool':
      return { read: (reader) => reader.bool(), write: (writer, value) => writer.bool(value as boolean) }
    case 'int8':
      return { read: (reader) => reader.int8(), write: (writer, value) => writer.int8(value as number) }
    case 'int16':
      return { read: (reader) => reader.int16(), write: (writer, value) => writer.int16(value as number) }
    case 'uint16':
      return { read: (reader) => reader.uint16(), write: (writer, value) => writer.int16(value as number) }
    case 'int32':
      return { read: (reader) => reader.int32(), write: (writer, value) => writer.int32(value as number) }
    case 'int64':
      return { read: (reader) => reader.int64(), write: (writer, value) => writer.int64(value as number) }
    case 'float64':
      return { read: (reader) => reader.float64(), write: (writer, value) => writer.float64(value as number) }
    case 'uuid':
      return { read: (reader) => reader.uuid(), write: (writer, value) => writer.uuid(value as string) }
    case 'string':
      return text(isNullable, flexible)
    case 'bytes':
      return blob(isNullable, flexible, true)
    case 'records':
      return blob(isNullable, flexible, false)
    default:
      return unreachable(type)
  }
}

function text(isNullable: boolean, flexible: boolean): Codec {
  return {
    read(reader) {
      const length = flexible ? reader.lengthCompact() : reader.length16()
      return length < 0 ? nothing('a text', isNullable) : reader.text(length)
    },
    write(writer, value) {
      const bytes = value === null ? undefined : encodeName(value as string)
      const length = bytes === undefined ? -1 : bytes.length
      if (flexible) writer.uvarint(length + 1)
      else writer.int16(length)
      if (bytes !== undefined) writer.raw(bytes)
    },
  }
}

/** @param copied whether what is read must outlive the request */
function blob(isNullable: boolean, flexible: boolean, copied: boolean): Codec {
  return {
    read(reader) {
      const length = flexible ? reader.lengthCompact() : reader.length32()
      if (length < 0) return nothing('a byte field', isNullable)
      const view = reader.view(length)
      return copied ? view.slice() : view
    },
    write(writer, value) {
      const pieces = value === null ? NO_PIECES : value instanceof Uint8Array ? [value] : (value as readonly Uint8Array[])
      let length = 0
      for (let n = 0; n < pieces.length; n++) length += pieces[n]!.length
      if (value === null) length = -1
      if (flexible) writer.uvarint(length + 1)
      else writer.int32(length)
      for (let n = 0; n < pieces.length; n++) writer.raw(pieces[n]!)
    },
  }
}

const NO_PIECES: readonly Uint8Array[] = []
