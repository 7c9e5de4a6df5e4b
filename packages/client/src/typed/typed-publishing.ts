import type { Millrace, OutgoingMessage, Publisher, PublisherOptions, PublishOptions, Queue, Receipt, Topic } from '../api.ts'
import { MillraceError } from '../errors.ts'
import { InOrder } from './in-order.ts'
import type { Encoded, Encoder } from './typed-codec.ts'

/** As `OutgoingMessage`, with a body of the declared type. */
export type TypedOutgoingMessage<In> = Omit<OutgoingMessage, 'body'> & { readonly body: In }

/** As `Publisher`: many messages, a bounded number of them unconfirmed. */
export interface TypedPublisher<In> extends AsyncDisposable, Pick<Publisher, 'ready' | 'flush' | 'close'> {
  /** Needs a synchronous schema. @throws MillraceError `schema_mismatch`; `unsupported` for an asynchronous schema; when it is full */
  send(body: In, options?: Omit<PublishOptions, 'signal'>): boolean
  /** @throws MillraceError `schema_mismatch` */
  publish(body: In, options?: PublishOptions): Promise<Receipt>
  readonly unconfirmed: number
}

/** The publishing half of a typed queue or topic. */
export class TypedPublishing<In> {
  readonly #client: Millrace
  readonly #codec: Encoder<In>
  readonly #untyped: Queue | Topic
  readonly #order = new InOrder()

  constructor(client: Millrace, codec: Encoder<In>, untyped: Queue | Topic) {
    this.#client = client
    this.#codec = codec
    this.#untyped = untyped
  }

  async publish(body: In, options: PublishOptions = {}): Promise<Receipt> {
    const message = this.#codec.encode(body, options)
    return this.#order.run(message, (encoded) => this.#untyped.publish(encoded.body, encoded.options))
  }

  /** None is sent unless all are valid. */
  async publishBatch(messages: readonly TypedOutgoingMessage<In>[]): Promise<readonly Receipt[]> {
    const encoded = messages.map(({ body, ...options }) => this.#codec.encode(body, options))
    return this.#order.run(allOf(encoded), (list) =>
      this.#untyped.publishBatch(list.map((message) => ({ ...message.options, body: message.body }))),
    )
  }

  publisher(options?: PublisherOptions): TypedPublisher<In> {
    return new CheckedPublisher(this.#client.publisher(this.#codec.destination, options), this.#codec)
  }
}

/** A promise only where there is one among them. */
function allOf<O>(messages: readonly (Encoded<O> | Promise<Encoded<O>>)[]): Encoded<O>[] | Promise<Encoded<O>[]> {
  const ready: Encoded<O>[] = []
  for (const message of messages) {
    if (message instanceof Promise) return Promise.all(messages.map((each) => Promise.resolve(each)))
    ready.push(message)
  }
  return ready
}

class CheckedPublisher<In> implements TypedPublisher<In> {
  readonly #publisher: Publisher
  readonly #codec: Encoder<In>
  readonly #order = new InOrder()

  constructor(publisher: Publisher, codec: Encoder<In>) {
    this.#publisher = publisher
    this.#codec = codec
  }

  get unconfirmed(): number {
    return this.#publisher.unconfirmed
  }

  send(body: In, options: Omit<PublishOptions, 'signal'> = {}): boolean {
    const message = this.#codec.encode(body, options)
    if (message instanceof Promise) {
      // Its outcome is of no use: nothing is sent.
      message.catch(() => {})
      throw new MillraceError(
        'unsupported',
        `The schema of ${this.#codec.destination} is asynchronous, and send() cannot wait: await publish() instead.`,
      )
    }
    return this.#publisher.send(message.body, message.options)
  }

  async publish(body: In, options: PublishOptions = {}): Promise<Receipt> {
    const message = this.#codec.encode(body, options)
    return this.#order.run(message, (encoded) => this.#publisher.publish(encoded.body, encoded.options))
  }

  ready(): Promise<void> {
    return this.#publisher.ready()
  }

  flush(): Promise<void> {
    return this.#publisher.flush()
  }

  close(): Promise<void> {
    return this.#publisher.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
