import type {
  Consumption,
  Message,
  Millrace,
  Peeked,
  PeekOptions,
  PublisherOptions,
  PublishOptions,
  Queue,
  ReadOptions,
  Receipt,
  StartPosition,
  StoredMessage,
  Topic,
  TransactionalOptions,
} from '../api.ts'
import type { MillraceError } from '../errors.ts'
import { peekedMessages } from '../peek.ts'
import type { Decoder, TypedCodec } from './typed-codec.ts'
import {
  type Typed,
  TypedConsuming,
  type TypedConsumeOptions,
  type TypedTransactionalHandler,
  type TypedPullOptions,
  type TypedSubscription,
  withBody,
} from './typed-consuming.ts'
import { type TypedOutgoingMessage, TypedPublishing, type TypedPublisher } from './typed-publishing.ts'
import { TypedStream } from './typed-stream.ts'

interface TypedDestination<In, Out> {
  readonly name: string
  /** Validates, then as the untyped `publish`. @throws MillraceError `schema_mismatch` with the places that are wrong */
  publish(body: In, options?: PublishOptions): Promise<Receipt>
  /** None is sent unless all are valid. */
  publishBatch(messages: readonly TypedOutgoingMessage<In>[]): Promise<readonly Receipt[]>
  /** For many messages: batches them and keeps a bounded number unconfirmed. */
  publisher(options?: PublisherOptions): TypedPublisher<In>
  /** Looks at messages without consuming them. */
  peek(options?: PeekOptions & SkipOptions): Promise<Peeked<Typed<StoredMessage, Out>>>
}

export interface SkipOptions {
  /** Called for a message that is not valid, which is then left out. Without it the reading ends with the error. */
  readonly onInvalid?: (message: StoredMessage, error: MillraceError) => void
}

export interface TypedQueue<In, Out> extends TypedDestination<In, Out>, TypedSubscription<Out> {
  /** The same queue without types, for what has other shapes. */
  readonly untyped: Queue
}

export interface TypedTopic<In, Out> extends TypedDestination<In, Out> {
  /** The same topic without types, for what has other shapes. */
  readonly untyped: Topic
  /** As `Topic.subscription`. */
  subscription(name: string, options?: { readonly from?: StartPosition }): TypedSubscription<Out>
  /** As `Topic.read`. A message that is not valid ends it with the error, unless `onInvalid` is given. */
  read(options?: ReadOptions & SkipOptions): AsyncIterableIterator<Typed<StoredMessage, Out>>
}

export class QueueFace<In, Out> implements TypedQueue<In, Out> {
  readonly name: string
  readonly untyped: Queue
  readonly #codec: TypedCodec<In, Out>
  readonly #publishing: TypedPublishing<In>
  readonly #consuming: TypedConsuming<Out>

  constructor(client: Millrace, name: string, codec: TypedCodec<In, Out>) {
    this.name = name
    this.untyped = client.queue(name)
    this.#codec = codec
    this.#publishing = new TypedPublishing(client, codec, this.untyped)
    this.#consuming = new TypedConsuming(codec, this.untyped)
  }

  publish(body: In, options?: PublishOptions): Promise<Receipt> {
    return this.#publishing.publish(body, options)
  }

  publishBatch(messages: readonly TypedOutgoingMessage<In>[]): Promise<readonly Receipt[]> {
    return this.#publishing.publishBatch(messages)
  }

  publisher(options?: PublisherOptions): TypedPublisher<In> {
    return this.#publishing.publisher(options)
  }

  consume(handler: TypedTransactionalHandler<Out>, options?: TypedConsumeOptions & Partial<TransactionalOptions>): Consumption {
    return this.#consuming.consume(handler, options)
  }

  messages(options?: TypedConsumeOptions): AsyncIterableIterator<Typed<Message, Out>> {
    return this.#consuming.messages(options)
  }

  pull(options?: TypedPullOptions): Promise<readonly Typed<Message, Out>[]> {
    return this.#consuming.pull(options)
  }

  async peek(options: PeekOptions & SkipOptions = {}): Promise<Peeked<Typed<StoredMessage, Out>>> {
    return decodedAll(await this.untyped.peek(options), this.#codec, options)
  }
}

export class TopicFace<In, Out> implements TypedTopic<In, Out> {
  readonly name: string
  readonly untyped: Topic
  readonly #codec: TypedCodec<In, Out>
  readonly #publishing: TypedPublishing<In>

  constructor(client: Millrace, name: string, codec: TypedCodec<In, Out>) {
    this.name = name
    this.untyped = client.topic(name)
    this.#codec = codec
    this.#publishing = new TypedPublishing(client, codec, this.untyped)
  }

  publish(body: In, options?: PublishOptions): Promise<Receipt> {
    return this.#publishing.publish(body, options)
  }

  publishBatch(messages: readonly TypedOutgoingMessage<In>[]): Promise<readonly Receipt[]> {
    return this.#publishing.publishBatch(messages)
  }

  publisher(options?: PublisherOptions): TypedPublisher<In> {
    return this.#publishing.publisher(options)
  }

  subscription(name: string, options?: { readonly from?: StartPosition }): TypedSubscription<Out> {
    return new TypedConsuming(this.#codec, this.untyped.subscription(name, options))
  }

  read(options: ReadOptions & SkipOptions = {}): AsyncIterableIterator<Typed<StoredMessage, Out>> {
    return new TypedStream(this.untyped.read(options), (message) => decoded(message, this.#codec, options))
  }

  async peek(options: PeekOptions & SkipOptions = {}): Promise<Peeked<Typed<StoredMessage, Out>>> {
    return decodedAll(await this.untyped.peek(options), this.#codec, options)
  }
}

async function decodedAll<Out>(
  messages: Peeked<StoredMessage>,
  codec: Decoder<Out>,
  options: SkipOptions,
): Promise<Peeked<Typed<StoredMessage, Out>>> {
  const all = await Promise.all(messages.map((message) => decoded(message, codec, options)))
  return peekedMessages(
    all.filter((message) => message !== undefined),
    messages.next,
  )
}

async function decoded<Out>(
  message: StoredMessage,
  codec: Decoder<Out>,
  { onInvalid }: SkipOptions,
): Promise<Typed<StoredMessage, Out> | undefined> {
  const result = await codec.decode(message)
  if (result.error === undefined) return withBody(message, result.body)
  if (onInvalid === undefined) throw result.error
  onInvalid(message, result.error)
  return undefined
}
