/** The search for where a message goes: through exchanges that are bound to exchanges, each of them once. */
import { MillraceError } from '../../base/errors.ts'
import { PublishTarget } from '../publish-target.ts'
import type { BoundTo } from './bound-to.ts'
import { delayOf } from './delay-header.ts'
import type { Exchange } from './exchange.ts'
import { SEARCH_STEPS_MAX } from './limits.ts'
import type { Found } from './matchers/matcher.ts'
import type { RoutedMessage } from './router.ts'

/** Where alternate exchanges are looked up. */
export interface Exchanges {
  exchange(name: string): Exchange | undefined
  /** The queue, or else the topic, that the default exchange gives a message with this key. */
  byName(key: string): PublishTarget | undefined
}

/** Holds what the last search found, until the next. */
export class RouteSearch implements Found {
  /** In the order in which they were found. */
  readonly targets: Set<PublishTarget> = new Set()
  /** Delayed exchanges where the message waits first. */
  readonly waits: Exchange[] = []
  delayMs = 0
  readonly exchanges: Exchanges
  readonly #seen = new Set<Exchange>()
  readonly #work: Exchange[] = []
  #steps = 0
  /** Whether the exchange that is being looked at has a binding that matches. */
  #isMatched = false

  constructor(exchanges: Exchanges) {
    this.exchanges = exchanges
  }

  /**
   * @param isDue the message has waited: delays do not count any more
   * @throws MillraceError `limit_reached` when bindings are so many and so entangled that it would take too long
   */
  search(from: Exchange, message: RoutedMessage, isDue: boolean): this {
    this.targets.clear()
    this.waits.length = 0
    this.#seen.clear()
    this.#work.length = 0
    this.#steps = 0
    this.delayMs = 0
    this.#visit(from)
    for (let n = 0; n < this.#work.length; n++) this.#look(this.#work[n]!, message, isDue)
    return this
  }

  add(to: BoundTo): void {
    this.#isMatched = true
    if (to instanceof PublishTarget) this.targets.add(to)
    else this.#visit(to)
  }

  step(): void {
    if (++this.#steps <= SEARCH_STEPS_MAX) return
    throw new MillraceError(
      'limit_reached',
      `the bindings of exchange:${this.#work[0]!.name} are too entangled: finding where a message goes takes more than ${SEARCH_STEPS_MAX} steps. Use simpler patterns, or fewer.`,
    )
  }

  #visit(exchange: Exchange): void {
    if (this.#seen.has(exchange)) return
    this.#seen.add(exchange)
    this.#work.push(exchange)
  }

  #look(exchange: Exchange, message: RoutedMessage, isDue: boolean): void {
    this.step()
    if (exchange.spec.delayed === true && !isDue) {
      const delayMs = delayOf(message)
      if (delayMs > 0) {
        this.delayMs = delayMs
        this.waits.push(exchange)
        return
      }
    }
    this.#isMatched = false
    exchange.matcher.match(message.key, message, this)
    for (const key of message.moreKeys ?? []) exchange.matcher.match(key, message, this)
    if (!this.#isMatched) this.#useAlternate(exchange, message)
  }

  #useAlternate({ spec: { alternate } }: Exchange, message: RoutedMessage): void {
    if (alternate === undefined) return
    if (alternate === '') {
      for (const key of [message.key, ...(message.moreKeys ?? [])]) {
        const target = this.exchanges.byName(key)
        if (target !== undefined) this.targets.add(target)
      }
      return
    }
    const next = this.exchanges.exchange(alternate)
    if (next !== undefined) this.#visit(next)
  }
}
