/**
 * A random program against a queue with order by key, and what must hold: of the messages with one key, one at a time is with a
 * consumer, and none is handed out while an earlier one of its key is neither acked nor dead. Nothing is lost.
 */
import { decodeBatch } from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type { Delivery } from '../../src/core/broker.ts'
import { TestBroker, TestConsumer } from './harness.ts'

const KEYS = ['a', 'b', 'c', null] as const

interface Entry {
  readonly offset: number
  readonly key: string | null
  readonly ticket: number
  holder: Watcher | undefined
  /** Ticket of what ended it. */
  endedIn: number | undefined
}

class Watcher extends TestConsumer {
  readonly #model: KeyOrderModel
  constructor(model: KeyOrderModel) {
    super()
    this.#model = model
  }

  override deliver(delivery: Delivery): void {
    this.#model.delivered(this, delivery)
  }
}

export class KeyOrderModel {
  readonly log: string[] = []
  readonly #test: TestBroker
  #entries: Entry[] = []
  #consumers: Watcher[] = []

  private constructor(test: TestBroker) {
    this.#test = test
  }

  static async run(seed: number, steps: number): Promise<void> {
    const small = seed % 2 === 0 ? { storage: { commitBytesMax: 2000, tailCacheBytes: 3000 } } : {}
    const test = await TestBroker.open({ limits: { stateLogBytesFloor: seed % 3 === 0 ? 2000 : 100_000 }, ...small }, seed)
    test.broker.createQueue({ name: 'dead' })
    const backoff = { kind: 'exponential', initialMs: 50, maxMs: 2000, jitter: 0.5 } as const
    const delivery = { leaseMs: 1000, deadLetter: 'queue:dead', order: 'key', backoff } as const
    test.broker.createQueue({ name: 'work', delivery })
    await test.settle()
    const model = new KeyOrderModel(test)
    for (let step = 0; step < steps; step++) await model.#step()
    await model.#drain()
  }

  delivered(consumer: Watcher, { batch, baseOffset, first, last, attempt }: Delivery): void {
    if (!this.#consumers.includes(consumer)) return
    for (const record of decodeBatch(batch, baseOffset, first, last)) {
      const entry = this.#entries[record.offset]!
      this.log.push(`  ${record.offset} (${entry.key}) #${attempt}`)
      this.#assert(entry.endedIn === undefined, `${record.offset} is not over`)
      entry.holder = consumer
      if (entry.key === null) continue
      for (const earlier of this.#entries) {
        if (earlier.offset >= entry.offset) break
        if (earlier.key !== entry.key || earlier.endedIn !== undefined) continue
        this.#assert(false, `${earlier.offset} of key ${entry.key} is not over, but ${entry.offset} is handed out`)
      }
    }
  }

  async #step(): Promise<void> {
    const { platform } = this.#test
    const dice = platform.below(100)
    if (dice < 25) this.#publish(1 + platform.below(6))
    else if (dice < 32) this.#join()
    else if (dice < 65) this.#settleOne()
    else if (dice < 68) this.#leave()
    else if (dice < 80) platform.runTurn()
    else if (dice < 90) await this.#test.settle()
    else if (dice < 96) await this.#advance(1 + platform.below(900))
    else await this.#stop(dice < 98)
  }

  #publish(count: number): void {
    const records = Array.from({ length: count }, () => [KEYS[this.#test.platform.below(KEYS.length)]!, 'm'] as const)
    const base = this.#test.publishKeyed('queue:work', 0, records)
    this.#assert(base === this.#entries.length, 'offsets are dense')
    const ticket = this.#test.broker.ticket()
    this.log.push(`publish ${records.map(([key]) => key).join()} at ${base}`)
    records.forEach(([key], n) => this.#entries.push({ offset: base + n, key, ticket, holder: undefined, endedIn: undefined }))
  }

  #join(): void {
    if (this.#consumers.length === 3) return
    const consumer = new Watcher(this)
    consumer.consumer = this.#test.broker.consume('queue:work', {}, consumer)
    this.#consumers.push(consumer)
    consumer.consumer.grant(1 + this.#test.platform.below(30))
  }

  #leave(): void {
    const consumer = this.#consumers.pop()
    if (consumer === undefined) return
    this.log.push('leave')
    for (const entry of this.#entries) if (entry.holder === consumer) entry.holder = undefined
    consumer.consumer.close()
  }

  #settleOne(): void {
    const held = this.#entries.filter((entry) => entry.holder !== undefined)
    const { platform } = this.#test
    const entry = held[platform.below(Math.max(1, held.length))]
    if (entry === undefined) return
    const { consumer } = entry.holder!
    const dice = platform.below(10)
    consumer.grant(1)
    entry.holder = undefined
    const kind = dice < 6 ? 'ack' : dice < 9 ? 'nack' : 'reject'
    this.log.push(`${kind} ${entry.offset}`)
    try {
      if (kind === 'nack') consumer.settle(0, entry.offset, entry.offset, dice === 8 ? { kind, delayMs: 0 } : { kind })
      else {
        // Before the call: the next of its key may come within it.
        entry.endedIn = this.#test.broker.ticket()
        consumer.settle(0, entry.offset, entry.offset, { kind })
      }
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      this.log.push('  its lease had run out')
      entry.endedIn = undefined
    }
  }

  async #advance(ms: number): Promise<void> {
    this.log.push(`advance ${ms}`)
    await this.#test.advance(ms)
  }

  async #stop(orderly: boolean): Promise<void> {
    this.log.push(orderly ? 'restart' : 'crash')
    const committed = this.#test.broker.committedTicket
    this.#consumers = []
    for (const entry of this.#entries) entry.holder = undefined
    await (orderly ? this.#test.restart() : this.#test.crash())
    const { published } = this.#test.broker.queue('work').counters
    this.#assert(
      this.#entries.slice(published).every((entry) => entry.ticket > committed),
      'what was committed is there',
    )
    this.#entries = this.#entries.slice(0, published)
    // What was not committed may have happened or not: the model cannot tell here, and forgets that it ended.
    for (const entry of this.#entries) if ((entry.endedIn ?? 0) > committed && !orderly) entry.endedIn = undefined
    await this.#learn()
  }

  /** Which messages are still there. */
  async #learn(): Promise<void> {
    const reader = this.#test.read('queue:work', 'earliest')
    await this.#test.settle()
    const there = new Set(reader.messages.map((message) => message.offset))
    reader.reader.close()
    for (const entry of this.#entries) {
      if (entry.endedIn === undefined && !there.has(entry.offset)) entry.endedIn = 0
      if (entry.endedIn !== undefined && there.has(entry.offset)) entry.endedIn = undefined
    }
  }

  async #drain(): Promise<void> {
    while (this.#consumers.length > 0) this.#leave()
    this.#join()
    for (let round = 0; round < 3000; round++) {
      this.#consumers[0]!.consumer.grant(10)
      await this.#test.advance(50)
      const held = this.#entries.filter((entry) => entry.holder !== undefined)
      for (const entry of held) {
        entry.endedIn = this.#test.broker.ticket()
        entry.holder!.consumer.settle(0, entry.offset, entry.offset, { kind: 'ack' })
        entry.holder = undefined
      }
      if (held.length === 0 && this.#test.broker.queue('work').ready === 0) break
    }
    const info = this.#test.broker.queue('work')
    this.#assert(info.ready === 0 && info.inFlight === 0, `all are done: ${JSON.stringify(info)}`)
  }

  #assert(holds: boolean, what: string): void {
    if (!holds) throw new Error(`${what}\n${this.log.slice(-40).join('\n')}`)
  }
}
