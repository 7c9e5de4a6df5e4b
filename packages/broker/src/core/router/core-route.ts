// hot path (packages/broker/test/core/routing-throughput.mjs)
import { batchRecordCount } from '@millrace/wire'
import { checkAdmission } from '../admission.ts'
import type { Destination, ScheduleId } from '../broker.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { Exchange } from './exchange.ts'
import type { RoutesHome } from './exchange-routes.ts'
import { publishToAll, publishToOne } from './fan-out.ts'
import type { RefusedByDestination, Route } from './router.ts'

export class CoreRoute implements Route {
  readonly destinations: readonly Destination[]
  readonly targets: readonly PublishTarget[]
  readonly #home: RoutesHome
  /** Undefined: the default exchange, whose routes depend on no binding. */
  readonly #exchange: Exchange | undefined
  readonly #generation: number

  constructor(
    home: RoutesHome,
    exchange: Exchange | undefined,
    targets: readonly PublishTarget[],
    _waits: readonly Exchange[],
    _delayMs: number,
  ) {
    this.#home = home
    this.#exchange = exchange
    this.targets = targets
    this.destinations = targets
    this.#generation = home.generation
  }

  get isCurrent(): boolean {
    if (this.#exchange !== undefined) return this.#generation === this.#home.generation
    return this.targets.length > 0 && this.targets.every((target) => !target.deleted)
  }

  publish(batch: Uint8Array): readonly RefusedByDestination[] | undefined {
    const { targets } = this
    const { shard } = this.#home
    if (targets.length === 0) {
      checkAdmission(shard)
      this.#exchange?.count(batchRecordCount(batch), 0, true)
      return undefined
    }
    const isSimple = targets.length === 1 && targets[0]!.partitions === 1
    const refused = isSimple ? publishToOne(targets[0]!, batch) : publishToAll(shard, targets, batch)
    if (this.#exchange !== undefined) {
      const records = batchRecordCount(batch)
      let taken = records * targets.length
      for (const { position } of refused ?? []) taken -= records - position
      this.#exchange.count(records, taken, false)
    }
    return refused
  }

  publishLater(batch: Uint8Array, dueMs: number): readonly ScheduleId[] {
    return this.targets.map((target) => target.publishLater(-1, batch, dueMs))
  }
}
