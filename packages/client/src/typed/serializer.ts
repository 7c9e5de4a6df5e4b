import { messagePackDecode, messagePackEncode } from './message-pack.ts'

/** Bytes of a value, and back. */
export interface Serializer {
  /** Goes into the header `content-type`; lower case, without parameters. */
  readonly contentType: string
  /** Other content types whose bytes it reads. */
  readonly aliases?: readonly string[]
  /** @throws for a value that it cannot hold */
  serialize(value: unknown): Uint8Array
  /** @param bytes borrowed until the call returns, unless the value is the bytes. @throws for bytes that are not of its content type */
  deserialize(bytes: Uint8Array): unknown
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

const json: Serializer = {
  contentType: 'application/json',
  aliases: ['text/json'],
  serialize(value) {
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined) throw new TypeError(`JSON cannot hold a value of type ${typeof value}`)
    return encoder.encode(text)
  },
  deserialize: (bytes) => JSON.parse(decoder.decode(bytes)),
}

const messagePack: Serializer = {
  contentType: 'application/vnd.msgpack',
  aliases: ['application/msgpack', 'application/x-msgpack'],
  serialize: messagePackEncode,
  deserialize: messagePackDecode,
}

const raw: Serializer = {
  contentType: 'application/octet-stream',
  serialize(value) {
    if (value instanceof Uint8Array) return value
    throw new TypeError(`the raw serializer takes a Uint8Array, not a value of type ${typeof value}`)
  },
  deserialize: (bytes) => bytes,
}

/**
 * The serializers that every consumer can read. `json` is the default; `messagePack` is smaller, and keeps dates, bytes and 64-bit
 * integers; `raw` takes and gives bytes as they are.
 */
export const serializers: { readonly json: Serializer; readonly messagePack: Serializer; readonly raw: Serializer } = {
  json,
  messagePack,
  raw,
}

const known: readonly Serializer[] = [json, messagePack, raw]

/**
 * Who reads bytes of that content type.
 * @param contentType the header's value; undefined when the message has none: then it is the declaration's
 */
export function serializerFor(contentType: string | undefined, declared: Serializer): Serializer | undefined {
  if (contentType === undefined) return declared
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
  if (reads(declared, type)) return declared
  return known.find((serializer) => reads(serializer, type)) ?? (type.endsWith('+json') ? json : undefined)
}

/** For messages: what a consumer can read. */
export function readableTypes(declared: Serializer): string {
  return [...new Set([declared, ...known].map(({ contentType }) => contentType))].join(', ')
}

function reads({ contentType, aliases = [] }: Serializer, type: string): boolean {
  return contentType === type || aliases.includes(type)
}
