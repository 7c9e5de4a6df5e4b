/**
 * A random program against one queue with dead letters, and a model of what must hold. The model only knows what its
 * clients saw: publishes and settles with their tickets, and deliveries.
 */
import { encodeBatch, encodeText, retryHeader, RETRY_HEADER, type HeaderToWrite, type RetryPolicy } from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type { Delivery, Outcome } from '../../src/core/broker.ts'
import { TestBroker, TestConsumer } from './harness.ts'

const LEASE_MS = 1000

interface ModelMessage {
  readonly offset: number
  readonly ticket: number
  /** Its own policy. */
  readonly retry: RetryPolicy
  /** Ticket of the settle that ended it, while that may still be lost. */
  ended: { readonly ticket: number; readonly how: 'acked' | 'dead' } | undefined
  attempts: number
  holder: ModelConsumer | undefined
  heldSinceMs: number
  /** Whether it may be waiting for a delay, or have been given up by its holder: it need not be delivered before others. */
  mayWait: boolean
  /** Not before that time, unless what said so is lost. */
  waitsUntil: { readonly ms: number; readonly ticket: number } | undefined
}

class ModelConsumer extends TestConsumer {
  readonly model: QueueModel
  readonly life: number
  open = true

  constructor(model: QueueModel, life: number) {
    super()
    this.model = model
    this.life = life
  }

  override deliver(delivery: Delivery): void {
    this.model.delivered(this, delivery)
  }
}

export class QueueModel {
  readonly test: TestBroker
  readonly messages: ModelMessage[] = []
  readonly log: string[] = []
  readonly maxAttempts: number
  #consumers: ModelConsumer[] = []
  #life = 0
  #firsts = -1

  constructor(test: TestBroker, maxAttempts: number) {
    this.test = test
    this.maxAttempts = maxAttempts
  }

  static async open(seed: number): Promise<QueueModel> {
    const small = seed % 2 === 0
    const test = await TestBroker.open(
      {
        limits: { stateLogBytesFloor: small ? 2000 : 100_000, inFlightPerConsumerMax: 50 },
        storage: small ? { commitBytesMax: 2000, tailCacheBytes: 3000, indexRunEntries: 4 } : {},
      },
      seed,
    )
    const maxAttempts = 2 + (seed % 5)
    test.broker.createQueue({ name: 'work', delivery: { leaseMs: LEASE_MS, maxAttempts, deadLetter: 'queue:dead' } })
    await test.settle()
    return new QueueModel(test, maxAttempts)
  }

  // ---- the program --------------------------------------------------------------------------------------------------

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) await this.#step()
    await this.#drain()
  }

  async #step(): Promise<void> {
    const { test } = this
    const dice = test.platform.below(100)
    if (dice < 22) this.#publish(1 + test.platform.below(8))
    else if (dice < 30) this.#join()
    else if (dice < 42) this.#pick()?.consumer.grant(1 + test.platform.below(10))
    else if (dice < 70) this.#settleSome()
    else if (dice < 73) this.#leave()
    else if (dice < 75) this.#extend()
    else if (dice < 84) test.platform.runTurn()
    else if (dice < 92) await test.settle()
    else if (dice < 96) await this.#advance(1 + test.platform.below(1500))
    else if (dice < 98) await this.#check()
    else await this.#crash(dice === 98)
  }

  #publish(count: number): void {
    const first = this.messages.length
    const policies = Array.from({ length: count }, () => this.#anyPolicy())
    const timestampMs = this.test.platform.clock.nowMs()
    const records = policies.map((retry, n) => ({
      timestampMs,
      value: encodeText(`m${first + n}`),
      headers: this.#headersFor(retry),
    }))
    const base = this.test.broker.destination('queue:work', true).publish(-1, encodeBatch(records))
    this.#note(`publish ${base}..${base + count - 1} ${JSON.stringify(policies)}`)
    this.#assert(base === first, `offset ${base} is ${first}`)
    const ticket = this.test.broker.ticket()
    for (let n = 0; n < count; n++) {
      this.messages.push({
        offset: base + n,
        ticket,
        retry: policies[n]!,
        ended: undefined,
        attempts: 0,
        holder: undefined,
        heldSinceMs: 0,
        mayWait: false,
        waitsUntil: undefined,
      })
    }
  }

  /** Neighbours often have the same one. */
  #anyPolicy(): RetryPolicy {
    const dice = this.test.platform.below(6)
    if (dice === 0) return { maxAttempts: 1 + this.test.platform.below(8) }
    if (dice === 1) return { maxAttempts: 2, backoff: { kind: 'fixed', initialMs: 500 } }
    if (dice === 2)
      return { backoff: { kind: 'exponential', initialMs: 1 + this.test.platform.below(300), jitter: 0.5, maxMs: 2000 } }
    return {}
  }

  /** Sometimes what is no policy. */
  #headersFor(retry: RetryPolicy): HeaderToWrite[] {
    const header = retryHeader(retry)
    if (header !== undefined) return [header]
    return this.test.platform.below(4) === 0 ? [{ key: RETRY_HEADER, value: '{"maxAttempts":"many"}' }] : []
  }

  #join(): void {
    if (this.#consumers.length >= 4) return
    const consumer = new ModelConsumer(this, this.#life)
    consumer.consumer = this.test.broker.consume('queue:work', {}, consumer)
    this.#consumers.push(consumer)
    this.#note('join')
    consumer.consumer.grant(1 + this.test.platform.below(20))
  }

  #leave(): void {
    const consumer = this.#pick()
    if (consumer === undefined) return
    this.#note('leave')
    this.#consumers.splice(this.#consumers.indexOf(consumer), 1)
    consumer.open = false
    for (const message of this.#heldBy(consumer)) {
      this.#handedBack(message, 0)
      if (this.#mayHaveBackedOff(message)) message.mayWait = true
    }
    consumer.consumer.close()
  }

  #settleSome(): void {
    const { platform } = this.test
    const consumer = this.#pick()
    if (consumer === undefined) return
    const held = this.#heldBy(consumer)
    if (held.length === 0) return
    const from = platform.below(held.length)
    const run = held.slice(from, from + 1 + platform.below(10)).filter((message, n, all) => message.offset === all[0]!.offset + n)
    const first = run[0]!.offset
    const last = run.at(-1)!.offset
    const dice = platform.below(10)
    const delayMs = dice === 8 ? 1 + platform.below(3000) : dice === 7 ? undefined : 0
    const outcome =
      dice < 6
        ? ({ kind: 'ack' } as const)
        : dice < 9
          ? ({
              kind: 'nack',
              ...(delayMs === undefined ? {} : { delayMs }),
              error: 'oops',
              uncounted: platform.below(3) === 0,
            } as const)
          : ({ kind: 'reject', reason: 'bad' } as const)
    this.#note(`${outcome.kind} ${first}..${last} delay ${delayMs}`)
    if (run.some((message) => this.#mayHaveLapsed(message))) {
      for (const message of run) this.#settle(consumer, message.offset, message.offset, outcome, [message])
    } else this.#settle(consumer, first, last, outcome, run)
  }

  #extend(): void {
    const consumer = this.#pick()
    const held = consumer === undefined ? [] : this.#heldBy(consumer)
    const message = held[this.test.platform.below(Math.max(1, held.length))]
    if (message === undefined || this.#mayHaveLapsed(message)) return
    this.#note(`extend ${message.offset}`)
    consumer!.consumer.extend(0, message.offset, message.offset)
    message.heldSinceMs = this.test.platform.clock.monotonicMs()
  }

  #settle(consumer: ModelConsumer, first: number, last: number, outcome: Outcome, run: readonly ModelMessage[]): void {
    try {
      consumer.consumer.settle(0, first, last, outcome)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      this.#assert(run.length === 1 && this.#mayHaveLapsed(run[0]!), `${first}..${last} are held`)
      this.#note('  lapsed')
      this.#lapsed(run[0]!)
      return
    }
    const ticket = this.test.broker.ticket()
    for (const message of run) {
      if (outcome.kind === 'ack') this.#end(message, ticket, 'acked')
      else if (outcome.kind === 'reject') this.#end(message, ticket, 'dead')
      else {
        if (outcome.uncounted === true) message.attempts--
        const isCounted = outcome.uncounted !== true
        const backoffMs = isCounted ? (message.retry.backoff?.initialMs ?? 0) : 0
        this.#handedBack(message, outcome.delayMs ?? backoffMs, isCounted)
      }
    }
  }

  async #advance(ms: number): Promise<void> {
    this.#note(`advance ${ms}`)
    await this.test.advance(ms)
  }

  async #crash(orderly: boolean): Promise<void> {
    const { test } = this
    const committed = test.broker.committedTicket
    this.#note(orderly ? 'restart' : `crash at ${committed}`)
    for (const consumer of this.#consumers) consumer.open = false
    this.#consumers = []
    this.#life++
    if (orderly) await test.restart()
    else await test.crash()
    for (const message of this.messages) {
      if (message.holder !== undefined && this.#mayHaveBackedOff(message)) message.mayWait = true
      message.holder = undefined
      if (message.waitsUntil !== undefined && message.waitsUntil.ticket > committed && !orderly) message.waitsUntil = undefined
    }
    await this.#resolve(orderly ? Infinity : committed)
    await this.#check()
  }

  /** After a crash: what was not known to be committed either happened or not. */
  async #resolve(committed: number): Promise<void> {
    const { queue, dead } = await this.#browse()
    const { published } = this.test.broker.queue('work').counters
    while (this.messages.length > published) {
      const lost = this.messages.pop()!
      this.#assert(
        lost.ticket > committed,
        `publish of ${lost.offset} in commit ${lost.ticket} is lost, ${committed} was committed`,
      )
    }
    for (const message of this.messages) {
      const isThere = queue.has(`m${message.offset}`)
      const isDead = dead.includes(`m${message.offset}`)
      const { ended } = message
      if (ended === undefined) continue
      const isKept = ended.how === 'acked' ? !isThere && !isDead : isDead
      if (isKept) continue
      this.#assert(
        ended.ticket > committed,
        `${ended.how} of ${message.offset} in commit ${ended.ticket} is lost, ${committed} was committed`,
      )
      message.ended = undefined
    }
    this.#firsts = this.messages.length === 0 ? -1 : Math.min(this.#firsts, this.messages.length - 1)
  }

  async #drain(): Promise<void> {
    const { test } = this
    while (this.#consumers.length > 0) this.#leave()
    await test.advance(5000)
    this.#join()
    const [consumer] = this.#consumers
    for (let rounds = 0; rounds < 1000; rounds++) {
      consumer!.consumer.grant(50)
      await test.settle()
      const held = this.#heldBy(consumer!)
      if (held.length === 0) break
      for (const message of held) {
        consumer!.consumer.settle(0, message.offset, message.offset, { kind: 'ack' })
        this.#end(message, test.broker.ticket(), 'acked')
      }
    }
    await test.settle()
    await this.#check()
    const info = test.broker.queue('work')
    this.#assert(info.ready === 0 && info.inFlight === 0 && info.bytes === 0, `empty at the end: ${JSON.stringify(info)}`)
  }

  // ---- what must hold -----------------------------------------------------------------------------------------------

  delivered(consumer: ModelConsumer, delivery: Delivery): void {
    if (consumer.life !== this.#life) return
    this.#note(`  delivered ${delivery.first}..${delivery.last} #${delivery.attempt}`)
    this.#assert(consumer.open, 'a closed consumer gets nothing')
    for (let offset = delivery.first; offset <= delivery.last; offset++) {
      const message = this.messages[offset]
      this.#assert(message !== undefined, `${offset} was published`)
      this.#assert(message.ticket <= this.test.store.committedTicket, `${offset} is committed before it is delivered`)
      this.#assert(message.ended === undefined, `${offset} is not delivered after it was ${message.ended?.how}`)
      this.#assert(message.holder === undefined || this.#mayHaveLapsed(message), `${offset} is with one consumer only`)
      this.#assert(
        delivery.attempt > message.attempts,
        `${offset} was delivered as ${message.attempts}, now as ${delivery.attempt}`,
      )
      if (message.attempts === 0 && offset > this.#firsts) this.#firsts = offset
      for (let lower = Math.max(0, offset - 20); lower < offset; lower++) {
        const before = this.messages[lower]!
        const mustComeFirst = before.ended === undefined && before.holder === undefined && !before.mayWait
        this.#assert(!mustComeFirst, `${lower} comes before ${offset}`)
      }
      const { waitsUntil } = message
      this.#assert(this.test.platform.clock.nowMs() >= (waitsUntil?.ms ?? 0), `${offset} waits until ${waitsUntil?.ms}`)
      message.waitsUntil = undefined
      message.attempts = delivery.attempt
      message.holder = consumer
      message.heldSinceMs = this.test.platform.clock.monotonicMs()
      message.mayWait = false
    }
  }

  async #check(): Promise<void> {
    const { test } = this
    await test.settle()
    const { queue, dead } = await this.#browse()
    const info = test.broker.queue('work')
    const waiting = info.ready + info.inFlight
    this.#assert(waiting === queue.size, `${waiting} wait, ${queue.size} are shown`)
    this.#assert(new Set(dead).size === dead.length, 'a message dies once')
    for (const message of this.messages) {
      const value = `m${message.offset}`
      const places = [queue.has(value) ? 'waiting' : '', dead.includes(value) ? 'dead' : ''].filter(Boolean)
      const expected = message.ended === undefined ? 'waiting' : message.ended.how
      const found = places.length === 0 ? 'acked' : places.join(' and ')
      // A message that had its last attempt may be dead by now.
      if (expected === 'waiting' && found === 'dead' && message.attempts >= this.#maxAttemptsOf(message)) {
        this.#end(message, test.broker.committedTicket, 'dead')
        continue
      }
      this.#assert(found === expected, `${value} is ${found}, not ${expected}`)
    }
  }

  async #browse(): Promise<{ queue: Set<string | null>; dead: (string | null)[] }> {
    const queue = this.test.read('queue:work', 'earliest')
    this.test.broker.destination('queue:dead', true)
    const dead = this.test.read('queue:dead', 'earliest')
    await this.test.settle()
    this.#assert(queue.reader.atEnd && dead.reader.atEnd, `all can be read: ${queue.reason?.message ?? dead.reason?.message}`)
    queue.reader.close()
    dead.reader.close()
    return { queue: new Set(queue.values), dead: dead.values }
  }

  // ---- bookkeeping --------------------------------------------------------------------------------------------------

  #mayHaveLapsed(message: ModelMessage): boolean {
    return this.test.platform.clock.monotonicMs() >= message.heldSinceMs + LEASE_MS
  }

  /** Its lease may have run out, and its backoff have begun. */
  #mayHaveBackedOff(message: ModelMessage): boolean {
    return message.retry.backoff !== undefined && this.#mayHaveLapsed(message)
  }

  #pick(): ModelConsumer | undefined {
    return this.#consumers[this.test.platform.below(Math.max(1, this.#consumers.length))]
  }

  #heldBy(consumer: ModelConsumer): ModelMessage[] {
    return this.messages.filter((message) => message.holder === consumer)
  }

  #end(message: ModelMessage, ticket: number, how: 'acked' | 'dead'): void {
    message.ended = { ticket, how }
    message.holder = undefined
  }

  #handedBack(message: ModelMessage, delayMs: number, counted = true): void {
    message.holder = undefined
    if (counted && message.attempts >= this.#maxAttemptsOf(message)) this.#end(message, this.test.broker.ticket(), 'dead')
    else message.mayWait = delayMs > 0
    if (message.ended !== undefined || delayMs === 0) return
    // A clock that was read a moment ago, and what chance may take off.
    const ms = this.test.platform.clock.nowMs() + delayMs * (1 - (message.retry.backoff?.jitter ?? 0)) - 1
    message.waitsUntil = { ms, ticket: this.test.broker.ticket() }
  }

  #maxAttemptsOf({ retry }: ModelMessage): number {
    return retry.maxAttempts ?? this.maxAttempts
  }

  #lapsed(message: ModelMessage): void {
    message.holder = undefined
    message.mayWait = true
  }

  #note(what: string): void {
    this.log.push(what)
  }

  #assert(condition: unknown, what: string): asserts condition {
    if (condition) return
    throw new Error(`${what}\n${this.log.slice(-40).join('\n')}`)
  }
}
