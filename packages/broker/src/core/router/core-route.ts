// hot path (packages/broker/test/core/routing-throughput.mjs)
import { batchRecordCount } from '@millrace/wire'
import { checkAdmission } from '../admission.ts'
import type { Destination, ScheduleId } from '../broker.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { PreparedPublish } from '../schedule/schedule-target.ts'
import type { Exchange } from './exchange.ts'
import type { RoutesHome } from './exchange-routes.ts'
import { publishToAll, publishToOne } from './fan-out.ts'
import type { RefusedByDestination, Route } from './router.ts'
import { prepareWaits, type Waits } from './waits.ts'

export class CoreRoute implements Route {
  readonly destinations: readonly Destination[]
  readonly targets: readonly PublishTarget[]
  /** Delayed exchanges where messages wait first. */
  readonly waits: Waits | undefined
  readonly #home: RoutesHome
  /** Undefined: the default exchange, whose routes depend on no binding. */
  readonly #exchange: Exchange | undefined
  readonly #generation: number

  constructor(home: RoutesHome, exchange: Exchange | undefined, targets: readonly PublishTarget[], waits?: Waits) {
    this.#home = home
    this.#exchange = exchange
    this.targets = targets
    this.waits = waits
    this.destinations = waits === undefined ? targets : [...targets, ...waits.exchanges.map((each) => each.target)]
    this.#generation = home.generation
  }

  get isCurrent(): boolean {
    if (this.#exchange !== undefined) return this.#generation === this.#home.generation
    return this.targets.length > 0 && this.targets.every((target) => !target.deleted)
  }

  /** Whether nothing takes what goes this way. */
  get isNowhere(): boolean {
    return this.destinations.length === 0
  }

  /** Whether something that goes this way and something that goes the other way meet. */
  shares(other: CoreRoute): boolean {
    if (other.targets.length < this.targets.length) return other.shares(this)
    for (const target of this.targets) if (other.targets.includes(target)) return true
    return this.waits !== undefined && other.waits !== undefined
  }

  publish(batch: Uint8Array): readonly RefusedByDestination[] | undefined {
    const { targets, waits } = this
    if (waits !== undefined) this.#delay(batch)
    if (targets.length === 0) {
      checkAdmission(this.#home.shard)
      const records = batchRecordCount(batch)
      this.#exchange?.count(records, 0, waits === undefined ? records : 0)
      return undefined
    }
    const isSimple = targets.length === 1 && targets[0]!.partitions === 1
    const refused = isSimple ? publishToOne(targets[0]!, batch) : publishToAll(this.#home.shard, targets, batch)
    if (this.#exchange !== undefined) {
      const records = batchRecordCount(batch)
      let taken = records * targets.length
      for (const { position } of refused ?? []) taken -= records - position
      this.#exchange.count(records, taken, 0)
    }
    return refused
  }

  /** Gets ready to let a batch wait first, where some of its destinations want that. @throws as `publish` */
  prepareWaits(batch: Uint8Array): readonly PreparedPublish[] {
    return this.waits === undefined ? [] : prepareWaits(this.#home.shard, this.waits, batch)
  }

  /** So many messages went this way, by whoever wrote them to all destinations. */
  count(messages: number): void {
    this.#exchange?.count(messages, messages * this.targets.length, 0)
  }

  publishLater(batch: Uint8Array, dueMs: number): readonly ScheduleId[] {
    return this.destinations.map((destination) => destination.publishLater(-1, batch, dueMs))
  }

  #delay(batch: Uint8Array): void {
    const { shard } = this.#home
    for (const wait of this.prepareWaits(batch)) {
      shard.store.reserve(wait.bytes)
      wait.append()
    }
    shard.cycle.bound()
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    shard.store.touch()
  }
}
