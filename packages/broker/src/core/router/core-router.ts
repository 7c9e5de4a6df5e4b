import { parseExchangeAddress, parseTopicAddress } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { scopedName, splitScopedName } from '../../base/scoped-names.ts'
import type { Ticket } from '../../storage/log-store.ts'
import { alreadyExists } from '../definition-errors.ts'
import { DefinitionCell } from '../definitions.ts'
import type { Destination, KeyCheck } from '../destination.ts'
import type { LetterBox } from '../delivery/letter-box.ts'
import { checkLabels } from '../labels.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { ScheduleTarget } from '../schedule/schedule-target.ts'
import type { Shard } from '../shard.ts'
import type { StateCell } from '../state/state-log.ts'
import { type BindingDefinition, checkBinding, identityOf } from './binding-spec.ts'
import { Bindings } from './bindings.ts'
import type { BoundTo } from './bound-to.ts'
import { canonicalJson } from './canonical-json.ts'
import { DefaultSource } from './default-source.ts'
import { type BoundBinding, Exchange, type Targets } from './exchange.ts'
import type { RoutesHome } from './exchange-routes.ts'
import { ExchangeBox } from './exchange-box.ts'
import { ExchangeTarget } from './exchange-target.ts'
import { checkAlternate, type CheckedExchange, checkExchange } from './exchange-spec.ts'
import { BINDINGS_MAX, DEFINITION_BYTES, REMOVAL_BYTES } from './limits.ts'
import { RouteSearch } from './route-search.ts'
import type { Binding, ExchangeChange, ExchangeInfo, ExchangeSource, ExchangeSpec, Router } from './router.ts'

const QUEUE = 'queue:'

export class CoreRouter implements Router {
  readonly #shard: Shard
  readonly #targets: Targets
  readonly #newEntity: () => number
  readonly #exchanges = new Map<string, Exchange>()
  readonly #bindings = new Bindings()
  readonly #home: RoutesHome
  /** Those whose alternate is the default exchange: what they lead to changes with every queue and topic. */
  readonly #toDefault = new Set<Exchange>()
  /** Bindings whose exchange, topic or queue a restart did not bring back; and exchanges that lost bindings so. */
  readonly #dangling: number[] = []
  readonly #bereft = new Set<Exchange>()

  constructor(shard: Shard, targets: Targets, newEntity: () => number) {
    this.#shard = shard
    this.#targets = targets
    this.#newEntity = newEntity
    const byName = (name: string): PublishTarget | undefined => (targets.queues.get(name) ?? targets.topics.get(name))?.target
    const search = new RouteSearch({ exchange: (name) => this.#exchanges.get(name), byName })
    this.#home = newHome(shard, search, byName)
  }

  // ---- exchanges ----------------------------------------------------------------------------------------------------

  createExchange(spec: ExchangeSpec): Ticket {
    this.#checkOpen()
    const checked = checkExchange(spec)
    const existing = this.#exchanges.get(spec.name)
    if (existing !== undefined) {
      if (canonicalJson(existing.spec) !== canonicalJson(checked)) throw alreadyExists('exchange', spec.name)
      return this.#ticket()
    }
    if (this.#exchanges.size >= this.#shard.limits.queuesMax)
      throw new MillraceError(
        'limit_reached',
        `there are ${this.#exchanges.size} exchanges, and more are not allowed: delete some`,
      )
    const exchange = this.#make(new Exchange(this.#home, this.#newEntity(), checked))
    if (checked.durable) this.#store(exchange)
    return this.#changed()
  }

  updateExchange(name: string, change: ExchangeChange): Ticket {
    this.#checkOpen()
    const exchange = this.#exchange(name)
    const { alternate, labels: asked, ...kept } = { ...exchange.spec, ...change }
    const labels = checkLabels(asked)
    exchange.spec = {
      ...kept,
      ...(alternate === undefined ? {} : { alternate: checkAlternate(alternate) }),
      ...(labels === undefined ? {} : { labels }),
    }
    if (exchange.cell !== undefined) this.#store(exchange)
    this.#noteAlternate(exchange)
    return this.#changed()
  }

  deleteExchange(name: string, options: { readonly ifUnused?: boolean } = {}): Ticket {
    this.#checkOpen()
    const exchange = this.#exchange(name)
    if (options.ifUnused === true && exchange.bindings.size > 0) {
      throw new MillraceError('in_use', `${exchange.address} has ${exchange.bindings.size} bindings: unbind them first`)
    }
    this.#drop(exchange)
    return this.#changed()
  }

  exchange(name: string): ExchangeInfo {
    return this.#exchange(name).info
  }

  exchanges(): readonly ExchangeInfo[] {
    return [...this.#exchanges.values()].map((exchange) => exchange.info)
  }

  // ---- bindings -----------------------------------------------------------------------------------------------------

  bind(binding: Binding): Ticket {
    this.#checkOpen()
    const from = this.#exchange(binding.source)
    const to = this.#boundTo(binding.destination)
    if (to === undefined) throw new MillraceError('not_found', `${binding.destination} does not exist: create it first`)
    const checked = checkBinding({ ...binding, destination: to.address }, from.spec.type)
    if (from.bindings.has(identityOf(checked))) return this.#ticket()
    if (this.#bindings.size >= BINDINGS_MAX)
      throw new MillraceError('limit_reached', `there are ${BINDINGS_MAX} bindings, and more are not allowed: remove some`)
    const isDurable = from.cell !== undefined && !(to instanceof Exchange && to.cell === undefined)
    const bound = newBound(checked, from, to, isDurable ? this.#newEntity() : undefined)
    if (bound.cell !== undefined) {
      this.#shard.store.reserve(canonicalJson(checked).length * 3 + DEFINITION_BYTES)
      this.#shard.stateLog.snapshot(bound.cell)
    }
    this.#bindings.add(bound)
    return this.#changed()
  }

  unbind(binding: Binding): Ticket {
    this.#checkOpen()
    const from = this.#exchange(binding.source)
    const address = this.#boundTo(binding.destination)?.address
    const identity = identityOf(checkBinding({ ...binding, destination: address ?? binding.destination }, from.spec.type))
    const bound = from.bindings.get(identity)
    if (bound === undefined) return this.#ticket()
    this.#remove([bound])
    return this.#changed()
  }

  bindings(where: { readonly source?: string; readonly destination?: string } = {}): readonly Binding[] {
    const { source, destination } = where
    const from = source === undefined ? [...this.#exchanges.values()] : [this.#exchange(source)]
    const to = destination === undefined ? undefined : this.#boundTo(destination)
    if (destination !== undefined && to === undefined) return []
    const found = to === undefined ? from.flatMap((exchange) => [...exchange.bindings.values()]) : [...this.#bindings.to(to)]
    return found.filter((bound) => source === undefined || bound.from.name === source).map((bound) => bound.binding)
  }

  source(exchange: string): ExchangeSource {
    return exchange === '' ? this.#home.default : this.#exchange(exchange).routes
  }

  /**
   * An exchange as a destination.
   * @param name '' for the default exchange
   * @throws MillraceError `not_found`, `forbidden` for one that only other exchanges may publish to
   */
  target(name: string, key: string | undefined, checkKey?: KeyCheck): Destination {
    if (name === '') return new ExchangeTarget(this.#home, undefined, key)
    const exchange = this.#exchange(name)
    if (exchange.spec.internal)
      throw new MillraceError(
        'forbidden',
        `${exchange.address} is internal: only exchanges that are bound to it may publish to it`,
      )
    const asks = exchange.spec.type === 'topic' ? checkKey : undefined
    return key === undefined && asks === undefined ? exchange.target : new ExchangeTarget(this.#home, exchange, key, asks)
  }

  // ---- for dead letters ---------------------------------------------------------------------------------------------

  /** @param name '' for the default exchange, `VHOST::` for that of a virtual host: letters find the queues there by their bare names */
  letterBox(name: string, key: string | undefined): LetterBox {
    const byName = this.#home.default
    if (name === '')
      return new ExchangeBox(
        name,
        key,
        (message) => byName.route(message),
        (queue) => queue,
      )
    const { vhost, name: own } = splitScopedName(name)
    const scoped = (each: string): string => scopedName(vhost, each)
    if (own === '')
      return new ExchangeBox('', key, (message) =>
        byName.route({ key: scoped(message.key), moreKeys: message.moreKeys.map(scoped) }),
      )
    return new ExchangeBox(name, key, (message) => this.#exchanges.get(name)?.routes.route(message))
  }

  // ---- for the registry ---------------------------------------------------------------------------------------------

  /** A topic or queue was deleted: so are the bindings to it. */
  targetDeleted(target: PublishTarget): void {
    const bound = this.#bindings.to(target)
    if (bound.size === 0 && this.#toDefault.size === 0) return
    this.#remove([...bound])
    this.#home.generation++
  }

  /** A topic or queue is new. */
  targetMade(): void {
    if (this.#toDefault.size > 0) this.#home.generation++
  }

  // ---- restart ------------------------------------------------------------------------------------------------------

  restoreExchange(entity: number, spec: CheckedExchange): StateCell {
    const exchange = this.#make(new Exchange(this.#home, entity, spec))
    exchange.cell = new DefinitionCell(entity, () => exchange.definition)
    return exchange.cell
  }

  /**
   * @param at what an entity is
   * @returns undefined when what it leads from or to is gone
   */
  restoreBinding(
    entity: number,
    definition: BindingDefinition,
    at: (entity: number) => BoundTo | undefined,
  ): StateCell | undefined {
    const { key, match, labels } = definition
    const from = at(definition.source)
    const to = at(definition.destination)
    if (!(from instanceof Exchange) || to === undefined) {
      this.#dangling.push(entity)
      if (from instanceof Exchange) this.#bereft.add(from)
      return undefined
    }
    const binding: Binding = {
      source: from.name,
      destination: to.address,
      key,
      ...(match === undefined ? {} : { match }),
      ...(labels === undefined ? {} : { labels }),
    }
    const bound = newBound(binding, from, to, entity)
    this.#bindings.add(bound)
    return bound.cell
  }

  /** All bindings are restored: what leads nowhere is forgotten. */
  restored(): void {
    for (const entity of this.#dangling.splice(0)) this.#shard.stateLog.remove(entity, [])
    for (const exchange of this.#bereft) if (!exchange.deleted) this.#deleteIfUnused(exchange)
    this.#bereft.clear()
  }

  /** What messages may wait for. */
  scheduleTargets(): readonly ScheduleTarget[] {
    return [...this.#exchanges.values()].map(({ schedule }) => schedule)
  }

  /** By entity. */
  restoredExchanges(): ReadonlyMap<number, Exchange> {
    return new Map([...this.#exchanges.values()].map((exchange) => [exchange.entity, exchange]))
  }

  // ---- inside -------------------------------------------------------------------------------------------------------

  #exchange(name: string): Exchange {
    const exchange = this.#exchanges.get(name)
    if (exchange !== undefined) return exchange
    throw new MillraceError('not_found', `exchange:${name} does not exist: create it with \`millrace exchange create ${name}\``)
  }

  #make(exchange: Exchange): Exchange {
    this.#exchanges.set(exchange.name, exchange)
    this.#noteAlternate(exchange)
    return exchange
  }

  #noteAlternate(exchange: Exchange): void {
    if (exchange.spec.alternate === '') this.#toDefault.add(exchange)
    else this.#toDefault.delete(exchange)
  }

  #store(exchange: Exchange): void {
    exchange.cell ??= new DefinitionCell(exchange.entity, () => exchange.definition)
    this.#shard.store.reserve(canonicalJson(exchange.definition).length * 3 + DEFINITION_BYTES)
    this.#shard.stateLog.snapshot(exchange.cell)
  }

  /** Deletes it with the bindings from and to it. */
  #drop(exchange: Exchange): void {
    exchange.deleted = true
    this.#exchanges.delete(exchange.name)
    this.#toDefault.delete(exchange)
    this.#shard.schedule.targetDeleted(exchange.schedule)
    const bound = [...exchange.bindings.values(), ...this.#bindings.to(exchange)]
    this.#shard.store.reserve(REMOVAL_BYTES)
    if (exchange.cell !== undefined) this.#shard.stateLog.remove(exchange.entity, [exchange.cell])
    this.#remove(bound)
  }

  #remove(bound: readonly BoundBinding[]): void {
    this.#shard.store.reserve(bound.length * REMOVAL_BYTES)
    const sources = new Set<Exchange>()
    for (const each of bound) {
      // One that leads from an exchange to itself is among those from and to it.
      if (!this.#bindings.remove(each)) continue
      if (each.cell !== undefined) this.#shard.stateLog.remove(each.cell.entity, [each.cell])
      sources.add(each.from)
    }
    for (const source of sources) if (!source.deleted) this.#deleteIfUnused(source)
  }

  #deleteIfUnused(exchange: Exchange): void {
    if (exchange.spec.autoDelete && exchange.bindings.size === 0) this.#drop(exchange)
  }

  #boundTo(address: string): BoundTo | undefined {
    const exchange = parseExchangeAddress(address)
    if (exchange !== undefined && exchange.key === undefined) return this.#exchanges.get(exchange.name)
    const topic = parseTopicAddress(address)
    if (topic !== undefined) {
      const target = this.#targets.topics.get(topic.name)?.target
      return target?.address === address ? target : undefined
    }
    if (address.startsWith(QUEUE)) return this.#targets.queues.get(address.slice(QUEUE.length))?.target
    throw new MillraceError(
      'bad_request',
      `${JSON.stringify(address)} cannot be bound: write queue:NAME, topic:NAME or exchange:NAME`,
    )
  }

  #checkOpen(): void {
    if (this.#shard.refusal !== undefined) throw this.#shard.refusal
  }

  #changed(): Ticket {
    this.#home.generation++
    return this.#ticket()
  }

  /** Of a commit that comes: what is there already may not be durable yet. */
  #ticket(): Ticket {
    this.#shard.store.touch()
    return this.#shard.store.ticket()
  }
}

function newHome(shard: Shard, search: RouteSearch, byName: (name: string) => PublishTarget | undefined): RoutesHome {
  const home = { shard, search, generation: 1, default: undefined as unknown as DefaultSource }
  home.default = new DefaultSource(home, byName)
  return home
}

function newBound(binding: Binding, from: Exchange, to: BoundTo, entity: number | undefined): BoundBinding {
  const { key, match, labels } = binding
  const definition: BindingDefinition = {
    kind: 'binding',
    source: from.entity,
    destination: to.entity,
    key,
    ...(match === undefined ? {} : { match }),
    ...(labels === undefined ? {} : { labels }),
  }
  const cell = entity === undefined ? undefined : new DefinitionCell(entity, () => definition)
  return { binding, identity: identityOf(binding), from, to, key, ...(match === undefined ? {} : { match }), cell }
}
