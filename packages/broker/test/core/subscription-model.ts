/**
 * A random program against the subscriptions of a topic that grows, forgets and is compacted, and a model of what must hold.
 * The model knows what its clients saw, and reads the topic to learn what retention and compaction took away.
 */
import { decodeBatch } from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type { Delivery, Outcome, TopicSpec } from '../../src/core/broker.ts'
import { headersOf, type Message, TestBroker, TestConsumer } from './harness.ts'

const LEASE_MS = 1000
const SUBSCRIPTIONS = ['left', 'right'] as const
const PARTITIONS_MAX = 4
const KEYS = 6
/** Long enough for a round of retention and of compaction. */
const ROUND_MS = 11 * 60_000
const decoder = new TextDecoder()

interface Published {
  readonly ticket: number
  readonly key: string
  readonly value: string
  readonly timestampMs: number
}

/** What one subscription knows of one message. */
interface Slot {
  readonly partition: number
  readonly offset: number
  attempts: number
  holder: ModelConsumer | undefined
  heldSinceMs: number
  /** Whether it may be waiting for a delay, or have been given up by its holder. */
  mayWait: boolean
  /** `isSure` is false after a crash that may have undone it. */
  end: { readonly how: 'acked' | 'dead'; readonly ticket: number; isSure: boolean } | undefined
}

class ModelConsumer extends TestConsumer {
  readonly model: SubscriptionModel
  readonly subscription: number
  /** Of the broker. */
  readonly life: number
  isOpen = true

  constructor(model: SubscriptionModel, subscription: number) {
    super()
    this.model = model
    this.subscription = subscription
    this.life = model.seen.crashes
  }

  override deliver(delivery: Delivery): void {
    this.model.delivered(this, delivery)
  }
}

export class SubscriptionModel {
  readonly test: TestBroker
  readonly topic: TopicSpec
  readonly log: string[] = []
  /** How often things happened that the program is there for. */
  readonly seen = { crashes: 0, dead: 0, removed: 0, redelivered: 0 }
  readonly #maxAttempts: number
  /** By partition. */
  #published: Published[][]
  /** By subscription, by partition. */
  #slots: Slot[][][]
  #consumers: ModelConsumer[] = []

  private constructor(test: TestBroker, topic: TopicSpec, maxAttempts: number) {
    this.test = test
    this.topic = topic
    this.#maxAttempts = maxAttempts
    this.#published = Array.from({ length: topic.partitions! }, () => [])
    this.#slots = SUBSCRIPTIONS.map(() => this.#published.map(() => []))
  }

  static async open(seed: number): Promise<SubscriptionModel> {
    const isSmall = seed % 2 === 0
    const test = await TestBroker.open(
      {
        limits: { stateLogBytesFloor: isSmall ? 2000 : 100_000, inFlightPerConsumerMax: 50 },
        storage: isSmall ? { commitBytesMax: 2000, tailCacheBytes: 3000, indexRunEntries: 4 } : {},
      },
      seed,
    )
    const retention = [{}, { records: 30 }, { ms: 300_000 }][seed % 3]!
    const topic: TopicSpec = {
      name: 'log',
      partitions: 1 + (seed % PARTITIONS_MAX),
      retention,
      cleanup: seed % 5 < 2 ? 'compact' : 'delete',
    }
    const maxAttempts = 2 + (seed % 4)
    test.broker.createTopic(topic)
    test.broker.createQueue({ name: 'dead' })
    const delivery = { leaseMs: LEASE_MS, maxAttempts, deadLetter: 'queue:dead' }
    for (const name of SUBSCRIPTIONS) test.broker.createSubscription({ topic: 'log', name, from: 'earliest', delivery })
    await test.settle()
    return new SubscriptionModel(test, topic, maxAttempts)
  }

  // ---- the program --------------------------------------------------------------------------------------------------

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) await this.#step()
    await this.#drain()
  }

  async #step(): Promise<void> {
    const { platform } = this.test
    const dice = platform.below(200)
    if (dice < 44) this.#publish(1 + platform.below(8))
    else if (dice < 60) this.#join(platform.below(SUBSCRIPTIONS.length))
    else if (dice < 84) this.#pick()?.consumer.grant(1 + platform.below(10))
    else if (dice < 144) this.#settleSome()
    else if (dice < 150) this.#leave(this.#pick())
    else if (dice < 168) platform.runTurn()
    else if (dice < 182) await this.test.settle()
    else if (dice < 190) await this.#advance(1 + platform.below(1500))
    else if (dice < 193) await this.#round()
    else if (dice < 194) await this.#check()
    else if (dice < 195) this.#grow()
    else await this.#crash(dice === 195)
  }

  #publish(count: number): void {
    const { platform, broker } = this.test
    const partition = platform.below(this.#published.length)
    const log = this.#published[partition]!
    const timestampMs = platform.clock.nowMs()
    const records = Array.from(
      { length: count },
      (_, n) => [`k${platform.below(KEYS)}`, `m${partition}/${log.length + n}`] as const,
    )
    const base = this.test.publishKeyed('topic:log', partition, records)
    this.#note(`publish ${partition}/${base}..${base + count - 1}`)
    this.#assert(base === log.length, `offset ${base} of partition ${partition} is ${log.length}`)
    for (const [key, value] of records) {
      for (const slots of this.#slots) slots[partition]!.push(newSlot(partition, log.length))
      log.push({ ticket: broker.ticket(), key, value, timestampMs })
    }
  }

  #grow(): void {
    if (this.#published.length === PARTITIONS_MAX) return
    this.#note('grow')
    this.test.broker.updateTopic('log', { partitions: this.#published.length + 1 })
    this.#published.push([])
    for (const slots of this.#slots) slots.push([])
  }

  #join(subscription: number): void {
    if (this.#consumers.length >= 5) return
    const consumer = new ModelConsumer(this, subscription)
    consumer.consumer = this.test.broker.consume(`topic:log/${SUBSCRIPTIONS[subscription]}`, {}, consumer)
    this.#consumers.push(consumer)
    this.#note(`join ${SUBSCRIPTIONS[subscription]}`)
    consumer.consumer.grant(1 + this.test.platform.below(20))
  }

  #leave(consumer: ModelConsumer | undefined): void {
    if (consumer === undefined) return
    this.#note('leave')
    this.#consumers.splice(this.#consumers.indexOf(consumer), 1)
    consumer.isOpen = false
    for (const slot of this.#heldBy(consumer)) this.#handedBack(slot, 0, true)
    consumer.consumer.close()
  }

  #settleSome(): void {
    const { platform } = this.test
    const consumer = this.#pick()
    const held = consumer === undefined ? [] : this.#heldBy(consumer)
    if (held.length === 0) return
    const from = platform.below(held.length)
    const { partition, offset } = held[from]!
    const run = held
      .slice(from, from + 1 + platform.below(10))
      .filter((slot, n) => slot.partition === partition && slot.offset === offset + n)
    const outcome = this.#outcome()
    this.#note(`${outcome.kind} ${partition}/${offset}..${run.at(-1)!.offset}`)
    const mayBeStale = run.some((slot) => this.#mayHaveLapsed(slot))
    for (const part of mayBeStale ? run.map((slot) => [slot]) : [run]) this.#settle(consumer!, part, outcome)
  }

  #outcome(): Outcome {
    const { platform } = this.test
    const dice = platform.below(10)
    if (dice < 6) return { kind: 'ack' }
    if (dice === 9) return { kind: 'reject', reason: 'bad' }
    return { kind: 'nack', delayMs: dice === 8 ? 1 + platform.below(3000) : 0, uncounted: platform.below(3) === 0 }
  }

  #settle(consumer: ModelConsumer, run: readonly Slot[], outcome: Outcome): void {
    const { partition, offset } = run[0]!
    try {
      consumer.consumer.settle(partition, offset, run.at(-1)!.offset, outcome)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      this.#assert(run.length === 1 && this.#mayHaveLapsed(run[0]!), `${partition}/${offset} is held`)
      run[0]!.holder = undefined
      run[0]!.mayWait = true
      return
    }
    for (const slot of run) {
      if (outcome.kind === 'ack') this.#end(slot, 'acked')
      else if (outcome.kind === 'reject') this.#end(slot, 'dead')
      else {
        if (outcome.uncounted === true) slot.attempts--
        this.#handedBack(slot, outcome.delayMs ?? 0, outcome.uncounted !== true)
      }
    }
  }

  async #advance(ms: number): Promise<void> {
    this.#note(`advance ${ms}`)
    await this.test.advance(ms)
  }

  /** What is removed must have been in excess just then. */
  async #round(): Promise<void> {
    await this.#advance(ROUND_MS)
    await this.#check()
  }

  async #crash(isOrderly: boolean): Promise<void> {
    const { test } = this
    const committed = isOrderly ? Infinity : test.broker.committedTicket
    this.#note(isOrderly ? 'restart' : `crash at ${committed}`)
    this.seen.crashes++
    for (const consumer of this.#consumers) consumer.isOpen = false
    this.#consumers = []
    if (isOrderly) await test.restart()
    else await test.crash()
    this.#resolve(committed)
    await this.#check()
  }

  /** What was not known to be committed happened or not: of messages the topic tells at once, of settles only the next delivery. */
  #resolve(committed: number): void {
    const { partitionInfo } = this.test.broker.topic('log')
    for (const [partition, log] of this.#published.entries()) {
      const end = partitionInfo[partition]?.end ?? 0
      for (const lost of log.splice(end))
        this.#assert(lost.ticket > committed, `${lost.value} of commit ${lost.ticket} is lost, ${committed} was committed`)
      for (const slots of this.#slots) slots[partition]!.length = log.length
    }
    this.#published.length = partitionInfo.length
    for (const slots of this.#slots) slots.length = partitionInfo.length
    for (const slot of this.#slots.flat(2)) {
      slot.holder = undefined
      if (slot.end !== undefined && slot.end.ticket > committed) slot.end.isSure = false
    }
  }

  async #drain(): Promise<void> {
    const { test } = this
    while (this.#consumers.length > 0) this.#leave(this.#pick())
    await test.advance(5000)
    for (const n of SUBSCRIPTIONS.keys()) this.#join(n)
    for (let left = 1; left > 0;) {
      left = 0
      for (const consumer of this.#consumers) consumer.consumer.grant(50)
      await test.settle()
      for (const consumer of this.#consumers) {
        for (const slot of this.#heldBy(consumer)) {
          this.#settle(consumer, [slot], { kind: 'ack' })
          left++
        }
      }
    }
    const present = await this.#check()
    for (const [n, name] of SUBSCRIPTIONS.entries()) {
      for (const { partition, offset, end } of this.#slots[n]!.flat())
        this.#assert(end !== undefined || !present[partition]!.has(offset), `${partition}/${offset} came to its end in ${name}`)
      const { ready, inFlight } = test.broker.subscription('log', name)
      this.#assert(ready === 0 && inFlight === 0, `${name} is empty at the end, not ${ready} and ${inFlight}`)
    }
  }

  // ---- what must hold -----------------------------------------------------------------------------------------------

  delivered(consumer: ModelConsumer, delivery: Delivery): void {
    // A broker that was killed may still be reading from the journal.
    if (consumer.life !== this.seen.crashes) return
    const { partition, baseOffset, first, last, attempt } = delivery
    const name = SUBSCRIPTIONS[consumer.subscription]!
    this.#note(`  ${name} gets ${partition}/${first}..${last} #${attempt}`)
    this.#assert(consumer.isOpen, 'a closed consumer gets nothing')
    const values = decodeBatch(delivery.batch, baseOffset, first, last).map(({ value }) => decoder.decode(value!))
    const expected = this.#published[partition]!.slice(first, last + 1).map(({ value }) => value)
    this.#assert(values.join() === expected.join(), `${values.join()} is what was published: ${expected.join()}`)
    for (let offset = first; offset <= last; offset++) this.#deliveredOne(consumer, partition, offset, attempt)
  }

  #deliveredOne(consumer: ModelConsumer, partition: number, offset: number, attempt: number): void {
    const slots = this.#slots[consumer.subscription]![partition]!
    const slot = slots[offset]!
    const what = `${partition}/${offset} of ${SUBSCRIPTIONS[consumer.subscription]}`
    const { ticket } = this.#published[partition]![offset]!
    this.#assert(ticket <= this.test.store.committedTicket, `${what} is committed before it is delivered`)
    this.#assert(slot.end?.isSure !== true, `${what} is not delivered after it was ${slot.end?.how}`)
    this.#assert(slot.holder === undefined || this.#mayHaveLapsed(slot), `${what} is with one consumer only`)
    this.#assert(attempt > slot.attempts, `${what} was delivered as ${slot.attempts}, now as ${attempt}`)
    if (attempt > 1) this.seen.redelivered++
    slot.end = undefined
    slot.attempts = attempt
    slot.holder = consumer
    slot.heldSinceMs = this.test.platform.clock.monotonicMs()
    slot.mayWait = false
    for (let lower = Math.max(0, offset - 20); lower < offset; lower++)
      this.#assert(!this.#mustComeNow(slots[lower]!), `${partition}/${lower} comes before ${what}`)
  }

  #mustComeNow(slot: Slot): boolean {
    if (slot.end !== undefined || slot.holder !== undefined || slot.mayWait) return false
    const { start } = this.test.broker.topic('log').partitionInfo[slot.partition]!
    return slot.offset >= start && !this.#isSuperseded(slot.partition, slot.offset)
  }

  /** @returns by partition, which offsets are in the topic */
  async #check(): Promise<readonly ReadonlySet<number>[]> {
    await this.test.settle()
    const present: Set<number>[] = []
    for (const partition of this.#published.keys()) present.push(await this.#checkPartition(partition))
    const letters = await this.#letters()
    for (const [n, name] of SUBSCRIPTIONS.entries()) {
      for (const slot of this.#slots[n]!.flat()) {
        const what = `${slot.partition}/${slot.offset}`
        const isDead = letters.delete(`topic:log/${name} ${what}`)
        const mayDie = slot.attempts >= this.#maxAttempts || slot.end?.isSure === false
        if (isDead && slot.end?.how !== 'dead' && mayDie) this.#end(slot, 'dead')
        if (isDead && slot.end !== undefined) slot.end.isSure = true
        const isGone = !present[slot.partition]!.has(slot.offset)
        const isRight = isDead ? slot.end?.how === 'dead' : slot.end?.how !== 'dead' || !slot.end.isSure || isGone
        this.#assert(
          isRight,
          `${what} of ${name} is ${slot.end?.how ?? 'waiting'}, and ${isDead ? '' : 'not '}among the dead letters`,
        )
      }
    }
    this.#assert(letters.size === 0, `nothing else is among the dead letters than ${[...letters].join()}`)
    return present
  }

  /** Nothing is gone from the topic that had to stay. */
  async #checkPartition(partition: number): Promise<Set<number>> {
    const found = new Map((await this.#read('topic:log', partition)).map((message) => [message.offset, message.value]))
    const log = this.#published[partition]!
    const { records = Infinity, ms = Infinity } = this.topic.retention!
    const limited = records < Infinity || ms < Infinity
    const nowMs = this.test.platform.clock.nowMs()
    for (const [offset, { value, timestampMs }] of log.entries()) {
      if (found.has(offset)) {
        this.#assert(found.get(offset) === value, `${found.get(offset)} is at ${partition}/${offset}`)
        continue
      }
      this.seen.removed++
      const isOld = limited && (offset < log.length - records || timestampMs <= nowMs - ms)
      this.#assert(isOld || this.#isSuperseded(partition, offset), `${value} is still there`)
    }
    return new Set(found.keys())
  }

  /** `SOURCE PARTITION/OFFSET` of each dead letter. */
  async #letters(): Promise<Set<string>> {
    const letters = new Set<string>()
    for (const { record } of await this.#read('queue:dead', 0)) {
      const headers = headersOf(record)
      const letter = `${headers['millrace-dead-source']} ${headers['millrace-dead-partition']}/${headers['millrace-dead-offset']}`
      this.#assert(!letters.has(letter), `${letter} died once`)
      letters.add(letter)
    }
    this.seen.dead = letters.size
    return letters
  }

  async #read(source: string, partition: number): Promise<readonly Message[]> {
    const sink = this.test.read(source, 'earliest', partition)
    await this.test.settle()
    this.#assert(sink.reader.atEnd, `all of ${source} can be read: ${sink.reason?.message}`)
    sink.reader.close()
    return sink.messages
  }

  // ---- bookkeeping --------------------------------------------------------------------------------------------------

  /** Whether compaction may have removed it. */
  #isSuperseded(partition: number, offset: number): boolean {
    if (this.topic.cleanup !== 'compact') return false
    const log = this.#published[partition]!
    return log.some(({ key }, later) => later > offset && key === log[offset]!.key)
  }

  #mayHaveLapsed(slot: Slot): boolean {
    return this.test.platform.clock.monotonicMs() >= slot.heldSinceMs + LEASE_MS
  }

  #pick(): ModelConsumer | undefined {
    return this.#consumers[this.test.platform.below(Math.max(1, this.#consumers.length))]
  }

  #heldBy(consumer: ModelConsumer): Slot[] {
    return this.#slots[consumer.subscription]!.flat().filter((slot) => slot.holder === consumer)
  }

  #end(slot: Slot, how: 'acked' | 'dead'): void {
    slot.end = { how, ticket: this.test.broker.ticket(), isSure: true }
    slot.holder = undefined
  }

  #handedBack(slot: Slot, delayMs: number, isCounted: boolean): void {
    slot.holder = undefined
    if (isCounted && slot.attempts >= this.#maxAttempts) this.#end(slot, 'dead')
    else slot.mayWait = delayMs > 0
  }

  #note(what: string): void {
    this.log.push(what)
  }

  #assert(condition: unknown, what: string): asserts condition {
    if (condition) return
    throw new Error(`${what}\n${this.log.slice(-40).join('\n')}`)
  }
}

function newSlot(partition: number, offset: number): Slot {
  return { partition, offset, attempts: 0, holder: undefined, heldSinceMs: 0, mayWait: false, end: undefined }
}
