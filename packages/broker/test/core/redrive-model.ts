/** A random program with two queues and redrives between them, and an oracle that knows where each message must be. */
import { decodeBatch } from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type { Delivery, DeliveryPolicy } from '../../src/core/broker.ts'
import type { Clock } from '../../src/ports/platform.ts'
import { TestBroker, TestConsumer } from './harness.ts'
import { must } from './must.ts'

export type RedriveStep =
  | { readonly do: 'publish'; readonly count: number; readonly expires: boolean }
  | {
      readonly do: 'consume' | 'settle' | 'leave' | 'redrive' | 'offset' | 'purge' | 'crash' | 'restart' | 'turn' | 'cancel'
      readonly pick: number
    }
  | { readonly do: 'advance'; readonly ms: number }

const TTL_MS = 2000
const SOURCES = ['queue:work', 'queue:dead'] as const

/** Of a queue where messages expire: gets none that has. */
class PunctualConsumer extends TestConsumer {
  readonly #clock: Clock

  constructor(clock: Clock) {
    super()
    this.#clock = clock
  }

  override deliver(delivery: Delivery): void {
    for (const { timestampMs } of decodeBatch(delivery.batch, delivery.baseOffset, delivery.first, delivery.last)) {
      must(timestampMs + TTL_MS > this.#clock.nowMs(), 'what is delivered has not expired')
    }
    super.deliver(delivery)
  }
}

/**
 * Two queues, the second with the dead letters of the first, which expire or are rejected. Messages are never acked, so that
 * each one that was published durably must be in exactly one place at any time, unless it was purged.
 */
export class RedriveModel {
  readonly t: TestBroker
  readonly published = new Set<string>()
  readonly purgeable = new Set<string>()
  #consumers: { readonly source: string; readonly consumer: TestConsumer }[] = []
  #next = 0

  private constructor(t: TestBroker) {
    this.t = t
  }

  /** @param small everything is cut into small pieces */
  static async open(order: DeliveryPolicy['order'] & string, small: boolean): Promise<RedriveModel> {
    const t = await TestBroker.open({
      limits: { stateLogBytesFloor: small ? 2000 : 100_000 },
      storage: small ? { commitBytesMax: 2000, tailCacheBytes: 3000, indexRunEntries: 4 } : {},
    })
    t.broker.createQueue({ name: 'dead', delivery: { order } })
    t.broker.createQueue({
      name: 'work',
      delivery: { ttlMs: TTL_MS, deadLetter: 'queue:dead', leaseMs: 3000, maxAttempts: 4, order },
    })
    await t.settle()
    return new RedriveModel(t)
  }

  async run(step: RedriveStep): Promise<void> {
    const { t } = this
    if (step.do === 'publish') {
      const values = Array.from({ length: step.count }, () => `m${this.#next++}`)
      const records = values.map((value, n): [string | null, string] => [n % 3 === 0 ? null : `key ${n % 3}`, value])
      t.publishKeyed(step.expires ? 'queue:work' : 'queue:dead', 0, records)
      // Only what is durable is watched.
      await t.settle()
      for (const value of values) this.published.add(value)
    } else if (step.do === 'advance') await t.advance(step.ms)
    else if (step.do === 'turn') t.platform.runTurn()
    else if (step.do === 'consume') this.#join(step.pick)
    else if (step.do === 'leave') this.#consumers.splice(0, 1)[0]?.consumer.consumer.close()
    else if (step.do === 'settle') this.#settle(step.pick)
    else if (step.do === 'redrive') this.#redrive(step.pick)
    else if (step.do === 'cancel') for (const { id } of t.broker.redrives()) t.broker.cancelRedrive(id)
    else if (step.do === 'offset') this.#redriveOne(step.pick)
    else if (step.do === 'purge') {
      await t.settle()
      t.broker.purgeQueue('dead')
      for (const value of this.published) this.purgeable.add(value)
    } else {
      this.#consumers = []
      if (step.do === 'crash') await t.crash()
      else await t.restart()
      await this.check()
    }
  }

  #join(pick: number): void {
    const source = SOURCES[pick % 2]!
    const consumer = source === 'queue:work' ? new PunctualConsumer(this.t.platform.clock) : new TestConsumer()
    consumer.consumer = this.t.broker.consume(source, {}, consumer)
    consumer.consumer.grant(1 + (pick % 5))
    this.#consumers.push({ source, consumer })
  }

  #settle(pick: number): void {
    const { source, consumer } = this.#consumers[pick % Math.max(1, this.#consumers.length)] ?? {}
    const message = consumer?.messages.splice(pick % Math.max(1, consumer.messages.length), 1)[0]
    if (consumer === undefined || message === undefined) return
    const outcome =
      pick % 3 === 0 && source === 'queue:work'
        ? ({ kind: 'reject' } as const)
        : ({ kind: 'nack', delayMs: pick % 3 === 1 ? 500 : 0 } as const)
    try {
      consumer.consumer.settle(0, message.offset, message.offset, outcome)
    } catch (error) {
      // Its lease ran out.
      must(error instanceof MillraceError && error.code === 'stale_delivery', String(error))
    }
  }

  #redrive(pick: number): void {
    const source = SOURCES[pick % 2]!
    this.t.broker.redrive({
      source,
      to: SOURCES[pick % 3 === 0 ? 0 : 1],
      ...(pick % 5 === 0 ? { max: 1 + (pick % 4) } : {}),
      ...(pick % 7 === 0 ? { ratePerSecond: 2 } : {}),
      ...(pick % 11 < 3 ? { filter: '"millrace-dead-count" IS NULL' } : {}),
    })
  }

  #redriveOne(pick: number): void {
    const { published } = this.t.broker.queue('dead').counters
    try {
      this.t.broker.redrive({ source: 'queue:dead', to: 'queue:work', offset: pick % (published + 1) })
    } catch (error) {
      must(error instanceof MillraceError && error.code === 'offset_out_of_range', String(error))
    }
  }

  /** Nothing is stuck: whoever consumes gets all that is left. */
  async drain(): Promise<void> {
    const { t } = this
    for (const { id } of t.broker.redrives()) t.broker.cancelRedrive(id)
    for (const { consumer } of this.#consumers) consumer.consumer.close()
    const consumers = SOURCES.map((source) => t.consume(source))
    for (let round = 0; round < 300; round++) {
      await t.advance(20)
      for (const { consumer, messages } of consumers)
        for (const { offset } of messages.splice(0)) consumer.settle(0, offset, offset, { kind: 'ack' })
    }
    for (const { name, ready, inFlight } of t.broker.queues())
      must(ready + inFlight === 0, `${ready} and ${inFlight} messages are stuck in ${name}`)
  }

  async check(): Promise<void> {
    const { t } = this
    await t.settle()
    const readers = SOURCES.map((queue) => t.read(queue, 'earliest'))
    await t.settle()
    const found = readers.flatMap((reader) => reader.values as string[])
    for (const { reader } of readers) reader.close()
    const there = new Set(found)
    must(found.length === there.size, `some message is there twice: ${found.join(' ')}`)
    const lost = [...this.published].filter((value) => !there.has(value) && !this.purgeable.has(value))
    must(lost.length === 0, `lost: ${lost.join(' ')}`)
  }
}
