/** A broker in virtual time over the memory journal, for tests. */
import { type BatchRecord, crc32c, decodeBatch, encodeBatch } from '@millrace/wire'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import type { MillraceError } from '../../src/base/errors.ts'
import type {
  Broker,
  ConsumeOptions,
  Consumer,
  Delivery,
  DeliverySink,
  Outcome,
  Reader,
  StartPosition,
} from '../../src/core/broker.ts'
import { type BrokerOptions, openBroker } from '../../src/core/open-broker.ts'
import { openMemoryJournal } from '../../src/engines/memory/index.ts'
import type { Journal } from '../../src/ports/journal.ts'
import type { StorageLimits } from '../../src/storage/limits.ts'
import type { LogStore } from '../../src/storage/log-store.ts'
import { openLogStore } from '../../src/storage/open-log-store.ts'
import { mortalJournal } from './mortal-journal.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export type TestOptions = Pick<
  BrokerOptions,
  'limits' | 'autoCreate' | 'compaction' | 'decompress' | 'groups' | 'memory' | 'transactions'
> & {
  readonly storage?: Partial<StorageLimits>
}

export class TestBroker {
  readonly journal: Journal
  readonly platform: VirtualPlatform
  readonly warnings: string[] = []
  readonly #options: TestOptions
  #life = { isOver: false }
  broker!: Broker
  store!: LogStore

  private constructor(journal: Journal, platform: VirtualPlatform, options: TestOptions) {
    this.journal = journal
    this.platform = platform
    this.#options = options
  }

  static async open(
    options: TestOptions = {},
    seed = 1,
    journal?: Journal,
    platform: VirtualPlatform = new VirtualPlatform(seed),
  ): Promise<TestBroker> {
    const test = new TestBroker(journal ?? (await openMemoryJournal()), platform, options)
    await test.#open()
    return test
  }

  /** As if the process had been killed: all that was not committed is gone. */
  async crash(): Promise<void> {
    this.platform.forget()
    this.#life.isOver = true
    await this.#open()
  }

  async restart(): Promise<void> {
    await this.platform.until(this.broker.close())
    await this.platform.until(this.store.close())
    await this.#open()
  }

  async #open(): Promise<void> {
    const { platform } = this
    this.#life = { isOver: false }
    const journal = mortalJournal(this.journal, this.#life)
    const { storage, ...options } = this.#options
    this.store = await platform.until(openLogStore({ journal, platform, crc32c, limits: storage ?? {} }))
    const { store } = this
    this.broker = await platform.until(
      openBroker({ store, platform, crc32c, onWarning: (text) => this.warnings.push(text), ...options }),
    )
    await platform.settle()
  }

  /** One batch. */
  publish(destination: string, ...values: string[]): number {
    return this.publishKeyed(
      destination,
      -1,
      values.map((value) => [null, value]),
    )
  }

  publishKeyed(destination: string, partition: number, records: readonly (readonly [string | null, string | null])[]): number {
    const timestampMs = this.platform.clock.nowMs()
    const batch = encodeBatch(
      records.map(([key, value]) => ({
        timestampMs,
        key: key === null ? null : encoder.encode(key),
        value: value === null ? null : encoder.encode(value),
      })),
    )
    return this.broker.destination(destination, true).publish(partition, batch)
  }

  settle(): Promise<void> {
    return this.platform.settle()
  }

  advance(ms: number): Promise<void> {
    return this.platform.advance(ms)
  }

  consume(source: string, credit = Infinity, options: ConsumeOptions = { create: true }): TestConsumer {
    const sink = new TestConsumer()
    sink.consumer = this.broker.consume(source, options, sink)
    sink.wait = () => void this.broker.ticket()
    sink.consumer.grant(credit)
    return sink
  }

  /** @param partition by default all that there are */
  read(source: string, from: StartPosition, partition?: number, credit = Infinity, filter?: string): TestReader {
    const sink = new TestReader()
    const where = { from, ...(partition === undefined ? {} : { partition }), ...(filter === undefined ? {} : { filter }) }
    sink.reader = this.broker.read(source, where, sink)
    sink.reader.grant(credit)
    return sink
  }
}

export interface Message {
  readonly partition: number
  readonly offset: number
  readonly attempt: number
  readonly value: string | null
  readonly record: BatchRecord
}

class TestSink implements DeliverySink {
  readonly deliveries: Delivery[] = []
  readonly messages: Message[] = []
  reason: MillraceError | undefined

  deliver(delivery: Delivery): void {
    this.deliveries.push(delivery)
    for (const record of decodeBatch(delivery.batch, delivery.baseOffset, delivery.first, delivery.last)) {
      this.messages.push({
        partition: delivery.partition,
        offset: record.offset,
        attempt: delivery.attempt,
        value: record.value === null ? null : decoder.decode(record.value),
        record,
      })
    }
  }

  closed(reason: MillraceError): void {
    this.reason = reason
  }

  get values(): (string | null)[] {
    return this.messages.map((message) => message.value)
  }

  /** What came since the last call: `value#attempt`. */
  taken(): string[] {
    const taken = this.messages.map((message) => `${message.value}#${message.attempt}`)
    this.messages.length = 0
    this.deliveries.length = 0
    return taken
  }
}

export class TestConsumer extends TestSink {
  consumer!: Consumer
  /** How many messages it had each time that it was told to be drained. */
  readonly drainedAfter: number[] = []

  drained(): void {
    this.drainedAfter.push(this.messages.length)
  }

  /** Waits for what it settled, so that the commit comes at once. */
  wait: () => void = () => {}

  ack(first: number, last = first, partition = 0): void {
    this.#settle(partition, first, last, { kind: 'ack' })
  }

  nack(first: number, last = first, more: { delayMs?: number; uncounted?: boolean; error?: string } = {}): void {
    this.#settle(0, first, last, { kind: 'nack', ...more })
  }

  #settle(partition: number, first: number, last: number, outcome: Outcome): void {
    try {
      this.consumer.settle(partition, first, last, outcome)
    } finally {
      this.wait()
    }
  }
}

export class TestReader extends TestSink {
  reader!: Reader
  /** How many messages it had each time that it was told to have caught up. */
  readonly caughtUpAfter: number[] = []

  /** What it was told to have passed, the last time. */
  passedTo = 0

  caughtUp(): void {
    this.caughtUpAfter.push(this.messages.length)
  }

  passed(_partition: number, next: number): void {
    this.passedTo = next
  }
}

export function headersOf(record: BatchRecord): Record<string, string> {
  return Object.fromEntries(record.headers.map((header) => [header.key, decoder.decode(header.value ?? new Uint8Array(0))]))
}
