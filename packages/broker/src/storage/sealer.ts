import { shapeSharers, type EntryColumns } from './entry-pool.ts'
import { encodeRun } from './index-run.ts'
import type { StorageLimits } from './limits.ts'
import type { LogIndex } from './log-index.ts'
import type { LogState } from './log-state.ts'
import type { OpenCommit, RunSummary } from './open-commit.ts'

/** Moves long index tails into the journal as sealed runs, some in each commit. */
export class Sealer {
  readonly #index: LogIndex
  readonly #limits: StorageLimits
  sealed = 0

  constructor(index: LogIndex, limits: StorageLimits) {
    this.#index = index
    this.#limits = limits
  }

  /** @returns bytes added */
  fill(open: OpenCommit, room: number, committedTicket: number): number {
    const queue = this.#index.sealQueue
    const before = open.bytes
    let waiting = 0
    // In proportion to the commit, lest tails grow faster than they are sealed.
    const enough = Math.min(room, Math.max(this.#limits.sliceBytes, before >>> 2))
    while (queue.length > waiting && open.bytes - before < enough) {
      const log = queue.shift()!
      if (this.#index.logs.get(log.id) !== log || log.tailCount < this.#index.runLength(log)) log.isQueuedForSealing = false
      else if (log.busyUntil > committedTicket) {
        queue.push(log)
        waiting++
      } else if (!this.#seal(log, open, room - (open.bytes - before))) {
        queue.push(log)
        break
      }
    }
    return open.bytes - before
  }

  /** @returns whether there was room for one run at least */
  #seal(log: LogState, open: OpenCommit, room: number): boolean {
    const entries = this.#index.pool.page(log.tailHandle)
    const at = this.#index.pool.first(log.tailHandle) + log.tailFirst
    const count = this.#index.runLength(log)
    let used = 0
    for (let n = 0; n + count <= log.tailCount; n += count) {
      const summary = summarize(entries, at + n, count)
      const payload = encodeRun(log.id, summary.first, entries, at + n, count)
      used += payload.length + RUN_ENTRY_BYTES
      if (used > room) return n > 0
      open.addRun(log, summary, payload)
      log.busyUntil = open.ticket
      this.sealed++
    }
    return true
  }
}

/** What a directory says of a run, at most. */
const RUN_ENTRY_BYTES = 100

export function summarize(entries: EntryColumns, from: number, count: number): RunSummary {
  let bytes = 0
  let weight = 0
  let maxTimestampMs = -Infinity
  let seqMin = Infinity
  for (let at = from; at < from + count; at++) {
    bytes += entries.length[at]!
    weight += entries.length[at]! / shapeSharers(entries.shape[at]!)
    maxTimestampMs = Math.max(maxTimestampMs, entries.timestampMs[at]!)
    seqMin = Math.min(seqMin, entries.seq[at]!)
  }
  const last = from + count - 1
  return { first: entries.base[from]!, end: entries.base[last]! + entries.offsets[last]!, bytes, weight, maxTimestampMs, seqMin }
}
