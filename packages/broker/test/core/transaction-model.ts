/**
 * A random program of transactions over two queues with dead letters and a subscription, and a model of what must hold. Messages are
 * amounts of money: a transaction takes some and puts the same sum elsewhere. The model knows for each transaction what it did and
 * its ticket; after a crash what is there must be the work of the transactions up to some ticket that was not announced before, all of
 * each.
 */
import { encodeBatch } from '@millrace/wire'
import { MillraceError } from '../../src/base/errors.ts'
import type { Outcome, TransactionAction } from '../../src/core/broker.ts'
import { type Message, TestBroker, type TestConsumer } from './harness.ts'

const encoder = new TextEncoder()
const LEASE_MS = 1000
const TOTAL = 1000
const FAR_MS = 1e10
/** Makes transactions larger than the smallest commits. */
const PADDING = { key: 'padding', value: new Uint8Array(400) }
/** Where money can be: what is published to, what it is consumed from, and where its dead letters go. */
const PLACES = [
  { destination: 'queue:a', source: 'queue:a', dead: 'queue:dead-a' },
  { destination: 'queue:b', source: 'queue:b', dead: 'queue:dead-b' },
  { destination: 'topic:t', source: 'topic:t/s', dead: undefined },
] as const
type Place = (typeof PLACES)[number]

/** One transaction as far as messages are concerned: `place value` of each. */
interface Step {
  readonly ticket: number
  readonly taken: readonly string[]
  readonly put: readonly string[]
}

interface Put {
  readonly place: Place
  readonly amount: number
}

interface HeldMoney {
  readonly place: Place
  readonly consumer: TestConsumer
  readonly message: Message
  readonly value: string
}

export class TransactionModel {
  readonly test: TestBroker
  readonly counts = { done: 0, refused: 0, lost: 0 }
  /** What is certain to be there, and the transactions since. */
  #certain = new Set<string>()
  #steps: Step[] = []
  #consumers: { readonly place: Place; readonly consumer: TestConsumer }[] = []
  #nextId = 0
  readonly #log: string[] = []
  /** Ids of what waits for later, as far as is known: a crash may have taken them. */
  #scheduled: number[] = []
  /** All that were ever given out. */
  readonly #ids = new Set<number>()

  private constructor(test: TestBroker) {
    this.test = test
  }

  static async open(seed: number): Promise<TransactionModel> {
    const small = seed % 2 === 0
    const test = await TestBroker.open(
      {
        limits: { stateLogBytesFloor: small ? 2000 : 100_000 },
        storage: small ? { commitBytesMax: 2000, tailCacheBytes: 3000, indexRunEntries: 4 } : {},
      },
      seed,
    )
    const model = new TransactionModel(test)
    const { broker } = test
    for (const name of ['a', 'b']) broker.createQueue({ name, delivery: { leaseMs: LEASE_MS, deadLetter: `queue:dead-${name}` } })
    broker.createTopic({ name: 't', partitions: 3 })
    broker.createSubscription({ topic: 't', name: 's', delivery: { leaseMs: LEASE_MS } })
    model.#transact([], [{ place: PLACES[0], amount: TOTAL }], [])
    await test.settle()
    return model
  }

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) await this.#step()
    await this.#check()
  }

  async #step(): Promise<void> {
    const { test } = this
    const dice = test.platform.below(100)
    if (dice < 12) this.#join()
    else if (dice < 60) this.#move()
    else if (dice < 66) this.#tryInVain()
    else if (dice < 70) this.#notify()
    else if (dice < 72) this.#schedule()
    else if (dice < 75) this.#decide()
    else if (dice < 80) test.platform.runTurn()
    else if (dice < 90) await test.settle()
    else if (dice < 94) await test.advance(1 + test.platform.below(1500))
    else await this.#crash(dice >= 98)
  }

  // ---- what it does ---------------------------------------------------------------------------------------------------

  #join(): void {
    if (this.#consumers.length >= 5) {
      const [left] = this.#consumers.splice(this.test.platform.below(5), 1)
      left!.consumer.consumer.close()
    }
    const place = this.#anyPlace()
    const consumer = this.test.consume(place.source, 1 + this.test.platform.below(20), { leaseMs: LEASE_MS })
    this.#consumers.push({ place, consumer })
  }

  /** Takes some of what is held and puts the same sum elsewhere, in one to four parts; of the rest some is given back or rejected. */
  #move(): void {
    const { platform } = this.test
    const taken: HeldMoney[] = []
    const others: (HeldMoney & { outcome: Outcome })[] = []
    for (const held of this.#held()) {
      const dice = platform.below(20)
      if (dice < 10) taken.push(held)
      else if (dice < 12) others.push({ ...held, outcome: { kind: 'nack', delayMs: platform.below(2) * 100 } })
      // Rejected money is still money: it counts for the place that it died in.
      else if (dice === 12 && held.place.dead !== undefined) others.push({ ...held, outcome: { kind: 'reject', reason: 'bad' } })
    }
    const put: Put[] = []
    for (let left = taken.reduce((sum, { value }) => sum + amountOf(value), 0); left > 0;) {
      const amount = put.length === 3 ? left : 1 + platform.below(left)
      put.push({ place: this.#anyPlace(), amount })
      left -= amount
    }
    this.#transact(taken, put, others)
  }

  /** With something in it that cannot be done. */
  #tryInVain(): void {
    const { broker, platform } = this.test
    const held = this.#held()
    const pick = this.#consumers[platform.below(Math.max(1, this.#consumers.length))]
    if (pick === undefined) return
    const actions: TransactionAction[] = held.map((each) => settleOf(each, { kind: 'ack' }))
    const wrong = settleOf({ ...pick, message: { partition: 0, offset: 1_000_000, attempt: 1 } }, { kind: 'ack' })
    actions.splice(platform.below(actions.length + 1), 0, wrong, this.#publish(PLACES[0], 'never 1'))
    try {
      broker.transact(actions)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      this.counts.refused++
      return
    }
    throw new Error(`it was not refused\n${this.#log.slice(-20).join('\n')}`)
  }

  /** Worth nothing, to everybody. */
  #notify(): void {
    const { broker } = this.test
    const value = `n${this.#nextId++} 0`
    const to = PLACES.map(({ destination }) => broker.destination(destination, false))
    const ticketBefore = broker.ticket()
    broker.transact([{ kind: 'multicast', to, batch: batchOf(value) }])
    this.#did(
      ticketBefore,
      [],
      PLACES.map((place) => keyOf(place, value)),
    )
  }

  /** Prepares a message that is worth nothing, far in the future. */
  #schedule(): void {
    const { broker, platform } = this.test
    const ticketBefore = broker.ticket()
    const id = broker.destination('queue:a', false).publishLater(0, batchOf('prepared 0'), platform.clock.nowMs() + FAR_MS)
    this.#scheduled.push(id)
    this.#ids.add(id)
    this.#did(ticketBefore, [], [`scheduled ${id} 0`])
  }

  /** Takes a prepared message back and publishes another in its place. */
  #decide(): void {
    const { broker, platform } = this.test
    const [id] = this.#scheduled.splice(platform.below(Math.max(1, this.#scheduled.length)), 1)
    if (id === undefined) return
    const place = this.#anyPlace()
    const ticketBefore = broker.ticket()
    broker.transact([{ kind: 'cancel', id }, this.#publish(place, `d${id} 0`)])
    this.#did(ticketBefore, [`scheduled ${id} 0`], [keyOf(place, `d${id} 0`)])
  }

  #transact(taken: readonly HeldMoney[], put: readonly Put[], others: readonly (HeldMoney & { outcome: Outcome })[]): void {
    const { broker } = this.test
    const puts = put.map(({ place, amount }) => ({ place, value: `m${this.#nextId++} ${amount}` }))
    const publishes = puts.map(({ place, value }) => this.#publish(place, value))
    const ticketBefore = broker.ticket()
    try {
      const acks = taken.map((held) => settleOf(held, { kind: 'ack' }))
      broker.transact([...acks, ...publishes, ...others.map((other) => settleOf(other, other.outcome))])
    } catch (error) {
      // Leases ran out.
      if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      this.counts.refused++
      for (const { consumer } of this.#consumers) consumer.messages.length = 0
      return
    }
    // What was left out is held on, until its lease runs out.
    const settled = new Set([...taken, ...others].map(({ message }) => message))
    for (const { consumer } of this.#consumers) {
      consumer.messages.splice(0, Infinity, ...consumer.messages.filter((message) => !settled.has(message)))
    }
    this.#did(
      ticketBefore,
      taken.map(({ place, value }) => keyOf(place, value)),
      puts.map(({ place, value }) => keyOf(place, value)),
    )
  }

  /** @param ticketBefore the transaction may have closed that commit to make room, and is in the next one then */
  #did(ticketBefore: number, taken: readonly string[], put: readonly string[]): void {
    const ticket = Math.max(ticketBefore, this.test.broker.ticket())
    this.#steps.push({ ticket, taken, put })
    this.#log.push(`${ticket}: -[${taken.join(', ')}] +[${put.join(', ')}]`)
    this.counts.done++
  }

  async #crash(orderly: boolean): Promise<void> {
    const committed = orderly ? Infinity : this.test.broker.committedTicket
    this.#log.push(orderly ? 'restart' : `crash at ${committed}`)
    this.#consumers = []
    if (orderly) await this.test.restart()
    else await this.test.crash()
    await this.#resolve(committed)
  }

  // ---- what must hold -------------------------------------------------------------------------------------------------

  async #check(): Promise<void> {
    for (const { consumer } of this.#consumers.splice(0)) consumer.consumer.close()
    await this.test.settle()
    await this.#resolve(this.test.broker.committedTicket)
  }

  /** What is there is the work of a prefix of the transactions, which has all that was announced as committed. */
  async #resolve(committed: number): Promise<void> {
    const found = await this.#look()
    const state = new Set(this.#certain)
    const differs = (): string[] =>
      [...state].filter((key) => !found.has(key)).concat([...found].filter((key) => !state.has(key)))
    let done = 0
    while (done < this.#steps.length && (this.#steps[done]!.ticket <= committed || differs().length > 0)) {
      const step = this.#steps[done++]!
      for (const key of step.taken) state.delete(key)
      for (const key of step.put) state.add(key)
    }
    this.#assert(
      differs().length === 0,
      `no prefix of the transactions gives what is there; differences: ${differs().join(', ')}`,
    )
    this.counts.lost += this.#steps.length - done
    this.#certain = state
    this.#steps = []
    this.#scheduled = [...state].flatMap((key) => (key.startsWith('scheduled ') ? [Number(key.split(' ')[1])] : []))
    const sum = [...found].reduce((total, key) => total + amountOf(key), 0)
    this.#assert(sum === TOTAL, `the sum is ${sum}`)
  }

  /** All messages that are not acked, wherever. */
  async #look(): Promise<Set<string>> {
    const { test } = this
    await test.advance(2 * LEASE_MS)
    const found: string[] = []
    for (const id of this.#ids) if (test.broker.scheduled(id) !== undefined) found.push(`scheduled ${id} 0`)
    for (const place of PLACES) {
      if (place.dead === undefined) {
        const consumer = test.consume(place.source)
        await test.settle()
        found.push(...consumer.messages.map(({ value }) => keyOf(place, value!)))
        consumer.consumer.close()
        continue
      }
      for (const source of [place.source, place.dead]) {
        const reader = test.read(source, 'earliest')
        await test.settle()
        reader.reader.close()
        found.push(...reader.values.map((value) => keyOf(place, value!)))
      }
    }
    this.#assert(new Set(found).size === found.length, `each message is in one place: ${found.toSorted().join(', ')}`)
    return new Set(found)
  }

  #held(): HeldMoney[] {
    return this.#consumers.flatMap(({ place, consumer }) =>
      consumer.messages.map((message) => ({ place, consumer, message, value: message.value! })),
    )
  }

  #anyPlace(): Place {
    return PLACES[this.test.platform.below(PLACES.length)]!
  }

  #publish(place: Place, value: string): TransactionAction {
    return { kind: 'publish', to: this.test.broker.destination(place.destination, false), partition: -1, batch: batchOf(value) }
  }

  #assert(condition: boolean, what: string): asserts condition {
    if (!condition) throw new Error(`${what}\n${this.#log.slice(-40).join('\n')}`)
  }
}

function settleOf(
  held: { readonly consumer: TestConsumer; readonly message: Pick<Message, 'partition' | 'offset' | 'attempt'> },
  outcome: Outcome,
): TransactionAction {
  const { partition, offset, attempt } = held.message
  return { kind: 'settle', consumer: held.consumer.consumer, partition, first: offset, last: offset, attempt, outcome }
}

function batchOf(value: string): Uint8Array {
  return encodeBatch([{ timestampMs: 0, key: null, value: encoder.encode(value), headers: [PADDING] }])
}

function keyOf(place: Place, value: string): string {
  return `${place.destination} ${value}`
}

function amountOf(text: string): number {
  return Number(text.slice(text.lastIndexOf(' ') + 1))
}
