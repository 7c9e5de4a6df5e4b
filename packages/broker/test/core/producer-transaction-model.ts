/**
 * A random program of transactional producers that consume, transform and produce: each takes numbers in order from a partition of its own, puts
 * each of them somewhere, and commits how far it is with the same transaction. They are replaced by new instances, fall asleep until their transaction
 * times out, and repeat what was not answered, while the broker is killed now and then. What must hold:
 *
 * - whatever happened, the numbers below the committed offset of a partition are out once each, in order in each place, and no others;
 * - nothing is seen whose commit was not asked for;
 * - what was answered as committed stays;
 * - instances that were replaced change nothing.
 */
import { MillraceError } from '../../src/base/errors.ts'
import type { ProducerIdentity } from '../../src/core/broker.ts'
import { TestBroker, type TestReader } from './harness.ts'
import { TransactionalClient } from './transactional-client.ts'

const PRODUCERS = 4
const TIMEOUT_MS = 5000
const GROUP = 'g'
const PLACES = [
  ['topic:t', 0],
  ['topic:t', 1],
  ['topic:t', 2],
  ['queue:q', 0],
] as const

/** What a client asked for. It asks again until it knows that it was done. */
interface Request {
  readonly send: () => void
  /** The ticket with which it is done; undefined while it was refused for now, or may be lost. */
  ticket: number | undefined
  readonly done: () => void
}

class Actor {
  readonly client: TransactionalClient
  readonly partition: number
  /** With new epochs for each transaction; otherwise partitions are announced. */
  readonly isNewer: boolean
  request: Request | undefined
  isOpen = false
  hasBegun = false
  /** Of the input: what comes next. */
  position = 0

  constructor(test: TestBroker, partition: number) {
    this.client = new TransactionalClient(test, `p${partition}`, TIMEOUT_MS)
    this.partition = partition
    this.isNewer = partition % 2 === 0
  }
}

export class ProducerTransactionModel {
  readonly counts = { commits: 0, aborts: 0, timeouts: 0, fenced: 0, busy: 0, repeated: 0, crashes: 0 }
  readonly #test: TestBroker
  readonly #actors: Actor[]
  #ghosts: Actor[] = []
  /** By partition: below this, commits were asked for, and answered. */
  readonly #asked: number[] = Array.from({ length: PRODUCERS }, () => 0)
  readonly #answered: number[] = Array.from({ length: PRODUCERS }, () => 0)
  #watchers: TestReader[] = []
  readonly #log: string[] = []

  private constructor(test: TestBroker) {
    this.#test = test
    this.#actors = Array.from({ length: PRODUCERS }, (_, n) => new Actor(test, n))
  }

  static async open(seed: number): Promise<ProducerTransactionModel> {
    const small = seed % 2 === 0
    const storage = small
      ? { commitBytesMax: 2000, tailCacheBytes: 3000, indexRunEntries: 4, pendingBytesHigh: 3000, pendingBytesLow: 1000 }
      : {}
    const test = await TestBroker.open({ storage, limits: { stateLogBytesFloor: small ? 2000 : 100_000 } }, seed)
    test.broker.createTopic({ name: 'in', partitions: PRODUCERS })
    test.broker.createTopic({ name: 't', partitions: 3 })
    test.broker.createQueue({ name: 'q' })
    await test.settle()
    const model = new ProducerTransactionModel(test)
    model.#watch()
    return model
  }

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) {
      await this.#step()
      this.#checkSeen()
    }
    await this.#check()
  }

  async #step(): Promise<void> {
    const { platform } = this.#test
    const dice = platform.below(1000)
    const actor = this.#actors[platform.below(PRODUCERS)]!
    if (dice % 8 === 0 && this.#isPublishing()) await this.#crash(false)
    else if (dice < 620) this.#attend(actor)
    else if (dice < 660) this.#haunt()
    else if (dice < 675) this.#replace(actor)
    else if (dice < 935) await this.#beat()
    else if (dice < 950) await this.#test.settle()
    else if (dice < 965) await this.#test.advance(platform.below(TIMEOUT_MS / 4))
    else if (dice < 968) await this.#test.advance(TIMEOUT_MS)
    else if (dice < 978) await this.#check()
    else await this.#crash(dice >= 995)
  }

  /** Something is decided and not out yet. */
  #isPublishing(): boolean {
    return this.#test.broker.producerTransactions.list().some(({ state }) => state === 'committing')
  }

  /** Some of what is under way goes on. */
  async #beat(): Promise<void> {
    const { platform } = this.#test
    platform.runTurn()
    for (let n = platform.below(12); n > 0; n--) await Promise.resolve()
  }

  // ---- what producers do ------------------------------------------------------------------------------------------------

  /** The next thing that a client does. */
  #attend(actor: Actor): void {
    const { request } = actor
    if (request === undefined) this.#begin(actor, this.#nextRequest(actor))
    else if (request.ticket === undefined) this.#ask(actor, request)
    else if (this.#test.broker.committedTicket >= request.ticket) {
      // The answer may be lost on its way.
      if (this.#test.platform.below(10) === 0) {
        this.counts.repeated++
        request.ticket = undefined
      } else {
        actor.request = undefined
        request.done()
        actor.request ??= this.#begin(actor, this.#nextRequest(actor))
      }
    }
  }

  #nextRequest(actor: Actor): Pick<Request, 'send' | 'done'> {
    const { client } = actor
    const dice = this.#test.platform.below(10)
    if (!actor.isOpen) return this.#opening(actor, undefined)
    if (!actor.hasBegun && !actor.isNewer) {
      return {
        send: () => PLACES.forEach(([destination, partition]) => client.enlist(destination, partition)),
        done: () => (actor.hasBegun = true),
      }
    }
    if (!actor.hasBegun || dice < 7) return this.#producing(actor)
    return dice < 9 ? this.#committing(actor) : this.#ending(actor, 'abort')
  }

  #opening(actor: Actor, current: ProducerIdentity | undefined): Pick<Request, 'send' | 'done'> {
    return {
      send: () => actor.client.open(current),
      done: () => this.#isOpened(actor),
    }
  }

  #isOpened(actor: Actor): void {
    actor.isOpen = true
    actor.hasBegun = false
    actor.position = this.#test.broker.groups.offset(GROUP, 'in', actor.partition)?.offset ?? 0
  }

  #producing(actor: Actor): Pick<Request, 'send' | 'done'> {
    const { client, partition, isNewer } = actor
    const { platform } = this.#test
    const [destination, at] = PLACES[platform.below(PLACES.length)]!
    const count = 1 + platform.below(3)
    const filler = 'x'.repeat(platform.below(3) === 0 ? 900 : 20)
    const values = Array.from({ length: count }, (_, n) => `${partition}:${actor.position + n} ${filler}`)
    const mode = isNewer ? 'begin' : 'enlisted'
    let sent: typeof client.last
    return {
      send: () => {
        if (sent === undefined) {
          // What is refused for now was not sent: it keeps its sequence.
          client.send(destination, at, values, mode)
          sent = client.last
        } else client.sendAgain(sent, mode)
      },
      done: () => {
        actor.hasBegun = true
        actor.position += count
      },
    }
  }

  /** Offsets, and then the commit. */
  #committing(actor: Actor): Pick<Request, 'send' | 'done'> {
    const { client, partition, position, isNewer } = actor
    return {
      send: () => this.#assert(client.addOffset(GROUP, 'in', partition, position, isNewer ? 'begin' : 'enlisted'), [undefined]),
      done: () => {
        this.#begin(actor, this.#ending(actor, 'commit'))
      },
    }
  }

  #ending(actor: Actor, outcome: 'commit' | 'abort'): Pick<Request, 'send' | 'done'> {
    const { client, partition, position, isNewer } = actor
    const { by } = client
    return {
      send: () => {
        if (outcome === 'commit') this.#asked[partition] = Math.max(this.#asked[partition]!, position)
        const { identity } = this.#test.broker.producerTransactions.end(by, outcome, isNewer)
        client.goOn(identity)
      },
      done: () => {
        actor.hasBegun = false
        if (outcome === 'commit') {
          this.counts.commits++
          this.#answered[partition] = Math.max(this.#answered[partition]!, position)
        } else {
          this.counts.aborts++
          actor.position = this.#test.broker.groups.offset(GROUP, 'in', partition)?.offset ?? 0
          // The offset of the last commit comes with its last piece, before which nothing new begins.
        }
      },
    }
  }

  #begin(actor: Actor, { send, done }: Pick<Request, 'send' | 'done'>): Request | undefined {
    actor.request = { send, done, ticket: undefined }
    this.#ask(actor, actor.request)
    return actor.request
  }

  #ask(actor: Actor, request: Request): void {
    try {
      request.send()
      request.ticket = this.#test.broker.ticket()
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#note(`${actor.client.transactionalId}/${actor.client.identity.epoch}: ${error.code}`)
      if (error.code === 'transaction_busy') this.counts.busy++
      else if (error.code === 'transaction_timeout') {
        this.counts.timeouts++
        actor.isOpen = false
        actor.request = { ...this.#opening(actor, actor.client.identity), ticket: undefined }
      } else throw this.#failure(`${actor.client.transactionalId} was refused`, error)
    }
  }

  /** Another instance starts; what the first one did last it does not hear of. */
  #replace(actor: Actor): void {
    const successor = new Actor(this.#test, actor.partition)
    this.#actors[actor.partition] = successor
    this.#note(`replaced ${actor.client.transactionalId}/${actor.client.identity.epoch}`)
    this.#begin(successor, this.#opening(successor, undefined))
    if (actor.isOpen) this.#ghosts.push(actor)
  }

  /** Something comes late from an instance that was replaced. */
  #haunt(): void {
    const ghost = this.#ghosts[this.#test.platform.below(Math.max(1, this.#ghosts.length))]
    if (ghost === undefined || !this.#actors[ghost.partition]!.isOpen) return
    const requests = [this.#producing(ghost), this.#committing(ghost), this.#ending(ghost, 'abort')]
    const request = ghost.request ?? requests[this.#test.platform.below(3)]!
    const asked = [...this.#asked]
    try {
      request.send()
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'fenced') throw this.#failure('a ghost was not fenced', error)
      this.counts.fenced++
      asked.forEach((position, partition) => (this.#asked[partition] = position))
      return
    }
    throw this.#failure('a ghost was heard')
  }

  async #crash(orderly: boolean): Promise<void> {
    this.counts.crashes++
    const committed = orderly ? Infinity : this.#test.broker.committedTicket
    this.#note(orderly ? 'restart' : 'crash')
    if (orderly) await this.#test.restart()
    else await this.#test.crash()
    for (const { request } of this.#actors) {
      if (request?.ticket !== undefined) request.ticket = request.ticket <= committed ? 0 : undefined
    }
    this.#watch()
  }

  // ---- what must hold -----------------------------------------------------------------------------------------------------

  #watch(): void {
    this.#watchers = PLACES.map(([source, partition]) => this.#test.read(source, 'earliest', partition))
  }

  #checkSeen(): void {
    for (const watcher of this.#watchers) {
      for (const { value } of watcher.messages.splice(0)) {
        const [partition, number] = numberOf(value!)
        if (number >= this.#asked[partition]!) throw this.#failure(`${partition}:${number} is seen, and was not committed`)
      }
    }
  }

  async #check(): Promise<void> {
    const { broker, platform } = this.#test
    await this.#test.settle()
    for (let n = 0; n < PRODUCERS; n++) await platform.until(broker.producerTransactions.whenPublished(`p${n}`))
    await this.#test.settle()
    const out: number[][] = Array.from({ length: PRODUCERS }, () => [])
    for (const [source, partition] of PLACES) {
      const reader = this.#test.read(source, 'earliest', partition)
      await this.#test.settle()
      reader.reader.close()
      const found: number[][] = Array.from({ length: PRODUCERS }, () => [])
      for (const value of reader.values) {
        const [producer, number] = numberOf(value!)
        found[producer]!.push(number)
      }
      found.forEach((numbers, producer) => {
        this.#assert(
          numbers,
          numbers.toSorted((a, b) => a - b),
        )
        out[producer]!.push(...numbers)
      })
    }
    out.forEach((numbers, producer) => {
      const offset = broker.groups.offset(GROUP, 'in', producer)?.offset ?? 0
      this.#assert(
        numbers.toSorted((a, b) => a - b),
        Array.from({ length: offset }, (_, n) => n),
      )
      if (offset < this.#answered[producer]!) throw this.#failure(`a commit of producer ${producer} is lost`)
    })
  }

  #assert(found: unknown, wanted: unknown): void {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
      throw this.#failure(`${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`)
    }
  }

  #note(what: string): void {
    this.#log.push(what)
  }

  #failure(what: string, cause?: unknown): Error {
    return new Error(`${what}\n${this.#log.slice(-40).join('\n')}`, { cause })
  }
}

function numberOf(value: string): readonly [partition: number, number: number] {
  const [partition, number] = value.split(' ')[0]!.split(':')
  return [Number(partition), Number(number)]
}
