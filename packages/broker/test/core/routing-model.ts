/**
 * A random program of exchanges, bindings and queues beside their definitions done naively. After every step a message must go where the model says; after a
 * crash what is there must be what the model had after some step, not before the last whose ticket was announced.
 */
import { MillraceError } from '../../src/base/errors.ts'
import type { Binding, ExchangeSpec, ExchangeType, HeadersMatch, HeaderValue, RoutedMessage } from '../../src/core/broker.ts'
import { openMemoryJournal } from '../../src/engines/memory/index.ts'
import { SeededRandom } from '../harness/seeded-random.ts'
import { CuttableJournal } from './cuttable-journal.ts'
import { TestBroker } from './harness.ts'
import { type NaiveMessage, NaiveRouter } from './naive-router.ts'
import { messageWith } from './routed-message.ts'

const EXCHANGES = ['a', 'b', 'c', 'd', 'e', 'f']
const QUEUES = ['q1', 'q2', 'q3', 'q4', 'q5']
const TYPES: readonly ExchangeType[] = ['direct', 'fanout', 'topic', 'topic', 'headers', 'consistent-hash']
const WORDS = ['x', 'y', 'z', '*', '#', '']
const MODES: readonly HeadersMatch['mode'][] = ['all', 'any', 'all-with-x', 'any-with-x']
const HEADERS = ['h', 'x-h', 'n']
const VALUES: readonly HeaderValue[] = ['1', 1, true, 'v']

export class RoutingModel {
  readonly counts = { routed: 0, lost: 0, crashes: 0, selfDeleted: 0 }
  readonly #random: SeededRandom
  readonly #journal: CuttableJournal
  readonly #test: TestBroker
  #model = new NaiveRouter()
  /** Since what is certain: the model after each step, and its ticket. */
  #steps: { readonly model: NaiveRouter; readonly ticket: number }[] = []

  private constructor(test: TestBroker, journal: CuttableJournal, seed: number) {
    this.#test = test
    this.#journal = journal
    this.#random = new SeededRandom(seed)
  }

  static async open(seed: number): Promise<RoutingModel> {
    const journal = new CuttableJournal(await openMemoryJournal())
    const limits = { stateLogBytesFloor: 2000 }
    return new RoutingModel(
      await TestBroker.open({ limits, storage: { commitBytesMax: 4000 } }, seed, journal.journal),
      journal,
      seed,
    )
  }

  async run(steps: number): Promise<void> {
    this.#steps = [{ model: this.#model.copy(), ticket: this.#test.broker.ticket() }]
    for (let n = 0; n < steps; n++) {
      const dice = this.#random.next()
      if (dice < 0.05) await this.#crash()
      else if (dice < 0.3) await this.#test.settle()
      else this.#change()
      if (this.#steps.length > 0) this.#steps.push({ model: this.#model.copy(), ticket: this.#test.broker.ticket() })
      this.#checkState(this.#model)
      for (let messages = 0; messages < 3; messages++) this.#checkRoute()
    }
  }

  // ---- steps ----------------------------------------------------------------------------------------------------------

  #change(): void {
    const { broker } = this.#test
    const dice = this.#random.next()
    const exchanges = this.#model.exchanges.length
    if (dice < 0.2) this.#createExchange()
    else if (dice < 0.23)
      this.#attempt(this.#one(EXCHANGES), (name) => {
        broker.router.deleteExchange(name)
        this.#model.deleteExchange(name)
      })
    else if (dice < 0.78)
      this.#attempt(this.#binding(), (binding) => {
        broker.router.bind(binding)
        this.#model.bind(binding)
      })
    else if (dice < 0.85) this.#unbind()
    else if (dice < 0.96)
      this.#attempt(this.#one(QUEUES), (name) => {
        broker.createQueue({ name })
        if (!this.#model.queues.includes(name)) this.#model.queues.push(name)
      })
    else
      this.#attempt(this.#one(QUEUES), (name) => {
        broker.deleteQueue(name)
        this.#model.deleteQueue(name)
      })
    if (this.#model.exchanges.length < exchanges) this.counts.selfDeleted++
  }

  /** Does it to both, unless the broker says that there is no such thing, or another. */
  #attempt<T>(what: T, change: (what: T) => void): void {
    try {
      change(what)
    } catch (error) {
      if (!(error instanceof MillraceError) || !['not_found', 'bad_request', 'already_exists'].includes(error.code)) throw error
    }
  }

  #createExchange(): void {
    const spec: ExchangeSpec = {
      name: this.#one(EXCHANGES),
      type: this.#one(TYPES),
      durable: this.#random.next() < 0.7,
      autoDelete: this.#random.next() < 0.25,
      ...(this.#random.next() < 0.4 ? { alternate: this.#one([...EXCHANGES, '']) } : {}),
    }
    this.#attempt(
      spec.type === 'consistent-hash' && this.#random.next() < 0.5 ? { ...spec, hashOn: { header: 'h' } } : spec,
      (checked) => {
        this.#test.broker.router.createExchange(checked)
        if (!this.#model.exchanges.some(({ name }) => name === checked.name)) this.#model.exchanges.push(checked)
      },
    )
  }

  #unbind(): void {
    const { bindings } = this.#model
    if (bindings.length === 0) return
    const binding = this.#one(bindings)
    this.#test.broker.router.unbind(binding)
    this.#model.unbind(binding)
  }

  #binding(): Binding {
    const source = this.#one(EXCHANGES)
    const type = this.#model.exchanges.find(({ name }) => name === source)?.type ?? 'direct'
    const destination = this.#random.next() < 0.3 ? `exchange:${this.#one(EXCHANGES)}` : `queue:${this.#one(QUEUES)}`
    const key =
      type === 'consistent-hash' ? String(this.#random.between(1, 4)) : type === 'topic' ? this.#key(WORDS) : this.#one(WORDS)
    const match = type === 'headers' && this.#random.next() < 0.8 ? { match: this.#match() } : {}
    return { source, destination, key, ...match }
  }

  #match(): HeadersMatch {
    const headers: Record<string, HeaderValue | null> = {}
    for (const name of HEADERS)
      if (this.#random.next() < 0.5) headers[name] = this.#random.next() < 0.2 ? null : this.#one(VALUES)
    return { mode: this.#one(MODES), headers }
  }

  // ---- crash ----------------------------------------------------------------------------------------------------------

  async #crash(): Promise<void> {
    this.#journal.left = this.#random.between(0, 3)
    const changes = this.#random.between(0, 10)
    for (let n = 0; n < changes; n++) {
      this.#change()
      this.#steps.push({ model: this.#model.copy(), ticket: this.#test.broker.ticket() })
      if (this.#random.next() < 0.4) await this.#test.settle()
    }
    const { committedTicket } = this.#test.broker
    this.#journal.left = Infinity
    await this.#test.crash()
    const certain = this.#steps.findLastIndex(({ ticket }) => ticket <= committedTicket)
    const possible = this.#steps.slice(Math.max(0, certain)).map(({ model }) => {
      const restarted = model.copy()
      restarted.restart()
      return restarted
    })
    const found = this.#shownByBroker()
    const kept = possible.findIndex(({ shown }) => shown === found)
    if (kept < 0)
      throw new Error(`after the crash there is\n${found}\nand not one of\n${possible.map(({ shown }) => shown).join('\nor\n')}`)
    this.counts.crashes++
    if (kept < possible.length - 1) this.counts.lost++
    this.#model = possible[kept]!
    await this.#test.settle()
    this.#steps = []
    this.#steps.push({ model: this.#model.copy(), ticket: 0 })
  }

  // ---- checks ---------------------------------------------------------------------------------------------------------

  #shownByBroker(): string {
    const { broker } = this.#test
    const shown = new NaiveRouter()
    shown.exchanges = [...broker.router.exchanges()]
    shown.bindings = [...broker.router.bindings()]
    shown.queues = broker.queues().map(({ name }) => name)
    return shown.shown
  }

  #checkState(model: NaiveRouter): void {
    const found = this.#shownByBroker()
    if (found !== model.shown) throw new Error(`there is\n${found}\nand not\n${model.shown}`)
  }

  #checkRoute(): void {
    const source = this.#one(['', ...this.#model.exchanges.map(({ name }) => name)])
    const message = this.#message()
    const expected = this.#model.route(source, message)
    const [key, ...moreKeys] = message.keys as [string, ...string[]]
    const routed: RoutedMessage = messageWith(key, message.headers, moreKeys.length === 0 ? undefined : moreKeys)
    const route = this.#test.broker.router.source(source).route(routed)
    const found = route.destinations.map(({ name }) => name).toSorted()
    if (found.join() !== expected.join()) {
      throw new Error(
        `${JSON.stringify(message)} from ${source} goes to [${found.join()}] and not to [${expected.join()}] with\n${this.#model.shown}`,
      )
    }
    if (found.length > 1) this.counts.routed++
  }

  #message(): NaiveMessage {
    const keys = Array.from({ length: this.#random.next() < 0.2 ? 3 : 1 }, () =>
      this.#random.next() < 0.2 ? this.#one(QUEUES) : this.#key(['x', 'y', 'z', '']),
    )
    const headers: Record<string, HeaderValue> = {}
    for (const name of HEADERS) if (this.#random.next() < 0.6) headers[name] = this.#one(VALUES)
    return { keys, headers }
  }

  #key(words: readonly string[]): string {
    return Array.from({ length: this.#random.between(0, 4) }, () => this.#one(words)).join('.')
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random.between(0, list.length - 1)]!
  }
}
