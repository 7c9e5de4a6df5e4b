/**
 * A random program against one queue with priorities and dead letters, and a model of what must hold: nothing is lost, nothing of a
 * lower level is delivered while something higher could be, and each level is in order. The model only knows what its clients saw.
 */
import { encodeBatch, placesOfRecords, priorityHeader } from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type { Delivery, Outcome } from '../../src/core/broker.ts'
import { TestBroker, TestConsumer } from './harness.ts'

const LEASE_MS = 1000
const encoder = new TextEncoder()

interface ModelMessage {
  readonly name: string
  readonly level: number
  readonly offset: number
  readonly ticket: number
  /** Ticket of the settle that ended it, while that may still be lost. */
  ended: { readonly ticket: number; readonly how: 'acked' | 'dead' } | undefined
  attempts: number
  holder: ModelConsumer | undefined
  heldSinceMs: number
  /** It waits for a delay, or its lease may have ended: it need not be delivered before others. */
  mayWait: boolean
}

class ModelConsumer extends TestConsumer {
  readonly model: PriorityModel
  readonly life: number
  open = true

  constructor(model: PriorityModel, life: number) {
    super()
    this.model = model
    this.life = life
  }

  override deliver(delivery: Delivery): void {
    this.model.delivered(this, delivery)
  }
}

export class PriorityModel {
  readonly test: TestBroker
  readonly log: string[] = []
  readonly maxAttempts: number
  /** By level, in order of their offsets. */
  readonly levels: ModelMessage[][] = []
  deliveries = 0
  #priorities: number
  #changes: { readonly ticket: number; readonly priorities: number }[] = []
  #consumers: ModelConsumer[] = []
  #life = 0
  #names = 0

  private constructor(test: TestBroker, maxAttempts: number, priorities: number) {
    this.test = test
    this.maxAttempts = maxAttempts
    this.#priorities = priorities
    this.#changes.push({ ticket: 0, priorities })
    this.#grow(priorities)
  }

  static async open(seed: number): Promise<PriorityModel> {
    const small = seed % 2 === 0
    const test = await TestBroker.open(
      {
        limits: { stateLogBytesFloor: small ? 2000 : 100_000, inFlightPerConsumerMax: 50 },
        storage: small ? { commitBytesMax: 2000, tailCacheBytes: 3000, indexRunEntries: 4 } : {},
      },
      seed,
    )
    const maxAttempts = 2 + (seed % 5)
    const priorities = 2 + (seed % 4)
    test.broker.createQueue({ name: 'dead', priorities: 256 })
    test.broker.createQueue({ name: 'work', priorities, delivery: { leaseMs: LEASE_MS, maxAttempts, deadLetter: 'queue:dead' } })
    await test.settle()
    return new PriorityModel(test, maxAttempts, priorities)
  }

  get messages(): ModelMessage[] {
    return this.levels.flat()
  }

  // ---- the program --------------------------------------------------------------------------------------------------

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) await this.#step()
    await this.#drain()
  }

  async #step(): Promise<void> {
    const { test } = this
    const dice = test.platform.below(100)
    if (dice < 24) this.#publish(1 + test.platform.below(8))
    else if (dice < 32) this.#join()
    else if (dice < 45) this.#pick()?.consumer.grant(1 + test.platform.below(10))
    else if (dice < 70) this.#settleSome()
    else if (dice < 73) this.#leave()
    else if (dice < 74) this.#update()
    else if (dice < 84) test.platform.runTurn()
    else if (dice < 92) await test.settle()
    else if (dice < 96) await test.advance(1 + test.platform.below(1500))
    else if (dice < 98) await this.#check()
    else await this.#crash(dice === 98)
  }

  #publish(count: number): void {
    const { platform, broker } = this.test
    const same = platform.below(2) === 0
    const first = platform.below(this.#priorities + 2)
    const records = Array.from({ length: count }, () => {
      const priority = same ? first : platform.below(this.#priorities + 2)
      return { name: `m${this.#names++}`, priority, bare: priority === 0 && platform.below(2) === 0 }
    })
    const batch = encodeBatch(
      records.map(({ name, priority, bare }) => ({
        timestampMs: platform.clock.nowMs(),
        value: encoder.encode(name),
        headers: bare ? [] : [priorityHeader(priority)],
      })),
    )
    const destination = broker.destination('queue:work', false)
    const base = destination.publish(-1, batch)
    const places = placesOfRecords(count, destination.placed ?? [{ position: 0, partition: 0, offset: base }], [])
    const ticket = broker.ticket()
    this.#note(`publish ${records.map(({ priority }, n) => `${priority}:${places[n]!.offset}`).join(' ')} in ${ticket}`)
    for (const [n, { name, priority }] of records.entries()) {
      const { partition, offset } = places[n]!
      const level = Math.min(priority, this.#priorities - 1)
      this.#assert(partition === level, `priority ${priority} is level ${partition}`)
      this.#assert(
        offset === this.levels[level]!.length,
        `level ${level} goes on with ${this.levels[level]!.length}, not ${offset}`,
      )
      this.levels[level]!.push({
        name,
        level,
        offset,
        ticket,
        ended: undefined,
        attempts: 0,
        holder: undefined,
        heldSinceMs: 0,
        mayWait: false,
      })
    }
  }

  #join(): void {
    if (this.#consumers.length >= 3) return
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
    for (const message of this.#heldBy(consumer)) this.#handedBack(message, 0)
    consumer.consumer.close()
  }

  #update(): void {
    if (this.#priorities > 6) return
    const priorities = this.#priorities + 1
    this.#note(`${priorities} priorities`)
    this.test.broker.updateQueue('work', { priorities })
    this.#priorities = priorities
    this.#changes.push({ ticket: this.test.broker.ticket(), priorities })
    this.#grow(priorities)
  }

  #settleSome(): void {
    const { platform } = this.test
    const consumer = this.#pick()
    const held = consumer === undefined ? [] : this.#heldBy(consumer)
    if (held.length === 0) return
    const from = platform.below(held.length)
    const dice = platform.below(10)
    const delayMs = dice === 8 ? 1 + platform.below(3000) : 0
    const outcome =
      dice < 6
        ? ({ kind: 'ack' } as const)
        : dice < 9
          ? ({ kind: 'nack', delayMs, error: 'oops', uncounted: platform.below(3) === 0 } as const)
          : ({ kind: 'reject', reason: 'bad' } as const)
    for (const message of held.slice(from, from + 1 + platform.below(6))) this.#settle(consumer!, message, outcome)
  }

  #settle(consumer: ModelConsumer, message: ModelMessage, outcome: Outcome): void {
    const { level, offset } = message
    this.#note(`${outcome.kind} ${level}:${offset}`)
    try {
      consumer.consumer.settle(level, offset, offset, outcome)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      this.#assert(this.#mayHaveLapsed(message), `${level}:${offset} is held`)
      message.holder = undefined
      message.mayWait = true
      return
    }
    const ticket = this.test.broker.ticket()
    if (outcome.kind === 'ack') end(message, ticket, 'acked')
    else if (outcome.kind === 'reject') end(message, ticket, 'dead')
    else {
      if (outcome.uncounted === true) message.attempts--
      this.#handedBack(message, outcome.delayMs ?? 0, outcome.uncounted !== true)
    }
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
    for (const message of this.messages) message.holder = undefined
    await this.#resolve(orderly ? Infinity : committed)
    await this.#check()
  }

  /** After a crash: what was not known to be committed either happened or not. */
  async #resolve(committed: number): Promise<void> {
    const { priorities = 0 } = this.test.broker.queue('work')
    const kept = this.#changes.findLast(({ ticket }) => ticket <= committed)?.priorities ?? 0
    this.#assert(priorities >= kept, `${priorities} are ${kept} priorities at least`)
    this.#priorities = priorities
    this.#changes = [{ ticket: 0, priorities }]
    const { queue, dead } = await this.#browse()
    for (const [level, messages] of this.levels.entries()) {
      const published = this.#end(level)
      while (messages.length > published) {
        const lost = messages.pop()!
        this.#assert(lost.ticket > committed, `${level}:${lost.offset} of commit ${lost.ticket} is lost`)
      }
    }
    for (const message of this.messages) {
      const { ended, name } = message
      if (ended === undefined) continue
      const isKept = ended.how === 'acked' ? !queue.includes(name) && !dead.includes(name) : dead.includes(name)
      if (isKept) continue
      this.#assert(ended.ticket > committed, `${ended.how} of ${name} in commit ${ended.ticket} is lost`)
      message.ended = undefined
    }
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
      for (const message of held) this.#settle(consumer!, message, { kind: 'ack' })
    }
    await this.#check()
    const info = test.broker.queue('work')
    this.#assert(info.ready === 0 && info.inFlight === 0 && info.bytes === 0, `empty at the end: ${JSON.stringify(info)}`)
  }

  // ---- what must hold -----------------------------------------------------------------------------------------------

  delivered(consumer: ModelConsumer, { partition: level, first, last, attempt }: Delivery): void {
    if (consumer.life !== this.#life) return
    this.#note(`  delivered ${level}:${first}..${last} #${attempt}`)
    this.#assert(consumer.open, 'a closed consumer gets nothing')
    const { committedTicket } = this.test.store
    for (let offset = first; offset <= last; offset++) {
      const message = this.levels[level]![offset]
      this.#assert(message !== undefined, `${level}:${offset} was published`)
      this.#assert(message.ticket <= committedTicket, `${level}:${offset} is committed before it is delivered`)
      this.#assert(message.ended === undefined, `${level}:${offset} is not delivered after it was ${message.ended?.how}`)
      this.#assert(message.holder === undefined || this.#mayHaveLapsed(message), `${level}:${offset} is with one consumer only`)
      this.#assert(attempt > message.attempts, `${level}:${offset} was delivered as ${message.attempts}, now as ${attempt}`)
      for (const other of this.levels.slice(level).flat()) {
        const isBefore = other.level > level || other.offset < offset
        const couldGo =
          other.ended === undefined && other.holder === undefined && !other.mayWait && other.ticket <= committedTicket
        this.#assert(!(isBefore && couldGo), `${other.level}:${other.offset} comes before ${level}:${offset}`)
      }
      message.attempts = attempt
      message.holder = consumer
      message.heldSinceMs = this.test.platform.clock.monotonicMs()
      message.mayWait = false
      this.deliveries++
    }
  }

  async #check(): Promise<void> {
    const { test } = this
    await test.settle()
    const { queue, dead } = await this.#browse()
    const info = test.broker.queue('work')
    const waiting = info.ready + info.inFlight
    this.#assert(waiting === queue.length, `${waiting} wait, ${queue.length} are shown`)
    const byLevel = (info.levels ?? []).reduce((sum, { ready, inFlight }) => sum + ready + inFlight, 0)
    this.#assert(byLevel === waiting, `${byLevel} wait at the levels, ${waiting} in all`)
    this.#assert(new Set(dead).size === dead.length, 'a message dies once')
    for (const message of this.messages) {
      const { name } = message
      const places = [queue.includes(name) ? 'waiting' : '', dead.includes(name) ? 'dead' : ''].filter(Boolean)
      const expected = message.ended === undefined ? 'waiting' : message.ended.how
      const found = places.length === 0 ? 'acked' : places.join(' and ')
      // A message that had its last attempt may be dead by now.
      if (expected === 'waiting' && found === 'dead' && message.attempts >= this.maxAttempts) {
        end(message, test.broker.committedTicket, 'dead')
        continue
      }
      this.#assert(found === expected, `${name} is ${found}, not ${expected}`)
    }
  }

  /** What is shown of the queue, highest first, and of its dead letters. */
  async #browse(): Promise<{ queue: (string | null)[]; dead: (string | null)[] }> {
    const queue = new TestConsumer()
    const dead = new TestConsumer()
    const readers = [
      this.test.broker.read('queue:work', { from: 'earliest' }, queue),
      this.test.broker.read('queue:dead', { from: 'earliest' }, dead),
    ]
    for (const reader of readers) reader.grant(Infinity)
    await this.test.settle()
    this.#assert(
      readers.every(({ atEnd }) => atEnd),
      'all can be read',
    )
    for (const reader of readers) reader.close()
    const places = queue.messages.map(({ partition, offset }) => [partition, offset] as const)
    const isSorted = places.every(([level, offset], n) => {
      const [before, at] = places[n - 1] ?? [Infinity, -1]
      return level < before || (level === before && offset > at)
    })
    this.#assert(isSorted, `browsing shows the highest first: ${places.join(' ')}`)
    return { queue: queue.values, dead: dead.values }
  }

  // ---- bookkeeping --------------------------------------------------------------------------------------------------

  #grow(priorities: number): void {
    while (this.levels.length < priorities) this.levels.push([])
  }

  /** Messages of a level that were ever committed. */
  #end(level: number): number {
    const { broker } = this.test
    if (!broker.partitions('queue:work').includes(level)) return 0
    for (let next = this.levels[level]!.length; ; next--) {
      try {
        broker.read('queue:work', { from: { offset: next }, partition: level }, new TestConsumer()).close()
        return next
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'offset_out_of_range') throw error
      }
    }
  }

  #mayHaveLapsed(message: ModelMessage): boolean {
    return this.test.platform.clock.monotonicMs() >= message.heldSinceMs + LEASE_MS
  }

  #pick(): ModelConsumer | undefined {
    return this.#consumers[this.test.platform.below(Math.max(1, this.#consumers.length))]
  }

  #heldBy(consumer: ModelConsumer): ModelMessage[] {
    return this.messages.filter((message) => message.holder === consumer)
  }

  #handedBack(message: ModelMessage, delayMs: number, counted = true): void {
    message.holder = undefined
    if (counted && message.attempts >= this.maxAttempts) end(message, this.test.broker.ticket(), 'dead')
    else message.mayWait = delayMs > 0
  }

  #note(what: string): void {
    this.log.push(what)
  }

  #assert(condition: unknown, what: string): asserts condition {
    if (condition) return
    throw new Error(`${what}\n${this.log.slice(-40).join('\n')}`)
  }
}

function end(message: ModelMessage, ticket: number, how: 'acked' | 'dead'): void {
  message.ended = { ticket, how }
  message.holder = undefined
}
