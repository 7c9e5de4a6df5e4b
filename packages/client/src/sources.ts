import { exchangeAddress, topicAddress } from '@millrace/wire'
import type {
  Body,
  Consumption,
  ConsumeOptions,
  Exchange,
  Handler,
  Message,
  OutgoingMessage,
  Peeked,
  PeekOptions,
  PublishOptions,
  PullOptions,
  Queue,
  ReadOptions,
  Receipt,
  StartPosition,
  StoredMessage,
  Subscription,
  Topic,
  TransactionalHandler,
  TransactionalOptions,
} from './api.ts'
import { consumeStream } from './consume-stream.ts'
import { HandlerConsumption } from './consumption.ts'
import type { Link } from './link.ts'
import { peek } from './peek.ts'
import type { PublishChannel } from './publish-channel.ts'
import { Puller } from './puller.ts'
import type { SubscribeRequest } from './subscriber.ts'
import { TopicReader } from './topic-reader.ts'
import { inTransaction, type Transacting } from './transactions/in-transaction.ts'

/** What queues and topics need of the client. */
export interface Hub extends Transacting {
  /** The link for one more user. */
  link(): Link
  /** The shared publisher of a destination. */
  publisherOf(destination: string): PublishChannel
  /** Told of what runs, to stop it when the client closes. */
  running(consumption: Consumption): void
}

/** A queue's or a subscription's consuming side. */
class ConsumeSource implements Subscription {
  readonly name: string
  protected readonly hub: Hub
  readonly #request: Pick<SubscribeRequest, 'source' | 'from'>
  readonly #pullers = new Map<Puller, number | undefined>()

  constructor(hub: Hub, name: string, request: Pick<SubscribeRequest, 'source' | 'from'>) {
    this.hub = hub
    this.name = name
    this.#request = request
  }

  consume(handler: Handler | TransactionalHandler, options: ConsumeOptions & Partial<TransactionalOptions> = {}): Consumption {
    const whole = options.transactional === true ? inTransaction(this.hub, handler, options) : (handler as Handler)
    const consumption = new HandlerConsumption(this.hub.link(), this.#with(options), whole, options)
    this.hub.running(consumption)
    return consumption
  }

  messages(options: ConsumeOptions = {}): AsyncIterableIterator<Message> {
    return consumeStream(this.hub.link(), this.#with(options), options)
  }

  pull(options: PullOptions = {}): Promise<readonly Message[]> {
    for (const [puller, leaseMs] of this.#pullers) {
      if (!puller.busy && leaseMs === options.leaseMs) return puller.pull(options)
    }
    const puller = new Puller(this.hub.link(), this.#with(options), (gone) => this.#pullers.delete(gone))
    this.#pullers.set(puller, options.leaseMs)
    return puller.pull(options)
  }

  #with({ leaseMs, priority, exclusive }: Pick<ConsumeOptions, 'leaseMs' | 'priority' | 'exclusive'>): SubscribeRequest {
    return {
      ...this.#request,
      mode: 'consume',
      create: true,
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(priority === undefined ? {} : { priority }),
      ...(exclusive === undefined ? {} : { exclusive }),
    }
  }
}

/** The shared publisher of a destination, looked up once as long as it stays open. */
class SharedPublisher {
  readonly #hub: Hub
  readonly #destination: string
  #publisher: PublishChannel | undefined

  constructor(hub: Hub, destination: string) {
    this.#hub = hub
    this.#destination = destination
  }

  get(): PublishChannel {
    const publisher = this.#publisher
    if (publisher !== undefined && !publisher.closed) return publisher
    return (this.#publisher = this.#hub.publisherOf(this.#destination))
  }
}

export class QueueHandle extends ConsumeSource implements Queue {
  readonly #publisher: SharedPublisher

  constructor(hub: Hub, name: string) {
    super(hub, name, { source: `queue:${name}` })
    this.#publisher = new SharedPublisher(hub, `queue:${name}`)
  }

  publish(body: Body, options?: PublishOptions): Promise<Receipt> {
    return this.#publisher.get().publish(body, options)
  }

  publishBatch(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]> {
    return this.#publisher.get().publishAll(messages)
  }

  peek(options: PeekOptions = {}): Promise<Peeked<StoredMessage>> {
    return peek(this.hub.link(), `queue:${this.name}`, options)
  }
}

export class ExchangeHandle implements Exchange {
  readonly name: string
  readonly #publisher: SharedPublisher

  constructor(hub: Hub, name: string, key: string | undefined) {
    this.name = name
    this.#publisher = new SharedPublisher(hub, exchangeAddress(name, key))
  }

  publish(body: Body, options?: PublishOptions): Promise<Receipt> {
    return this.#publisher.get().publish(body, options)
  }

  publishBatch(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]> {
    return this.#publisher.get().publishAll(messages)
  }
}

export class TopicHandle implements Topic {
  readonly name: string
  readonly #hub: Hub
  readonly #publisher: SharedPublisher

  constructor(hub: Hub, name: string) {
    this.#hub = hub
    this.name = name
    this.#publisher = new SharedPublisher(hub, topicAddress(name))
  }

  publish(body: Body, options?: PublishOptions): Promise<Receipt> {
    return this.#publisher.get().publish(body, options)
  }

  publishBatch(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]> {
    return this.#publisher.get().publishAll(messages)
  }

  subscription(name: string, options: { readonly from?: StartPosition } = {}): Subscription {
    const { from } = options
    return new ConsumeSource(this.#hub, name, { source: topicAddress(this.name, name), ...(from === undefined ? {} : { from }) })
  }

  read(options: ReadOptions = {}): AsyncIterableIterator<StoredMessage> {
    return new TopicReader(this.#hub.link(), this.name, options).stream
  }

  peek(options: PeekOptions = {}): Promise<Peeked<StoredMessage>> {
    return peek(this.#hub.link(), topicAddress(this.name), options)
  }
}
