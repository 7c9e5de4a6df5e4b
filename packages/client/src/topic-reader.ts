import { topicAddress } from '@millrace/wire'
import type { ReadOptions, StartPosition, StoredMessage, TopicInfo } from './api.ts'
import { ByteCredit } from './credit.ts'
import { asMillraceError, MillraceError } from './errors.ts'
import type { Link } from './link.ts'
import { MessageStream } from './message-stream.ts'
import { Subscriber, type SubscribeRequest } from './subscriber.ts'

/** Messages under way or not yet looked at, per partition. */
const CREDIT_BYTES = 2 * 1024 * 1024
const GROWTH_CHECK_MS = 10_000

interface PartitionReader {
  readonly partition: number
  subscriber: Subscriber
  /** Offset after the last message that was taken. */
  next: number | undefined
  /** What is before it was looked at; messages of it may not have been taken yet. */
  passed: number
  caughtUp: boolean
}

/** Reads a topic: one reader per partition, each of which knows where to go on after a lost connection. */
export class TopicReader {
  readonly stream: MessageStream<StoredMessage>
  readonly #link: Link
  readonly #topic: string
  readonly #options: ReadOptions
  readonly #readers: PartitionReader[] = []
  #turn = 0
  #ended = false
  #stopGrowthCheck: (() => void) | undefined

  constructor(link: Link, topic: string, options: ReadOptions) {
    this.#link = link
    this.#topic = topic
    this.#options = options
    this.stream = new MessageStream(
      () => this.#take(),
      () => this.#leave(),
    )
    const { signal } = options
    if (signal?.aborted === true) void this.stream.return()
    else {
      signal?.addEventListener('abort', () => void this.stream.return(), { once: true })
      void this.#start()
    }
  }

  async #start(): Promise<void> {
    const { partition, from = 'latest', untilEnd = false } = this.#options
    try {
      const info = await this.#describe()
      if (this.#ended) return
      if (partition !== undefined && partition >= info.partitions) {
        throw new MillraceError('not_found', `Topic ${this.#topic} has ${info.partitions} partitions, no partition ${partition}.`)
      }
      const partitions = partition === undefined ? info.partitionInfo.map((_, n) => n) : [partition]
      for (const n of partitions) this.#add(n, from === 'latest' ? { offset: info.partitionInfo[n]!.end } : from)
      if (partition === undefined && !untilEnd)
        this.#stopGrowthCheck = this.#link.platform.every(GROWTH_CHECK_MS, () => void this.#grow())
    } catch (error) {
      this.#fail(asMillraceError(error, 'closed', `cannot read topic ${this.#topic}`))
    }
  }

  async #describe(): Promise<TopicInfo> {
    return (await this.#link.call('topic.get', { name: this.#topic })) as unknown as TopicInfo
  }

  /** Partitions that were added since are read from their beginning. */
  async #grow(): Promise<void> {
    try {
      const { partitions } = await this.#describe()
      while (!this.#ended && this.#readers.length < partitions) this.#add(this.#readers.length, 'earliest')
    } catch (error) {
      // The readers themselves hear of a topic that is gone; a connection that is gone comes back.
      if (!(error instanceof MillraceError)) throw error
    }
  }

  #add(partition: number, from: StartPosition): void {
    const reader: PartitionReader = { partition, next: undefined, passed: 0, caughtUp: false, subscriber: undefined as never }
    this.#readers.push(reader)
    this.#subscribe(reader, from)
  }

  #subscribe(reader: PartitionReader, from: StartPosition): void {
    const { filter } = this.#options
    const request = (): SubscribeRequest => ({
      source: topicAddress(this.#topic),
      mode: 'read',
      partition: reader.partition,
      from: reader.next === undefined ? from : { offset: reader.next },
      ...(filter === undefined ? {} : { filter }),
    })
    reader.subscriber = new Subscriber(this.#link, request, new ByteCredit(CREDIT_BYTES), {
      available: () => this.stream.pump(),
      passed: (next) => {
        reader.passed = next
        this.#skipPassed(reader)
      },
      interrupted: () => {
        reader.passed = 0
      },
      caughtUp: () => {
        reader.caughtUp = true
        this.#checkEnd()
      },
      ended: (error) => this.#readerEnded(reader, error),
    })
  }

  #readerEnded(reader: PartitionReader, error: MillraceError | undefined): void {
    if (this.#ended) return
    if (error === undefined) {
      // The client was closed. Whoever reads up to the end must not take this for it.
      const { untilEnd = false } = this.#options
      return untilEnd
        ? this.#fail(new MillraceError('closed', 'This client was closed before the end was reached.'))
        : this.#close()
    }
    // While it was away, retention passed the place where it was.
    if (error.code === 'offset_out_of_range' && reader.next !== undefined) {
      reader.next = undefined
      this.#subscribe(reader, 'earliest')
    } else this.#fail(error)
  }

  /** Partitions take turns. */
  #take(): StoredMessage | undefined {
    for (let n = 0; n < this.#readers.length; n++) {
      const reader = this.#readers[(this.#turn + n) % this.#readers.length]!
      const message = reader.subscriber.takeStored()
      if (message === undefined) {
        this.#skipPassed(reader)
        continue
      }
      reader.next = message.offset + 1
      reader.subscriber.free(1)
      this.#turn = (this.#turn + n + 1) % this.#readers.length
      return message
    }
    this.#checkEnd()
    return undefined
  }

  /** A new connection need not look again at what does not match. */
  #skipPassed(reader: PartitionReader): void {
    if (reader.passed > 0 && !reader.subscriber.hasMessages) reader.next = Math.max(reader.next ?? 0, reader.passed)
  }

  #checkEnd(): void {
    if (this.#ended || this.#options.untilEnd !== true || this.#readers.length === 0) return
    if (!this.#readers.every((reader) => reader.caughtUp && !reader.subscriber.hasMessages)) return
    this.stream.end(undefined)
    void this.#leave()
  }

  #close(): void {
    this.stream.end(undefined)
    void this.#leave()
  }

  #fail(error: MillraceError): void {
    this.stream.end(error)
    void this.#leave()
  }

  async #leave(): Promise<void> {
    this.#ended = true
    this.#stopGrowthCheck?.()
    await Promise.all(this.#readers.map((reader) => reader.subscriber.leave()))
  }
}
