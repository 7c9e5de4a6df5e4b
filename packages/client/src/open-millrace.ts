import { AdminCalls } from './admin.ts'
import type {
  Admin,
  Body,
  ConnectionState,
  ConnectOptions,
  Consumption,
  Exchange,
  Millrace,
  Publisher,
  PublisherOptions,
  PublishOptions,
  Queue,
  Receipt,
  Topic,
  ManyAnswers,
  PreparedProducer,
  PreparedProducerOptions,
  RequestOptions,
  StoredMessage,
  Transaction,
  TransactionOptions,
  TransactionPublishOptions,
} from './api.ts'
import { callUser } from './call-user.ts'
import { type ClientPlatform, setPlatform, systemPlatform } from './client-platform.ts'
import { MillraceError } from './errors.ts'
import { Link } from './link.ts'
import { PublishChannel } from './publish-channel.ts'
import { ClientPreparedProducer } from './prepared/client-prepared-producer.ts'
import { Requests } from './request/requests.ts'
import { ExchangeHandle, type Hub, QueueHandle, TopicHandle } from './sources.ts'
import { ClientTransaction, type TransactionManner } from './transactions/client-transaction.ts'
import type { Dial } from './transport.ts'
import type { Declaration } from './typed/declarations.ts'

const CONNECT_TIMEOUT_MS = 10_000
const RECONNECT_DELAY_MS = { min: 50, max: 5000 }
/** Shared publishers that are kept for the next publish. */
const SHARED_PUBLISHERS_MAX = 10_000
const CLOSE_TIMEOUT_MS = 10_000

/** Connects all links of a client. @throws MillraceError */
export async function openMillrace(
  dial: Dial,
  address: string,
  options: ConnectOptions,
  platform: ClientPlatform = systemPlatform,
): Promise<Millrace> {
  const client = new MillraceClient(dial, address, options, platform)
  await client.connect(options)
  return client
}

class MillraceClient implements Millrace, Hub {
  readonly admin: Admin
  readonly #links: Link[] = []
  readonly #shared = new Map<string, PublishChannel>()
  readonly #publishers = new Set<PublishChannel>()
  readonly #consumptions = new Set<Consumption>()
  readonly #transactions = new Set<Promise<unknown>>()
  readonly #requests: Requests
  readonly #listeners = new Set<(state: ConnectionState, cause?: Error) => void>()
  #state: ConnectionState = 'connecting'
  readonly #platform: ClientPlatform
  readonly #closeTimeoutMs: number
  #closing: Promise<void> | undefined

  constructor(dial: Dial, address: string, options: ConnectOptions, platform: ClientPlatform) {
    this.#platform = platform
    setPlatform(this, platform)
    const { clientId, user, password, token, connections = 1, reconnectDelayMs = RECONNECT_DELAY_MS } = options
    this.#closeTimeoutMs = options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS
    const hello = {
      ...(clientId === undefined ? {} : { clientId }),
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      ...(token === undefined ? {} : { token }),
    }
    for (let n = 0; n < Math.max(1, connections); n++) {
      this.#links.push(
        new Link({
          dial,
          address,
          platform,
          hello,
          crc32c: options.crc32c,
          reconnectDelayMs,
          publisherOfExisting: (destination) => this.#publisherOf(destination, false),
          onState: (_, connected, cause) => this.#linkChanged(connected, cause),
        }),
      )
    }
    this.admin = new AdminCalls(() => this.#links[0]!)
    this.#requests = new Requests(this, this.admin, platform, clientId)
  }

  async connect({ connectTimeoutMs = CONNECT_TIMEOUT_MS, signal }: ConnectOptions): Promise<void> {
    try {
      await Promise.all(this.#links.map((link) => link.connect(connectTimeoutMs, signal)))
    } catch (error) {
      for (const link of this.#links) link.close()
      throw error
    }
    signal?.addEventListener('abort', () => void this.close().catch(() => {}), { once: true })
  }

  // ---- Millrace -------------------------------------------------------------------------------------------------------

  get state(): ConnectionState {
    return this.#state
  }

  queue(name: string): Queue {
    return new QueueHandle(this, name)
  }

  topic(name: string): Topic {
    return new TopicHandle(this, name)
  }

  exchange(name: string, key?: string): Exchange {
    return new ExchangeHandle(this, name, key)
  }

  use<Handle>(declaration: Declaration<Handle>): Handle {
    return declaration.on(this)
  }

  publisher(destination: string, options?: PublisherOptions): Publisher {
    const publisher = new PublishChannel(this.link(), destination, options)
    this.#publishers.add(publisher)
    return publisher
  }

  transaction<T>(collect: (transaction: Transaction) => T | PromiseLike<T>, options: TransactionOptions = {}): Promise<T> {
    return this.transact(collect, { ...options, dropsAnswers: false })
  }

  async multicast(
    destinations: readonly string[],
    body: Body,
    options: TransactionPublishOptions & Pick<PublishOptions, 'signal'> = {},
  ): Promise<readonly Receipt[]> {
    const { signal, ...message } = options
    const transaction = new ClientTransaction(() => this.link())
    const sent = await this.#finished(
      transaction.run((tx) => tx.multicast(destinations, body, message), signal === undefined ? {} : { signal }),
    )
    return sent.receipts!
  }

  request(destination: string, body: Body, options?: RequestOptions): Promise<StoredMessage>
  request(destination: string, body: Body, options: RequestOptions & ManyAnswers): AsyncIterableIterator<StoredMessage>
  request(
    destination: string,
    body: Body,
    options: RequestOptions & Partial<ManyAnswers> = {},
  ): Promise<StoredMessage> | AsyncIterableIterator<StoredMessage> {
    const { answers, ...one } = options
    return answers === undefined
      ? this.#requests.one(destination, body, one)
      : this.#requests.many(destination, body, { ...one, answers })
  }

  async cancelScheduled(id: number): Promise<boolean> {
    // Not repeatable: a second answer would say that it had been cancelled before.
    const { cancelled } = await this.link().call('scheduled.cancel', { id }, false)
    return cancelled === true
  }

  preparedProducer(group: string, options: PreparedProducerOptions): Promise<PreparedProducer> {
    return ClientPreparedProducer.open(this, group, options)
  }

  on(_event: 'state', listener: (state: ConnectionState, cause?: Error) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---- Hub ------------------------------------------------------------------------------------------------------------

  /** The link with the least to do. */
  link(): Link {
    let least = this.#links[0]!
    for (const link of this.#links) if (link.load < least.load) least = link
    return least
  }

  publisherOf(destination: string): PublishChannel {
    return this.#publisherOf(destination, true)
  }

  async transact<T>(
    collect: (transaction: ClientTransaction) => T | PromiseLike<T>,
    options: TransactionOptions & TransactionManner,
  ): Promise<T> {
    const transaction = new ClientTransaction(() => this.link(), options)
    return await this.#finished(transaction.run(collect, options))
  }

  running(consumption: Consumption): void {
    this.#consumptions.add(consumption)
    const forget = (): void => void this.#consumptions.delete(consumption)
    consumption.done.then(forget, forget)
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  #publisherOf(destination: string, create: boolean): PublishChannel {
    // Destinations begin with their kind.
    const place = create ? destination : `existing ${destination}`
    const shared = this.#shared.get(place)
    if (shared !== undefined) return shared
    if (this.#shared.size >= SHARED_PUBLISHERS_MAX) this.#dropIdlePublishers()
    const publisher = new PublishChannel(this.link(), destination, { create })
    this.#shared.set(place, publisher)
    return publisher
  }

  /** Closing waits for it. */
  async #finished<T>(transaction: Promise<T>): Promise<T> {
    this.#transactions.add(transaction)
    try {
      return await transaction
    } finally {
      this.#transactions.delete(transaction)
    }
  }

  /** Half of the shared publishers, oldest first, as far as they have nothing under way. */
  #dropIdlePublishers(): void {
    let toDrop = SHARED_PUBLISHERS_MAX >> 1
    for (const [place, publisher] of this.#shared) {
      if (toDrop === 0) return
      if (!publisher.idle) continue
      toDrop--
      this.#shared.delete(place)
      void publisher.close()
    }
  }

  async #close(): Promise<void> {
    const cut = this.#cutWhenLost()
    try {
      await Promise.all([this.#requests.close(), ...[...this.#consumptions].map((consumption) => consumption.stop())])
      await Promise.allSettled(this.#transactions)
      const publishers = [...this.#publishers, ...this.#shared.values()]
      const outcomes = await Promise.allSettled(publishers.map((publisher) => publisher.close()))
      await Promise.all(this.#links.map((link) => link.settlesDone()))
      for (const link of this.#links) link.close()
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    } finally {
      cut()
      this.#setState('closed')
    }
  }

  /** Closing may wait for answers, but not for ever for a broker that is not there. */
  #cutWhenLost(): () => void {
    return this.#platform.after(this.#closeTimeoutMs, () => {
      for (const link of this.#links) {
        if (link.connection === undefined) {
          link.close(new MillraceError('timeout', `There was no connection for ${this.#closeTimeoutMs} ms while closing.`))
        }
      }
    })
  }

  #linkChanged(connected: boolean, cause: MillraceError | undefined): void {
    if (this.#state === 'closed') return
    if (this.#links.every((link) => link.connection !== undefined)) return this.#setState('connected')
    if (connected) return
    // A link that gave up for good takes the client with it: half a pool would be a riddle.
    if (this.#links.some((link) => link.closed)) {
      for (const link of this.#links) link.close(cause)
      this.#setState('closed', cause)
    } else this.#setState('connecting', cause)
  }

  #setState(state: ConnectionState, cause?: MillraceError): void {
    if (state === this.#state) return
    this.#state = state
    for (const listener of this.#listeners) callUser(listener, state, cause)
  }
}
