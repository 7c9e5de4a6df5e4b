/** Routing by its definitions, without any index: what the router must do. Plain data, so that it can be copied. */
import { unreachable } from '../../src/base/assert.ts'
import type { Binding, ExchangeSpec, HeadersMatch, HeaderValue } from '../../src/core/broker.ts'
import { mixed, textHash } from '../../src/core/router/matchers/text-hash.ts'

export interface NaiveMessage {
  readonly keys: readonly string[]
  readonly headers: Readonly<Record<string, HeaderValue>>
}

export class NaiveRouter {
  exchanges: ExchangeSpec[] = []
  bindings: Binding[] = []
  queues: string[] = []

  copy(): NaiveRouter {
    const copy = new NaiveRouter()
    copy.exchanges = [...this.exchanges]
    copy.bindings = [...this.bindings]
    copy.queues = [...this.queues]
    return copy
  }

  /** What can be seen of it. */
  get shown(): string {
    const all = [
      ...this.exchanges.map(exchangeText),
      ...this.bindings.map(bindingText),
      ...this.queues.map((name) => `queue ${name}`),
    ]
    return all.toSorted().join('\n')
  }

  bind(binding: Binding): void {
    if (!this.bindings.some((each) => bindingText(each) === bindingText(binding))) this.bindings.push(binding)
  }

  unbind(binding: Binding): void {
    this.#removeBindings((each) => bindingText(each) === bindingText(binding))
  }

  deleteExchange(name: string): void {
    this.exchanges = this.exchanges.filter((each) => each.name !== name)
    this.bindings = this.bindings.filter((each) => each.source !== name)
    this.#removeBindings((each) => each.destination === `exchange:${name}`)
  }

  deleteQueue(name: string): void {
    this.queues = this.queues.filter((each) => each !== name)
    this.#removeBindings((each) => each.destination === `queue:${name}`)
  }

  /** What is not durable goes. */
  restart(): void {
    const gone = this.exchanges.filter(({ durable }) => durable === false).map(({ name }) => name)
    this.exchanges = this.exchanges.filter(({ name }) => !gone.includes(name))
    this.bindings = this.bindings.filter(
      ({ source, destination }) => !gone.includes(source) && !gone.includes(destination.replace('exchange:', '')),
    )
  }

  /** Names of queues, sorted. */
  route(exchange: string, message: NaiveMessage): readonly string[] {
    const queues = new Set<string>()
    this.#visit(exchange, message, new Set(), queues)
    return [...queues].toSorted()
  }

  #visit(name: string, message: NaiveMessage, seen: Set<string>, queues: Set<string>): void {
    if (seen.has(name)) return
    if (name === '') {
      for (const key of message.keys) if (this.queues.includes(key)) queues.add(key)
      return
    }
    seen.add(name)
    const exchange = this.exchanges.find((each) => each.name === name)
    if (exchange === undefined) return
    const bindings = this.bindings.filter(({ source }) => source === name)
    const taken =
      exchange.type === 'consistent-hash'
        ? sharersOf(exchange, bindings, message)
        : bindings.filter((each) => fits(exchange, each, message))
    for (const { destination } of taken) {
      const [kind, to] = [destination.slice(0, destination.indexOf(':')), destination.slice(destination.indexOf(':') + 1)]
      if (kind === 'queue') queues.add(to)
      else this.#visit(to, message, seen, queues)
    }
    if (taken.length === 0 && exchange.alternate !== undefined) this.#visit(exchange.alternate, message, seen, queues)
  }

  #removeBindings(isGone: (binding: Binding) => boolean): void {
    const sources = this.bindings.filter((each) => isGone(each)).map(({ source }) => source)
    this.bindings = this.bindings.filter((each) => !isGone(each))
    for (const source of sources) {
      const exchange = this.exchanges.find(({ name }) => name === source)
      if (exchange?.autoDelete === true && !this.bindings.some((each) => each.source === source)) this.deleteExchange(source)
    }
  }
}

function exchangeText({ name, type, durable, autoDelete, alternate, hashOn }: ExchangeSpec): string {
  return `exchange ${JSON.stringify([name, type, durable, autoDelete ?? false, alternate ?? null, hashOn ?? null])}`
}

function bindingText({ source, destination, key, match }: Binding): string {
  const headers =
    match === undefined ? null : [match.mode, Object.entries(match.headers).toSorted(([a], [b]) => (a < b ? -1 : 1))]
  return `binding ${JSON.stringify([source, destination, key, headers])}`
}

function fits({ type }: ExchangeSpec, { key, match }: Binding, message: NaiveMessage): boolean {
  switch (type) {
    case 'direct':
      return message.keys.includes(key)
    case 'fanout':
      return true
    case 'topic':
      return message.keys.some((each) => fitsPattern(wordsOf(key), wordsOf(each)))
    case 'headers':
      return fitsHeaders(match ?? { mode: 'all', headers: {} }, message)
    case 'consistent-hash':
      return false
    default:
      return unreachable(type)
  }
}

function wordsOf(key: string): readonly string[] {
  return key === '' ? [] : key.split('.')
}

function fitsPattern([first, ...rest]: readonly string[], words: readonly string[]): boolean {
  if (first === undefined) return words.length === 0
  if (first === '#') return words.some((_, n) => fitsPattern(rest, words.slice(n))) || fitsPattern(rest, [])
  return words.length > 0 && (first === '*' || first === words[0]) && fitsPattern(rest, words.slice(1))
}

function fitsHeaders({ mode, headers }: HeadersMatch, message: NaiveMessage): boolean {
  const entries = Object.entries(headers).filter(([name]) => mode.endsWith('x') || !name.startsWith('x-'))
  const isThere = ([name, value]: [string, HeaderValue | null]): boolean =>
    name in message.headers && (value === null || message.headers[name] === value)
  return mode.startsWith('all') ? entries.every(isThere) : entries.some(isThere)
}

/** The one with the best draw for each key; its shares are checked elsewhere. */
function sharersOf({ hashOn }: ExchangeSpec, bindings: readonly Binding[], message: NaiveMessage): readonly Binding[] {
  const weights = new Map<string, number>()
  for (const { destination, key } of bindings) weights.set(destination, (weights.get(destination) ?? 0) + Number(key))
  const header = hashOn !== undefined && 'header' in hashOn ? hashOn.header : undefined
  const texts = header === undefined ? message.keys : [String(message.headers[header] ?? '')]
  const best = texts.map((text) => {
    const draws = [...weights].map(([destination, weight]) => {
      const draw = -Math.log((mixed(textHash(text) ^ textHash(destination)) + 0.5) / 2 ** 32) / weight
      return { destination, draw }
    })
    return draws.toSorted((a, b) => a.draw - b.draw)[0]?.destination
  })
  return bindings.filter(({ destination }) => best.includes(destination))
}
