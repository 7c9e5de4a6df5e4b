/**
 * A random program in a world where any feature may be on, beside any other. `oracle.ts` says where each message must be, and
 * `delivery-rules.ts` what deliveries must keep to, `consumer-turns.ts` who may get them.
 */
import { setBatchProducer } from '@millrace/wire'
import { MillraceError } from '../../../src/base/errors.ts'
import type { Destination, Outcome, TransactionAction } from '../../../src/core/broker.ts'
import { type Message, TestBroker } from '../harness.ts'
import { ConsumerTurns } from './consumer-turns.ts'
import { backoffMsMin, DeliveryRules, maxAttemptsOf, numberOf } from './delivery-rules.ts'
import { KnownIds } from './known-ids.ts'
import { lookAround } from './look-around.ts'
import { type ConsumerTraits, ModelConsumer, type Receiver } from './model-consumer.ts'
import { type NewMessages, newMessages } from './new-messages.ts'
import { type Copy, isLost, Oracle, placeOf } from './oracle.ts'
import { checkPolicy, setPaused, toggleSingle } from './policy-changes.ts'
import { deathIn, retryIn } from './record-headers.ts'
import { IN_FLIGHT_MAX, isSingle, MIRROR, type Source, TOPIC, World } from './world.ts'

/** Of what is scheduled to be decided about before. */
const FAR_MS = 1e9

/** An idempotent producer of one queue. */
interface Producer {
  readonly id: number
  epoch: number
  sequence: number
  sent: { readonly batch: Uint8Array; readonly records: number }[]
}

export class EverythingModel implements Receiver {
  readonly test: TestBroker
  readonly log: string[] = []
  /** Of the broker: a crash begins another. */
  life = 0
  readonly counts: Record<string, number> = {}
  readonly #world: World
  readonly #oracle: Oracle
  readonly #rules = new Map<string, DeliveryRules>()
  readonly #turns = new Map<Source, ConsumerTurns>()
  readonly #known = new KnownIds()
  readonly #producers = new Map<string, Producer>()
  #consumers: ModelConsumer[] = []
  #next = 0
  /** By value: how messages were told to be delivered again. */
  readonly #retries = new Map<string, string | undefined>()
  #failure: Error | undefined
  /** Queues that redrives took something out of. */
  readonly #redriven = new Set<string>()
  /** Of transactions that may be lost: what was changed together. */
  #together: { readonly ticket: number; readonly made: readonly Copy[]; readonly ended: readonly Copy[] }[] = []

  private constructor(test: TestBroker) {
    this.test = test
    this.#world = World.create(test)
    this.#oracle = new Oracle(this.#world, () => test.platform.clock.nowMs())
    this.log.push(this.#world.text)
  }

  static async open(seed: number): Promise<EverythingModel> {
    const small = seed % 2 === 0
    const test = await TestBroker.open(
      {
        limits: { stateLogBytesFloor: small ? 2000 : 100_000, inFlightPerConsumerMax: IN_FLIGHT_MAX },
        storage: small ? { commitBytesMax: 3000, tailCacheBytes: 3000, indexRunEntries: 4 } : {},
      },
      seed,
    )
    const model = new EverythingModel(test)
    await test.settle()
    return model
  }

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) {
      await this.#step()
      for (const turns of this.#turns.values()) turns.checkTurns()
      if (this.#failure !== undefined) throw this.#failure
    }
    await this.#drain()
  }

  async #step(): Promise<void> {
    const { test } = this
    const { platform } = test
    const dice = platform.below(1000)
    if (dice < 150) this.#publish()
    else if (dice < 180) this.#produce()
    else if (dice < 210) this.#schedule()
    else if (dice < 230) this.#cancel()
    else if (dice < 250) this.#multicast()
    else if (dice < 320) this.#transact()
    else if (dice < 400) this.#join()
    else if (dice < 460) this.#pickConsumer()?.grant(1 + platform.below(10))
    else if (dice < 480) this.#wantOther()
    else if (dice < 660) this.#settleSome()
    else if (dice < 675) this.#extend()
    else if (dice < 698) this.#leave()
    else if (dice < 705) await this.#leaveAlone()
    else if (dice < 720) this.#pause()
    else if (dice < 725) this.#changeSingle()
    else if (dice < 745) this.#redrive()
    else if (dice < 755) await this.#purge()
    else if (dice < 835) platform.runTurn()
    else if (dice < 895) await test.settle()
    else if (dice < 950) await this.#advance(1 + platform.below(platform.below(4) === 0 ? 6000 : 800))
    else if (dice < 975) await this.#look()
    else await this.#crash(dice >= 993)
  }

  async #advance(ms: number): Promise<void> {
    this.#note(`advance ${ms}`)
    await this.test.advance(ms)
  }

  // ---- publishing -----------------------------------------------------------------------------------------------------

  #publish(): void {
    const { test } = this
    const place = test.platform.below(4) === 0 ? TOPIC : this.#anyQueue().address
    const made = this.#make(1 + test.platform.below(6))
    const destination = test.broker.destination(place, false)
    this.#note(`publish ${made.values.join(' ')} to ${place}`)
    if (this.#unlessFull(place, () => destination.publish(-1, made.batch))) this.#published(made, place, destination.duplicates)
  }

  #produce(): void {
    const { platform, broker } = this.test
    const place = this.#anyQueue().address
    const producer = this.#producers.get(place) ?? { id: 2 * this.#producers.size + 1001, epoch: 0, sequence: 0, sent: [] }
    this.#producers.set(place, producer)
    const destination = broker.destination(place, false)
    const again = platform.below(3) === 0 ? producer.sent[platform.below(Math.max(1, producer.sent.length))] : undefined
    if (again !== undefined) {
      this.#note(`produce again to ${place}`)
      destination.publish(0, again.batch)
      this.#assert(destination.duplicates?.length === again.records, 'what is sent again is a duplicate')
      this.#count('producer duplicates')
      return
    }
    const made = this.#make(1 + platform.below(4))
    const batch = made.batch.slice()
    setBatchProducer(batch, producer.id, producer.epoch, producer.sequence)
    this.#note(`produce ${made.values.join(' ')} to ${place} as ${producer.sequence}`)
    if (!this.#unlessFull(place, () => destination.publish(0, batch))) return
    this.#published(made, place, destination.duplicates)
    producer.sequence += made.values.length
    producer.sent.push({ batch, records: made.values.length })
  }

  #schedule(): void {
    const { platform, broker } = this.test
    const place = platform.below(4) === 0 ? TOPIC : this.#anyQueue().address
    const nowMs = platform.clock.nowMs()
    const dueMs = nowMs + (platform.below(3) === 0 ? FAR_MS : 1 + platform.below(5000))
    const made = this.#make(1 + platform.below(3), false)
    const id = broker.destination(place, false).publishLater(-1, made.batch, dueMs)
    const ticket = broker.ticket()
    this.#note(`later ${made.values.join(' ')} to ${place} as ${id} in ${dueMs - nowMs}`)
    made.values.forEach((value, n) => {
      this.#oracle.later.set(`later:${id + n}`, { dueMs, to: place })
      this.#oracle.published(value, made.first + n, `later:${id + n}`, ticket)
    })
    this.#count('scheduled', made.values.length)
  }

  #cancel(): void {
    const copy = this.#anyWaiting()
    if (copy === undefined) return
    const place = placeOf(copy)
    const isCancelled = this.test.broker.cancelScheduled(Number(place.slice('later:'.length)))
    this.#note(`cancel ${place}: ${isCancelled}`)
    if (isCancelled) this.#oracle.changed(copy, 'gone', this.test.broker.ticket())
    else this.#assert(this.#oracle.later.get(place)!.dueMs <= this.test.platform.clock.nowMs(), `${place} waits`)
  }

  #multicast(): void {
    const { broker } = this.test
    const places = [this.test.platform.below(4) === 0 ? TOPIC : this.#anyQueue().address, MIRROR]
    const made = this.#make(1 + this.test.platform.below(2))
    const to = places.map((place) => broker.destination(place, false))
    this.#note(`multicast ${made.values.join(' ')} to ${places.join(' ')}`)
    this.#applied([{ kind: 'multicast', to, batch: made.batch }], (ticket, [published]) => {
      const copies = places.map((place, n) => this.#published(made, place, published![n]!.duplicates, ticket))
      return { made: copies.flat(), ended: [] }
    })
  }

  /** Some of what is held is acked, something is published, something that waits is taken back. */
  #transact(): void {
    const { broker, platform } = this.test
    const actions: TransactionAction[] = []
    const acks: { readonly consumer: ModelConsumer; readonly message: Message }[] = []
    const consumer = this.#pickConsumer()
    for (const message of consumer?.held ?? []) {
      if (platform.below(3) > 0 || this.#rulesOf(consumer!.source, message).mayHaveLapsed(message.offset, this.#nowMs)) continue
      acks.push({ consumer: consumer!, message })
      actions.push(settleOf(consumer!, message, { kind: 'ack' }))
    }
    const puts: { readonly made: NewMessages; readonly place: string; readonly to: Destination }[] = []
    for (let left = platform.below(3); left > 0; left--) {
      const place = platform.below(4) === 0 ? TOPIC : this.#anyQueue().address
      const put = { made: this.#make(1 + platform.below(3)), place, to: broker.destination(place, false) }
      puts.push(put)
      actions.push({ kind: 'publish', to: put.to, partition: -1, batch: put.made.batch })
    }
    const waiting = platform.below(3) === 0 ? this.#anyWaiting() : undefined
    const waitingId = waiting === undefined ? 0 : Number(placeOf(waiting).slice('later:'.length))
    if (waiting !== undefined && broker.scheduled(waitingId) !== undefined) actions.push({ kind: 'cancel', id: waitingId })
    this.#note(
      `transact: ack ${acks.map(({ message }) => message.value).join(' ')}, put ${puts.map(({ made }) => made.values.join(' ')).join(', ')}`,
    )
    this.#applied(actions, (ticket, published) => {
      const made: Copy[] = []
      let at = acks.length
      for (const put of puts) made.push(...this.#published(put.made, put.place, published[at++]![0]!.duplicates, ticket))
      const ended = acks.map(({ message }) => this.#end(consumer!, message, 'gone', ticket))
      if (actions.at(-1)?.kind === 'cancel') this.#oracle.changed(waiting!, 'gone', ticket)
      return { made, ended }
    })
  }

  #applied(
    actions: readonly TransactionAction[],
    apply: (
      ticket: number,
      published: ReturnType<TestBroker['broker']['transact']>,
    ) => { readonly made: readonly Copy[]; readonly ended: readonly Copy[] },
  ): void {
    const { broker } = this.test
    const ticketBefore = broker.ticket()
    let published: ReturnType<TestBroker['broker']['transact']>
    try {
      published = broker.transact(actions)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'queue_full') throw error
      this.#note('  full')
      this.#count('refused')
      return
    }
    const ticket = Math.max(ticketBefore, broker.ticket())
    this.#together.push({ ticket, ...apply(ticket, published) })
    this.#count('transactions')
  }

  /** @returns false when a limit refused it */
  #unlessFull(place: string, publish: () => unknown): boolean {
    try {
      publish()
      return true
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'queue_full') throw error
      this.#assert(this.#world.source(place).limits?.overflow === 'reject', `${place} refuses nothing`)
      this.#note('  full')
      this.#count('refused')
      return false
    }
  }

  #make(count: number, withIds: boolean = true): NewMessages {
    const first = this.#next
    this.#next += count
    const made = newMessages(this.test.platform, first, count, withIds)
    made.values.forEach((value, n) => this.#retries.set(value, made.retries[n]))
    return made
  }

  /** Checks what were duplicates, and notes the others. */
  #published(
    made: NewMessages,
    place: string,
    duplicates: Destination['duplicates'],
    ticket: number = this.test.broker.ticket(),
  ): Copy[] {
    const isDuplicate = new Set(duplicates?.map(({ position }) => position))
    const windowMs = place === TOPIC ? 0 : this.#world.source(place).windowMs
    const copies: Copy[] = []
    made.values.forEach((value, n) => {
      const id = made.ids[n]
      const isKnown = this.#known.has(place, id, windowMs, this.#nowMs)
      this.#assert(isKnown === isDuplicate.has(n), `${value} with ${id} is ${isKnown ? 'a' : 'no'} duplicate in ${place}`)
      if (isKnown) return this.#count('duplicates')
      const copy = this.#oracle.published(value, made.first + n, place, ticket, made.expiresMs[n])
      copies.push(copy)
      if (id !== undefined && windowMs > 0) this.#known.add(place, id, copy, this.#nowMs)
      this.#count('published')
    })
    return copies
  }

  // ---- consuming ------------------------------------------------------------------------------------------------------

  delivers(consumer: ModelConsumer, partition: number, messages: number): void {
    this.#watch(consumer, () => {
      const { source } = consumer
      this.#note(`  ${messages} of ${source.address}/${partition} for priority ${consumer.traits.priority}`)
      const held = consumer.held.filter((each) => !this.#rulesOf(source, each).mayHaveLapsed(each.offset, this.#nowMs))
      this.#checked(source.address, () => this.#turnsOf(source).delivers(consumer, partition, messages, held.length))
    })
  }

  receives(consumer: ModelConsumer, message: Message): void {
    this.#watch(consumer, () => this.#received(consumer, message))
  }

  /** What is wrong is told later: a sink must not throw. */
  #watch(consumer: ModelConsumer, happens: () => void): void {
    // A broker that was killed in its virtual process may still be answered what it read.
    if (consumer.traits.life !== this.life) return
    try {
      happens()
    } catch (error) {
      this.#failure ??= error as Error
    }
  }

  #checked(where: string, check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#fail(`${where}: ${(error as Error).message}`)
    }
  }

  #received(consumer: ModelConsumer, message: Message): void {
    const { source } = consumer
    this.#note(`  ${source.address}/${message.partition} ${message.offset} ${message.value} #${message.attempt}`)
    const { platform } = this.test
    this.#checked(source.address, () => {
      const copy = this.#oracle.delivered(message.value!, source.address, deathIn(message.record))
      const wallMs = platform.clock.nowMs()
      this.#rulesOf(source, message).delivered(message, { source, holder: consumer, nowMs: this.#nowMs, wallMs })
      const expiresAt = message.record.headers.find(({ key }) => key === 'expires-at')
      if (expiresAt !== undefined) this.#assert(wallMs < Number(new TextDecoder().decode(expiresAt.value!)), 'it has expired')
      this.#assert(retryIn(message.record) === this.#retries.get(message.value!), 'it has its retry policy')
      if (message.attempt >= maxAttemptsOf(source, message)) copy.mayDie = true
    })
    for (const other of this.#consumers) {
      const at = other.source === source ? other.held.findIndex((each) => isSame(each, message)) : -1
      if (at >= 0) other.held.splice(at, 1)
    }
    consumer.held.push(message)
    this.#count('delivered')
  }

  #join(): void {
    const { platform } = this.test
    if (this.#consumers.length >= 12) return
    const source = this.#anySource()
    const isExclusive = platform.below(12) === 0
    const others = this.#consumers.filter((each) => each.source === source && !each.isRetired)
    const isTaken = others.some(({ traits }) => traits.isExclusive) || (isExclusive && others.length > 0)
    const traits = { source, priority: platform.below(4) - 1, isExclusive, refills: platform.below(4) === 0, life: this.life }
    let consumer: ModelConsumer
    try {
      consumer = this.#consume(traits)
    } catch (error) {
      this.#assert(isTaken && (error as MillraceError).code === 'in_use', String(error))
      return
    }
    this.#assert(!isTaken, `${source.address} is taken`)
    if (platform.below(3) === 0) this.#note(consumer.restrict(platform))
    consumer.grant(1 + platform.below(15))
  }

  #consume(traits: ConsumerTraits): ModelConsumer {
    const { source, priority, isExclusive } = traits
    const consumer = new ModelConsumer(this, traits)
    const options = { priority, ...(isExclusive ? { exclusive: true } : {}) }
    consumer.consumer = this.test.broker.consume(source.address, options, consumer)
    this.#note(`join ${source.address} with priority ${priority}`)
    this.#consumers.push(consumer)
    this.#turnsOf(source).joined(consumer)
    return consumer
  }

  #wantOther(): void {
    const consumer = this.#pickConsumer()
    if (consumer === undefined) return
    this.#note(`${consumer.source.address} ${consumer.wantOther(this.test.platform)}`)
    if (consumer.isRetired) this.#turnsOf(consumer.source).left(consumer)
  }

  #leave(consumer: ModelConsumer | undefined = this.#pickConsumer()): void {
    if (consumer === undefined) return
    const { source } = consumer
    this.#note(`leave ${source.address}`)
    this.#consumers.splice(this.#consumers.indexOf(consumer), 1)
    this.#turnsOf(source).left(consumer)
    const held = consumer.held.splice(0)
    consumer.consumer.close()
    for (const message of held) {
      const rules = this.#rulesOf(source, message)
      const mayBeDead = message.attempt >= maxAttemptsOf(source, message)
      rules.handedBack(message.offset, true, mayBeDead || rules.mayHaveLapsed(message.offset, this.#nowMs))
    }
  }

  /** Nothing but its end tells the others that it is their turn. */
  async #leaveAlone(): Promise<void> {
    this.#leave()
    await this.#look()
  }

  #settleSome(): void {
    const { platform } = this.test
    const consumer = this.#pickConsumer()
    if (consumer === undefined) return
    for (let left = 1 + platform.below(6); left > 0 && consumer.held.length > 0; left--) {
      const message = consumer.held[platform.below(consumer.held.length)]!
      const dice = platform.below(20)
      const delayMs = dice % 2 === 0 ? 1 + platform.below(3000) : undefined
      const nack = { kind: 'nack', uncounted: dice === 15, ...(delayMs === undefined ? {} : { delayMs }) } as const
      this.#settle(consumer, message, dice < 11 ? { kind: 'ack' } : dice < 17 ? nack : { kind: 'reject', reason: 'bad' })
    }
  }

  #settle(consumer: ModelConsumer, message: Message, outcome: Outcome): void {
    const { source } = consumer
    const rules = this.#rulesOf(source, message)
    const { partition, offset, attempt } = message
    this.#note(`${outcome.kind} ${source.address} ${offset} ${message.value}`)
    try {
      consumer.consumer.settle(partition, offset, offset, outcome, attempt)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      this.#assert(rules.mayHaveLapsed(offset, this.#nowMs), `${offset} is held`)
      this.#note('  lapsed')
      consumer.held.splice(consumer.held.indexOf(message), 1)
      rules.handedBack(offset, true, true)
      return
    }
    const ticket = this.test.broker.ticket()
    const isLast = attempt >= maxAttemptsOf(source, message)
    if (outcome.kind === 'ack') this.#end(consumer, message, 'gone', ticket)
    else if (outcome.kind === 'reject' || (outcome.uncounted !== true && isLast)) {
      this.#end(consumer, message, `dying:${source.address}`, ticket)
      this.#count('died')
    } else {
      consumer.held.splice(consumer.held.indexOf(message), 1)
      const isCounted = outcome.uncounted !== true
      rules.handedBack(offset, isCounted, false)
      if (outcome.kind !== 'nack') return
      const waitMs = outcome.delayMs ?? (isCounted ? backoffMsMin(source, message) : 0)
      if (waitMs > 0) rules.waits(offset, this.test.platform.clock.nowMs() + waitMs - 1, ticket)
    }
  }

  #end(consumer: ModelConsumer, message: Message, place: string, ticket: number): Copy {
    const copy = this.#oracle.delivered(message.value!, consumer.source.address, deathIn(message.record))
    this.#oracle.changed(copy, place, ticket)
    this.#rulesOf(consumer.source, message).settled(message.offset, ticket)
    consumer.held.splice(consumer.held.indexOf(message), 1)
    return copy
  }

  #extend(): void {
    const consumer = this.#pickConsumer()
    const message = consumer?.held[0]
    if (consumer === undefined || message === undefined) return
    const rules = this.#rulesOf(consumer.source, message)
    if (rules.mayHaveLapsed(message.offset, this.#nowMs)) return
    consumer.consumer.extend(message.partition, message.offset, message.offset, message.attempt)
    rules.extended(message.offset, this.#nowMs)
  }

  // ---- what operators do ----------------------------------------------------------------------------------------------

  #pause(): void {
    const source = this.#anySource()
    this.#setPaused(source, !source.paused)
  }

  #setPaused(source: Source, isPaused: boolean): void {
    this.#note(`${isPaused ? 'pause' : 'resume'} ${source.address}`)
    setPaused(this.test.broker, source, isPaused)
  }

  #changeSingle(): void {
    const source = this.#anySource()
    toggleSingle(this.test.broker, source)
    this.#note(`${source.address} has ${source.single ? 'one consumer' : 'many consumers'}`)
    this.#turnsOf(source).changed()
  }

  #redrive(): void {
    const { platform, broker } = this.test
    const from = this.#anyQueue().address
    const target = this.#anyQueue()
    // Not a second time into the topic.
    const to = platform.below(3) === 0 || target.policy.deadLetter === TOPIC ? undefined : target.address
    const modulus = 1 + platform.below(3)
    const max = platform.below(3) === 0 ? { max: 1 + platform.below(5) } : {}
    const rate = platform.below(4) === 0 ? { ratePerSecond: 3 } : {}
    const filter = modulus === 1 ? {} : { filter: `n % ${modulus} = 0` }
    this.#note(`redrive ${from} to ${to}, multiples of ${modulus}`)
    broker.redrive({ source: from, ...(to === undefined ? {} : { to }), ...filter, ...max, ...rate })
    this.#oracle.redrives.push({ from, to, modulus })
    this.#redriven.add(from)
    this.#loosen(from)
    this.#count('redrives')
  }

  /** Only of what is committed, so that it is known what that is. */
  async #purge(): Promise<void> {
    await this.test.settle()
    const { address } = this.#anyQueue()
    const { messages } = this.test.broker.purgeQueue(address.slice('queue:'.length))
    this.#note(`purge ${address}: ${messages}`)
    this.#oracle.purged.add(address)
    this.#loosen(address)
    this.#count('purged', messages)
    await this.#look()
  }

  #loosen(address: string): void {
    for (const [name, rules] of this.#rules) {
      if (!name.startsWith(`${address}/`)) continue
      rules.isLoose = true
      rules.forget(this.#nowMs)
    }
  }

  // ---- looking --------------------------------------------------------------------------------------------------------

  async #crash(orderly: boolean): Promise<void> {
    const { test } = this
    const committed = orderly ? Infinity : test.broker.committedTicket
    this.#note(orderly ? 'restart' : `crash at ${committed}`)
    this.#count(orderly ? 'restarts' : 'crashes')
    this.#consumers = []
    this.#turns.clear()
    this.life++
    if (orderly) await test.restart()
    else await test.crash()
    for (const rules of this.#rules.values()) rules.crashed(committed)
    for (const source of this.#world.sources) this.#checked(source.address, () => checkPolicy(test.broker, source, committed))
    await this.#look(committed)
    for (const producer of this.#producers.values()) Object.assign(producer, { epoch: producer.epoch + 1, sequence: 0, sent: [] })
  }

  async #look(committed: number = Infinity): Promise<void> {
    const { test } = this
    await test.settle()
    if (this.#failure !== undefined) throw this.#failure
    this.#assert(!this.#consumers.some(({ isDraining }) => isDraining), 'who drains is told that there is nothing more')
    const { seen, lying } = await lookAround(test, this.#world, this.#oracle, this.#redriven).catch((error: Error) =>
      this.#fail(error.message),
    )
    for (const { source, messages } of lying) this.#checkServed(source, messages)
    const before = this.#oracle.copies
    this.#checked('where messages are', () => this.#oracle.compare(seen, committed))
    this.#checkTogether(committed, before)
    this.#known.forget((copy) => isLost(copy, seen, committed))
    if (committed < Infinity || test.broker.redrives().every(({ state }) => state !== 'running')) {
      this.#oracle.redrives = []
      for (const rules of this.#rules.values()) {
        if (rules.isLoose) rules.forget(this.#nowMs)
        rules.isLoose = false
      }
    }
  }

  /** What is ready is not left to lie while somebody wants it. */
  #checkServed(source: Source, messages: readonly Message[]): void {
    const { policy, limits, modulus, paused } = source
    const mayVanish = policy.ttlMs !== undefined || (limits !== undefined && limits.overflow !== 'reject')
    if (paused || policy.ratePerSecond !== undefined || mayVanish) return
    for (const message of policy.order === 'strict' ? messages.slice(0, 1) : messages) {
      if (policy.order === 'key' && message.record.key !== null) continue
      if (numberOf(message) % modulus !== 0 || !this.#rulesOf(source, message).isReady(message)) continue
      this.#checked(source.address, () => this.#turnsOf(source).notTaken(message.partition))
    }
  }

  /** What was done together happened together. */
  #checkTogether(committed: number, before: readonly Copy[]): void {
    for (const { ticket, made, ended } of this.#together) {
      if (ticket <= committed) continue
      const there = new Set(this.#oracle.copies)
      const kept = made.filter((copy) => there.has(copy)).length
      const back = ended.filter((copy) => before.includes(copy) && there.has(copy) && !copy.isUnsure && copy.parent === undefined)
      this.#assert(kept === 0 || back.length === 0, `half of a transaction is done: ${made[0]?.value}`)
    }
    this.#together = []
  }

  /** In the end consumers get all that must be there. */
  async #drain(): Promise<void> {
    const { test } = this
    await this.#look()
    this.#note('drain')
    for (const { id, state } of test.broker.redrives()) if (state === 'running') test.broker.cancelRedrive(id)
    // The others may stay: they are to hold up nobody.
    for (const consumer of this.#consumers.slice())
      if (consumer.traits.isExclusive || isSingle(consumer.source)) this.#leave(consumer)
    for (const copy of this.#oracle.copies.filter((each) => placeOf(each).startsWith('later:'))) {
      if (test.broker.cancelScheduled(Number(placeOf(copy).slice('later:'.length)))) {
        this.#oracle.changed(copy, 'gone', test.broker.ticket())
      }
    }
    for (const source of this.#world.sources) {
      if (source.paused) this.#setPaused(source, false)
      this.#consume({ source, priority: 0, isExclusive: false, refills: false, life: this.life }).grant(Infinity)
    }
    for (let rounds = 0; rounds < 200; rounds++) {
      await test.advance(300)
      if (this.#failure !== undefined) throw this.#failure
      let count = 0
      for (const consumer of this.#consumers) {
        for (const message of consumer.held.slice()) {
          this.#settle(consumer, message, { kind: 'ack' })
          count++
        }
      }
      if (count === 0 && rounds > 20) break
    }
    await this.#look()
    for (const { address } of this.#world.sources) {
      const left = this.#oracle.certainIn(address)
      this.#assert(left.length === 0, `${address} kept ${left.map(({ value }) => value).join(' ')}`)
    }
    for (const { name, ready, inFlight } of test.broker.queues()) this.#assert(ready + inFlight === 0, `${name} is empty`)
    for (const { name, ready, inFlight } of test.broker.subscriptions()) this.#assert(ready + inFlight === 0, `${name} is empty`)
  }

  // ---- bookkeeping ----------------------------------------------------------------------------------------------------

  get #nowMs(): number {
    return this.test.platform.clock.monotonicMs()
  }

  #anyQueue(): Source {
    const { busyQueues } = this.#world
    return busyQueues[this.test.platform.below(busyQueues.length)]!
  }

  #anySource(): Source {
    const { crowded, sources } = this.#world
    const { platform } = this.test
    return platform.below(2) === 0 ? crowded : sources[platform.below(sources.length)]!
  }

  #anyWaiting(): Copy | undefined {
    const waiting = this.#oracle.copies.filter((copy) => placeOf(copy).startsWith('later:'))
    return waiting[this.test.platform.below(Math.max(1, waiting.length))]
  }

  #pickConsumer(): ModelConsumer | undefined {
    return this.#consumers[this.test.platform.below(Math.max(1, this.#consumers.length))]
  }

  #turnsOf(source: Source): ConsumerTurns {
    const turns = this.#turns.get(source) ?? new ConsumerTurns(source)
    this.#turns.set(source, turns)
    return turns
  }

  #rulesOf({ address }: Source, { partition }: Message): DeliveryRules {
    const name = `${address}/${partition}`
    const rules = this.#rules.get(name) ?? new DeliveryRules()
    this.#rules.set(name, rules)
    return rules
  }

  #count(what: string, by: number = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by
  }

  #note(what: string): void {
    this.log.push(what)
  }

  #assert(condition: boolean, what: string): asserts condition {
    if (!condition) this.#fail(what)
  }

  #fail(what: string): never {
    throw new Error(`${what}\n${this.log[0]}\n${this.log.slice(-60).join('\n')}`)
  }
}

function settleOf(consumer: ModelConsumer, message: Message, outcome: Outcome): TransactionAction {
  const { partition, offset, attempt } = message
  return { kind: 'settle', consumer: consumer.consumer, partition, first: offset, last: offset, attempt, outcome }
}

function isSame(one: Message, other: Message): boolean {
  return one.partition === other.partition && one.offset === other.offset
}
