import type { PublishOptions, StoredMessage } from '../api.ts'
import { MillraceError } from '../errors.ts'
import { MESSAGE_ID_HEADER } from '../message-headers.ts'
import { type MismatchIssue, mismatchIssues, SchemaMismatch } from './schema-mismatch.ts'
import { readableTypes, type Serializer, serializerFor, serializers } from './serializer.ts'
import type { OutputOf, SchemaResult, StandardSchema } from './standard-schema.ts'

const CONTENT_TYPE = 'content-type'
const decoder = new TextDecoder()

/** What a declaration says about its messages. */
export interface MessageOptions<S extends StandardSchema> {
  /** Any Standard Schema: Zod, Valibot, ArkType, ... May be asynchronous. */
  readonly schema: S
  /** The key of a message: decides the partition of a topic, and order holds per key. */
  readonly key?: (body: OutputOf<S>) => string | Uint8Array | undefined
  /** The id of a message, by which duplicates are known. Goes into the header `message-id`. */
  readonly id?: (body: OutputOf<S>) => string | number | undefined
  /** How urgent a message is, 0 to 255: see `priorities` of a queue. */
  readonly priority?: (body: OutputOf<S>) => number | undefined
  /** How bodies become bytes. Default `serializers.json`. Messages of other known content types are read all the same. */
  readonly serializer?: Serializer
}

/** A message that is ready for the untyped API. */
export interface Encoded<O> {
  readonly body: Uint8Array
  readonly options: O
}

/** A received body, or what is wrong with it. */
export type Decoded<Out> =
  { readonly body: Out; readonly error?: undefined } | { readonly body?: undefined; readonly error: MillraceError }

export interface Encoder<In> {
  readonly destination: string
  /**
   * Validates a body and turns it into a message. What is sent is the body as it was given, since the other side validates it
   * again; key, id and priority are those of the validated one. A promise only where the schema is asynchronous.
   * @throws SchemaMismatch
   */
  encode<O extends PublishOptions>(body: In, options: O): Encoded<O> | Promise<Encoded<O>>
}

export interface Decoder<Out> {
  /** A promise only where the schema is asynchronous. */
  decode(message: StoredMessage): Decoded<Out> | Promise<Decoded<Out>>
}

/** Between bodies and messages, for those who publish or read by other means than the typed handle: in a transaction, say. */
export interface Codec<In, Out> {
  /** A message that is ready to be published. A promise only where the schema is asynchronous. @throws SchemaMismatch */
  readonly encode: <O extends PublishOptions>(body: In, options: O) => Encoded<O> | Promise<Encoded<O>>
  /** The body, or what is wrong with the message. A promise only where the schema is asynchronous. */
  readonly decode: (message: StoredMessage) => Decoded<Out> | Promise<Decoded<Out>>
}

/** Between bodies as the user has them and messages as they travel. One per declaration. */
export class TypedCodec<In, Out> implements Encoder<In>, Decoder<Out> {
  /** `queue:mail`. */
  readonly destination: string
  readonly #options: MessageOptions<StandardSchema<In, Out>>
  readonly #serializer: Serializer
  /** Whether a body was seen that can be read again. */
  #isProven = false

  constructor(destination: string, options: MessageOptions<StandardSchema<In, Out>>) {
    this.destination = destination
    this.#options = options
    this.#serializer = options.serializer ?? serializers.json
  }

  encode<O extends PublishOptions>(body: In, options: O): Encoded<O> | Promise<Encoded<O>> {
    return whenReady(this.#validate(body), (result) => {
      if (result.issues !== undefined) throw this.#mismatch('this body cannot be published', mismatchIssues(result.issues))
      const encoded = this.#message(body, result.value, options)
      return this.#isProven ? encoded : this.#prove(encoded)
    })
  }

  decode(message: StoredMessage): Decoded<Out> | Promise<Decoded<Out>> {
    const contentType = message.headers[CONTENT_TYPE]
    return this.#read(message.value, contentType?.length ? decoder.decode(contentType) : undefined)
  }

  // ---- writing --------------------------------------------------------------------------------------------------------

  #message<O extends PublishOptions>(body: In, validated: Out, options: O): Encoded<O> {
    const key = options.key ?? this.#options.key?.(validated)
    const id = this.#options.id?.(validated)
    const priority = options.priority ?? this.#options.priority?.(validated)
    const headers = {
      [CONTENT_TYPE]: this.#serializer.contentType,
      ...(id === undefined ? {} : { [MESSAGE_ID_HEADER]: String(id) }),
      ...options.headers,
    }
    const derived = { ...(key === undefined ? {} : { key }), ...(priority === undefined ? {} : { priority }) }
    return { body: this.#serialize(body), options: { ...options, headers, ...derived } }
  }

  #serialize(body: In): Uint8Array {
    try {
      return this.#serializer.serialize(body)
    } catch (error) {
      throw this.#mismatch('this body cannot be published', [{ path: '', message: text(error) }], { cause: error })
    }
  }

  /**
   * Reads the first message back: a schema may ask for what the serializer does not bring back (JSON makes text of a Date), and
   * then every message would go to the dead letters.
   */
  #prove<O>(encoded: Encoded<O>): Encoded<O> | Promise<Encoded<O>> {
    return whenReady(this.#read(encoded.body, this.#serializer.contentType), ({ error }) => {
      if (error !== undefined) {
        const advice =
          'Use a serializer that keeps such values (MessagePack keeps dates and bytes), or a schema that takes what is read'
        throw new SchemaMismatch(
          `${this.destination}: this body could not be read again. ${advice}`,
          error instanceof SchemaMismatch ? error.issues : [{ path: '', message: error.message }],
          { cause: error },
        )
      }
      this.#isProven = true
      return encoded
    })
  }

  // ---- reading --------------------------------------------------------------------------------------------------------

  #read(bytes: Uint8Array | null, contentType: string | undefined): Decoded<Out> | Promise<Decoded<Out>> {
    const serializer = serializerFor(contentType, this.#serializer)
    if (serializer === undefined) {
      const types = readableTypes(this.#serializer)
      const what = `${this.destination}: content type ${JSON.stringify(contentType)} is unknown; what can be read is ${types}.`
      return { error: new MillraceError('unsupported', what) }
    }
    if (bytes === null) return { error: this.#unreadable([{ path: '', message: 'it has no body' }]) }
    let value: unknown
    try {
      value = serializer.deserialize(bytes)
    } catch (error) {
      const message = `it is not ${serializer.contentType}: ${text(error)}`
      return { error: this.#unreadable([{ path: '', message }], { cause: error }) }
    }
    return whenReady(this.#validate(value), (result) =>
      result.issues === undefined ? { body: result.value } : { error: this.#unreadable(mismatchIssues(result.issues)) },
    )
  }

  // ---- both -----------------------------------------------------------------------------------------------------------

  #validate(value: unknown): SchemaResult<Out> | Promise<SchemaResult<Out>> {
    return this.#options.schema['~standard'].validate(value)
  }

  #unreadable(issues: readonly MismatchIssue[], options?: ErrorOptions): SchemaMismatch {
    return this.#mismatch('this message does not fit the schema', issues, options)
  }

  #mismatch(what: string, issues: readonly MismatchIssue[], options?: ErrorOptions): SchemaMismatch {
    return new SchemaMismatch(`${this.destination}: ${what}`, issues, options)
  }
}

/** Goes on at once where there is nothing to wait for. */
export function whenReady<T, R>(value: T | Promise<T>, use: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(use) : use(value)
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
