/** When transactions take too long, and when producers are looked at that nobody uses. */
import { Alarm } from '../groups/alarm.ts'
import type { Shard } from '../shard.ts'
import { UNUSED_SWEEP_MS } from './limits.ts'
import type { Staging } from './staging.ts'

interface Listener {
  late(staging: Staging): void
  /** @returns whether to look again */
  sweep(): boolean
}

export class TransactionDeadlines {
  readonly #shard: Shard
  readonly #listener: Listener
  readonly #alarms = new WeakMap<Staging, Alarm>()
  readonly #sweep: Alarm
  #isSweepSet = false

  constructor(shard: Shard, listener: Listener) {
    this.#shard = shard
    this.#listener = listener
    this.#sweep = new Alarm(shard.timers, () => this.#swept())
  }

  /** Its transaction is open. Time that passed before a restart counts. */
  watch(staging: Staging): void {
    const { clock } = this.#shard.platform
    const { startedMs, timeoutMs } = staging.cell
    const leftMs = Math.min(Math.max(0, startedMs + timeoutMs - clock.nowMs()), timeoutMs)
    let alarm = this.#alarms.get(staging)
    if (alarm === undefined) {
      alarm = new Alarm(this.#shard.timers, () => this.#listener.late(staging))
      this.#alarms.set(staging, alarm)
    }
    alarm.set(clock.monotonicMs() + leftMs)
  }

  forget(staging: Staging): void {
    this.#alarms.get(staging)?.clear()
  }

  planSweep(): void {
    if (this.#isSweepSet) return
    this.#isSweepSet = true
    this.#sweep.set(this.#shard.platform.clock.monotonicMs() + UNUSED_SWEEP_MS)
  }

  #swept(): void {
    this.#isSweepSet = false
    if (this.#listener.sweep()) this.planSweep()
  }
}
