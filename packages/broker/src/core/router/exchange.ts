import { exchangeAddress } from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import type { DefinitionCell } from '../definitions.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { BoundTo } from './bound-to.ts'
import type { CheckedExchange, ExchangeDefinition } from './exchange-spec.ts'
import { ExchangeRoutes, type RoutesHome } from './exchange-routes.ts'
import { ExchangeSchedule } from './exchange-schedule.ts'
import { ExchangeTarget } from './exchange-target.ts'
import { type Matcher, newMatcher } from './matchers/matcher.ts'
import type { Binding, ExchangeInfo, HeadersMatch } from './router.ts'

/** A binding whose ends are known. */
export interface BoundBinding {
  readonly binding: Binding
  /** What of it, beside where it is from, makes it that one. */
  readonly identity: string
  readonly from: Exchange
  readonly to: BoundTo
  readonly key: string
  readonly match?: HeadersMatch
  /** Undefined where it is gone after a restart. */
  readonly cell: DefinitionCell | undefined
}

export class Exchange {
  /** Its entity in the state log. */
  readonly entity: number
  readonly name: string
  readonly address: string
  spec: CheckedExchange
  /** Undefined when it is gone after a restart. */
  cell: DefinitionCell | undefined
  readonly matcher: Matcher
  /** Those from it, by identity. */
  readonly bindings: Map<string, BoundBinding> = new Map()
  /** How many of them lead to each exchange. */
  readonly exchanges: Map<Exchange, number> = new Map()
  deleted = false
  published = 0
  routed = 0
  unroutable = 0
  /** As publishers see it. */
  readonly routes: ExchangeRoutes
  readonly target: ExchangeTarget
  readonly schedule: ExchangeSchedule

  constructor(home: RoutesHome, entity: number, spec: CheckedExchange) {
    this.entity = entity
    this.name = spec.name
    this.address = exchangeAddress(spec.name)
    this.spec = spec
    this.matcher = newMatcher(spec)
    this.routes = new ExchangeRoutes(home, this)
    this.target = new ExchangeTarget(home, this, undefined)
    this.schedule = new ExchangeSchedule(home.shard, this)
  }

  add(bound: BoundBinding): void {
    this.bindings.set(bound.identity, bound)
    this.matcher.add(bound)
    if (bound.to instanceof Exchange) this.exchanges.set(bound.to, (this.exchanges.get(bound.to) ?? 0) + 1)
  }

  remove(bound: BoundBinding): void {
    this.bindings.delete(bound.identity)
    this.matcher.remove(bound)
    if (!(bound.to instanceof Exchange)) return
    const left = (this.exchanges.get(bound.to) ?? 0) - 1
    if (left > 0) this.exchanges.set(bound.to, left)
    else this.exchanges.delete(bound.to)
  }

  /** What happened to messages. @param taken by all that got them, together */
  count(published: number, taken: number, unroutable: number): void {
    this.published += published
    this.routed += taken
    this.unroutable += unroutable
  }

  get info(): ExchangeInfo {
    return { ...this.spec, counters: { in: this.published, out: this.routed, unroutable: this.unroutable } }
  }

  get definition(): ExchangeDefinition {
    const { durable, ...exchange } = this.spec
    assert(durable, 'what is not durable is not stored')
    return { kind: 'exchange', exchange }
  }
}

/** Topics and queues by name. */
export interface Targets {
  readonly topics: ReadonlyMap<string, { readonly target: PublishTarget }>
  readonly queues: ReadonlyMap<string, { readonly target: PublishTarget }>
}
