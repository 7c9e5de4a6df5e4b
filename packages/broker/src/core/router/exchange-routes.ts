/** An exchange as publishers see it: routes, remembered by key. */
// hot path (packages/broker/test/core/routing-throughput.mjs)
import { MillraceError } from '../../base/errors.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import { CoreRoute } from './core-route.ts'
import type { DefaultSource } from './default-source.ts'
import type { Exchange } from './exchange.ts'
import { CACHED_KEY_LENGTH_MAX, CACHED_KEYS_MAX, ROUTES_MAX } from './limits.ts'
import type { RouteSearch } from './route-search.ts'
import type { ExchangeSource, RoutedMessage } from './router.ts'

/** What all exchanges share. */
export interface RoutesHome {
  readonly shard: Shard
  readonly search: RouteSearch
  readonly default: DefaultSource
  /** Counts changes of exchanges and bindings. */
  generation: number
}

export class ExchangeRoutes implements ExchangeSource {
  readonly #home: RoutesHome
  readonly #exchange: Exchange
  /** Of which all below is. */
  #generation: number
  readonly #byKey = new Map<string, CoreRoute>()
  /** By the entities of their destinations. */
  readonly #routes = new Map<string, CoreRoute>()
  #byHeaders: boolean | undefined

  constructor(home: RoutesHome, exchange: Exchange) {
    this.#home = home
    this.#exchange = exchange
    this.#generation = home.generation
  }

  get name(): string {
    return this.#exchange.name
  }

  get internal(): boolean {
    return this.#exchange.spec.internal
  }

  get byHeaders(): boolean {
    this.#refresh()
    return (this.#byHeaders ??= readsHeaders(this.#home, this.#exchange))
  }

  route(message: RoutedMessage): CoreRoute {
    if (this.#exchange.deleted) throw new MillraceError('not_found', `${this.#exchange.address} was deleted`)
    const { key, moreKeys } = message
    const isByKey = moreKeys === undefined || moreKeys.length === 0
    if (this.byHeaders || !isByKey || key.length > CACHED_KEY_LENGTH_MAX) return this.#find(message, false)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const found = this.#find(message, false)
    if (this.#byKey.size >= CACHED_KEYS_MAX) this.#byKey.clear()
    this.#byKey.set(key, found)
    return found
  }

  /** Of a message that has waited in a delayed exchange. */
  dueRoute(message: RoutedMessage): CoreRoute {
    this.#refresh()
    return this.#find(message, true)
  }

  #find(message: RoutedMessage, isDue: boolean): CoreRoute {
    const { targets, waits, delayMs } = this.#home.search.search(this.#exchange, message, isDue)
    const key = identityOf(targets, waits, delayMs)
    const known = this.#routes.get(key)
    if (known !== undefined) return known
    if (this.#routes.size >= ROUTES_MAX) {
      this.#routes.clear()
      this.#byKey.clear()
    }
    const waiting = waits.length === 0 ? undefined : { exchanges: [...waits], delayMs }
    const route = new CoreRoute(this.#home, this.#exchange, [...targets], waiting)
    this.#routes.set(key, route)
    return route
  }

  #refresh(): void {
    if (this.#generation === this.#home.generation) return
    this.#generation = this.#home.generation
    this.#byKey.clear()
    this.#routes.clear()
    this.#byHeaders = undefined
  }
}

function identityOf(targets: ReadonlySet<PublishTarget>, waits: readonly Exchange[], delayMs: number): string {
  if (targets.size === 1 && waits.length === 0) for (const { entity } of targets) return String(entity)
  const all = [...targets, ...waits]
    .map(({ entity }) => entity)
    .toSorted((a, b) => a - b)
    .join(' ')
  return waits.length === 0 ? all : `${all} ${delayMs}ms`
}

/** Whether an exchange, or one that its messages may reach, looks at more than the key. */
function readsHeaders(home: RoutesHome, start: Exchange): boolean {
  const seen = new Set([start])
  for (const exchange of seen) {
    if (exchange.matcher.readsHeaders || exchange.spec.delayed === true) return true
    for (const next of exchange.exchanges.keys()) seen.add(next)
    const { alternate } = exchange.spec
    const next = alternate === undefined ? undefined : home.search.exchanges.exchange(alternate)
    if (next !== undefined) seen.add(next)
  }
  return false
}
