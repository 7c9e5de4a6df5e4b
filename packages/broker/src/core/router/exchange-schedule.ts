/** Messages that wait for an exchange: they are routed when they are due. */
import type { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import type { PreparedPublish, ScheduleTarget } from '../schedule/schedule-target.ts'
import { appendWrite, type Write, writeBytes, writesTo } from '../writes.ts'
import type { Exchange } from './exchange.ts'
import { DUE_BYTES_MAX } from './limits.ts'
import { type Run, runsOf } from './runs.ts'

/** They say what they were published with. */
const AS_THEY_ARE = { exchange: undefined, key: undefined, routedBy: undefined, hasMoreKeys: true }

export class ExchangeSchedule implements ScheduleTarget {
  readonly #shard: Shard
  readonly #exchange: Exchange

  constructor(shard: Shard, exchange: Exchange) {
    this.#shard = shard
    this.#exchange = exchange
  }

  get entity(): number {
    return this.#exchange.entity
  }

  get address(): string {
    return this.#exchange.address
  }

  publish(_partition: number, batch: Uint8Array): void {
    for (const run of this.#runs(this.#shard.plain.of(batch))) run.route.publish(run.batch)
  }

  prepare(_partition: number, batch: Uint8Array): PreparedPublish<number | undefined> {
    const runs = this.#runs(batch)
    const writes = runs.flatMap((run) => writesTo(this.#takers(run), run.batch, run.batch))
    const bytes = writes.reduce((sum, write) => sum + writeBytes(write), 0)
    // What fits into a batch with all that share it fits into a commit too, and leaves room for what goes with it.
    const bytesMax = Math.min(DUE_BYTES_MAX, this.#shard.store.limits.batchBytesMax)
    if (bytes <= bytesMax) return { bytes, append: () => this.#append(runs, writes) }
    return { bytes: undefined, append: () => this.publish(0, batch) }
  }

  /** Those of a route that are there. */
  #takers({ route, batch }: Run): readonly PublishTarget[] {
    return route.targets.filter((target) => !target.deleted && batch.length <= target.bytesMax)
  }

  #append(runs: readonly Run[], writes: readonly Write[]): void {
    const { cycle, store } = this.#shard
    const wasTogether = cycle.together
    cycle.together = true
    for (const write of writes) appendWrite(this.#shard, write)
    cycle.together = wasTogether
    for (const { route, positions } of runs)
      this.#exchange.count(0, positions.length * route.targets.length, route.isNowhere ? positions.length : 0)
    cycle.bound()
    store.touch()
  }

  #runs(batch: Uint8Array): readonly Run[] {
    const { routes } = this.#exchange
    return runsOf(batch, AS_THEY_ARE, (message) => routes.dueRoute(message), this.#shard.limits.batchBytesMax, this.#shard.crc32c)
  }
}
