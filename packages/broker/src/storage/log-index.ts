import { EntryPool, shapeBatches, shapeSharers, type EntryColumns } from './entry-pool.ts'
import { ExtentLedger } from './extent-ledger.ts'
import { LogState } from './log-state.ts'
import type { LogId } from './log-store.ts'
import { LogTable } from './log-table.ts'
import { findInTail, insertInTail, releaseTail, removeFromTail } from './log-tail.ts'
import { RangeSet } from './range-set.ts'
import { RunList, type RunDescriptor } from './run-list.ts'

// hot path (bench/src/log-store.ts)

/**
 * Where everything is: for each log its bounds, its newest entries and its sealed runs, as of the last durable commit.
 * Changed by `DirectoryReplay` only, from the directories of durable commits, so that an index that was rebuilt
 * and one that was kept are the same by construction.
 */
export class LogIndex {
  readonly logs: LogTable = new LogTable()
  readonly pool: EntryPool = new EntryPool()
  readonly ledger: ExtentLedger = new ExtentLedger()
  /** Logs whose tail is long enough to be sealed. */
  readonly sealQueue: LogState[] = []
  /** While false, weights are left alone: the ledger has them from a checkpoint. */
  isAccounting = true
  readonly #runEntries: number
  #coldBytes = 0

  constructor(runEntries: number) {
    this.#runEntries = runEntries
  }

  /** Memory, in bytes: pages, run lists and holes as allocated, a flat estimate per log. */
  get bytes(): number {
    return this.pool.bytes + this.#coldBytes + this.logs.size * LOG_BYTES
  }

  create(id: LogId): void {
    let log = this.logs.get(id)
    if (log === undefined) {
      log = new LogState(id, 0)
      this.logs.add(log)
    }
    log.isCommitted = true
  }

  delete(log: LogState): void {
    for (let n = 0; n < (log.runs?.count ?? 0); n++) this.#weighRun(log, log.runs!.at(n), -1, true)
    if (log.tailCount > 0) {
      const page = this.pool.page(log.tailHandle)
      const at = this.pool.first(log.tailHandle) + log.tailFirst
      for (let n = 0; n < log.tailCount; n++) this.#weighEntry(log, page, at + n, -1)
    }
    releaseTail(this.pool, log)
    this.#coldBytes -= coldBytes(log)
    this.logs.delete(log.id)
  }

  /** Adds an entry to the tail; `end` grows with it. An entry that is forgotten already is left out. */
  add(
    log: LogState,
    base: number,
    offsets: number,
    seq: number,
    position: number,
    length: number,
    timestampMs: number,
    shape: number,
  ): void {
    const end = base + offsets
    if (end > log.end) {
      log.end = end
      if (end > log.next) log.next = end
    }
    const dead = base >= log.start && log.holes === undefined ? 0 : log.deadOffsets(base, end)
    if (dead === offsets) return
    insertInTail(this.pool, log, base, offsets, seq, position, length, timestampMs, shape)
    const live = liveShare(shapeBatches(shape), offsets, dead) * length
    log.bytes += live
    if (this.isAccounting) this.ledger.add(seq, live / shapeSharers(shape))
    if (!log.isQueuedForSealing && log.tailCount >= this.#runEntries >> 2 && log.tailCount >= this.runLength(log))
      this.queueForSealing(log)
  }

  /**
   * How many entries of a log are sealed together: somewhat less than the limit, so that its tail keeps to it while the sealing commits.
   * Logs differ, and most in their first run: of many that grow at the same pace some are then always short, some long, and few are
   * sealed in the same commit.
   */
  runLength(log: LogState): number {
    const eighth = this.#runEntries >> 3
    const mixed = Math.imul(log.id, 0x9e3779b1) >>> 8
    if (log.sealedEnd === 0) return 2 * eighth + (mixed % (5 * eighth))
    return 6 * eighth + (mixed % (eighth + 1))
  }

  /** Which part of an entry the ledger counts: what is known of the entry in the tail, what is known of its run in a run. */
  ledgerShare(log: LogState, base: number, entryShare: number): number {
    const n = log.runs?.find(base) ?? 0
    if (log.runs === undefined || n === log.runs.count || log.runs.first(n) > base) return entryShare
    return this.liveShareOfRun(log, log.runs.at(n))
  }

  queueForSealing(log: LogState): void {
    log.isQueuedForSealing = true
    this.sealQueue.push(log)
  }

  trim(log: LogState, start: number): void {
    if (start <= log.start) return
    const gone = findInTail(this.pool, log, start)
    const isPartial = gone < log.tailCount && this.#tailBase(log, gone) < start
    for (let n = 0; n < gone + (isPartial ? 1 : 0); n++) this.#weighTail(log, n, -1)
    const runsTouched = log.runs?.overlapping(-1, start) ?? 0
    for (let n = 0; n < runsTouched; n++) this.#weighRun(log, log.runs!.at(n), -1, false)

    log.start = start
    this.#coldBytes -= coldBytes(log)
    log.holes?.removeBelow(start)
    if (log.holes?.count === 0) log.holes = undefined
    this.#coldBytes += coldBytes(log)

    removeFromTail(this.pool, log, 0, gone)
    if (isPartial) this.#weighTail(log, 0, 1)
    this.#reweighRuns(log, 0, runsTouched)
  }

  discard(log: LogState, first: number, end: number): void {
    const from = findInTail(this.pool, log, first)
    let to = from
    while (to < log.tailCount && this.#tailBase(log, to) < end) this.#weighTail(log, to++, -1)
    const runFrom = log.runs?.find(first) ?? 0
    const runTo = runFrom + (log.runs?.overlapping(first, end) ?? 0)
    for (let n = runFrom; n < runTo; n++) this.#weighRun(log, log.runs!.at(n), -1, false)

    this.#coldBytes -= coldBytes(log)
    log.holes ??= new RangeSet()
    log.holes.add(Math.max(first, log.start), end)
    this.#coldBytes += coldBytes(log)

    for (let n = to - 1; n >= from; n--) {
      if (this.#isTailEntryDead(log, n)) removeFromTail(this.pool, log, n, 1)
      else this.#weighTail(log, n, 1)
    }
    this.#reweighRuns(log, runFrom, runTo)
  }

  /** Takes all entries of the tail that lie in [first, end) out. */
  removeRange(log: LogState, first: number, end: number): void {
    const from = findInTail(this.pool, log, first)
    let to = from
    while (to < log.tailCount && this.#tailBase(log, to) < end) this.#weighTail(log, to++, -1)
    removeFromTail(this.pool, log, from, to - from)
  }

  /** The entries of [run.first, run.end) are in this sealed run from now on, be they in the tail or in older runs that overlap it. */
  putRun(log: LogState, run: RunDescriptor): void {
    if (run.end > log.sealedEnd) log.sealedEnd = run.end
    log.isQueuedForSealing = false
    const isSeal = this.#dropOverlapped(log, run) === 0
    this.#moveTailIntoRun(log, run, isSeal)
    if (log.tailCount >= this.runLength(log)) this.queueForSealing(log)
    if (log.deadOffsets(run.first, run.end) === run.end - run.first) return
    this.restoreRun(log, run)
    if (this.isAccounting) this.ledger.add(run.seq, run.length)
    log.bytes += run.bytes * this.liveShareOfRun(log, run)
  }

  /** Sealed batches at `offset` went from commit `origin` (-1: from somewhere in their run) to commit `seq`. */
  moveWeight(log: LogState, offset: number, seq: number, weight: number, origin: number, weightBefore: number): void {
    if (!this.isAccounting) return
    const n = log.runs?.find(offset) ?? 0
    if (log.runs === undefined || n === log.runs.count) {
      this.ledger.add(seq, weight)
      return
    }
    const run = log.runs.at(n)
    const share = this.liveShareOfRun(log, run)
    this.ledger.add(seq, weight * share)
    if (origin >= 0) this.ledger.add(origin, -weightBefore * share)
    else this.ledger.spread(run.seqMin, run.seq, -weightBefore * share)
  }

  /** Takes over a run as a checkpoint has it. */
  restoreRun(log: LogState, run: RunDescriptor): void {
    this.#coldBytes -= coldBytes(log)
    log.runs ??= new RunList()
    log.runs.put(run)
    this.#coldBytes += coldBytes(log)
  }

  restoreHoles(log: LogState, holes: RangeSet): void {
    log.holes = holes
    this.#coldBytes += holes.bytes
  }

  /** Which part of a run's offsets is not forgotten. How its batches lie is not known. */
  liveShareOfRun(log: LogState, run: RunDescriptor): number {
    return 1 - log.deadOffsets(run.first, run.end) / (run.end - run.first)
  }

  /** @returns how many runs went; the weight of their batches is not touched */
  #dropOverlapped(log: LogState, run: RunDescriptor): number {
    const runs = log.runs
    if (runs === undefined) return 0
    const n = runs.find(run.first)
    let dropped = 0
    while (n < runs.count && runs.first(n) < run.end) {
      const old = runs.at(n)
      log.bytes -= old.bytes * this.liveShareOfRun(log, old)
      if (this.isAccounting) this.ledger.add(old.seq, -old.length)
      runs.remove(n)
      dropped++
    }
    return dropped
  }

  /** Takes entries that are sealed now out of the tail; their weight changes from the exact one to the share that their run has. */
  #moveTailIntoRun(log: LogState, run: RunDescriptor, isSeal: boolean): void {
    const from = findInTail(this.pool, log, run.first)
    if (from === log.tailCount || this.#tailBase(log, from) >= run.end) return
    const page = this.pool.page(log.tailHandle)
    const at = this.pool.first(log.tailHandle) + log.tailFirst
    let to = from
    let weight = 0
    for (; to < log.tailCount && page.base[at + to]! < run.end; to++)
      weight += page.length[at + to]! / shapeSharers(page.shape[at + to]!)
    // Entries that were forgotten between the sealing and its commit are part of what the run says it weighs.
    const share = this.liveShareOfRun(log, run) * (isSeal ? run.weight / weight : 1)
    for (let n = from; n < to; n++) {
      this.#weighEntry(log, page, at + n, -1)
      if (this.isAccounting)
        this.ledger.add(page.seq[at + n]!, (page.length[at + n]! / shapeSharers(page.shape[at + n]!)) * share)
    }
    removeFromTail(this.pool, log, from, to - from)
  }

  /** Weighs the runs `from..to` again after a change of what is forgotten; those that are forgotten as a whole go. */
  #reweighRuns(log: LogState, from: number, to: number): void {
    const runs = log.runs
    if (runs === undefined) return
    for (let n = to - 1; n >= from; n--) {
      const run = runs.at(n)
      if (this.liveShareOfRun(log, run) > 0) this.#weighRun(log, run, 1, false)
      else {
        if (this.isAccounting) this.ledger.add(run.seq, -run.length)
        runs.remove(n)
      }
    }
    if (runs.count > 0) return
    this.#coldBytes -= coldBytes(log)
    log.runs = undefined
    this.#coldBytes += coldBytes(log)
  }

  #weighRun(log: LogState, run: RunDescriptor, sign: number, withItself: boolean): void {
    const share = this.liveShareOfRun(log, run) * sign
    log.bytes += run.bytes * share
    if (!this.isAccounting) return
    this.ledger.spread(run.seqMin, run.seq, run.weight * share)
    if (withItself) this.ledger.add(run.seq, run.length * sign)
  }

  #tailBase(log: LogState, n: number): number {
    return this.pool.page(log.tailHandle).base[this.pool.first(log.tailHandle) + log.tailFirst + n]!
  }

  #isTailEntryDead(log: LogState, n: number): boolean {
    const page = this.pool.page(log.tailHandle)
    const at = this.pool.first(log.tailHandle) + log.tailFirst + n
    return log.deadOffsets(page.base[at]!, page.base[at]! + page.offsets[at]!) === page.offsets[at]
  }

  #weighTail(log: LogState, n: number, sign: number): void {
    this.#weighEntry(log, this.pool.page(log.tailHandle), this.pool.first(log.tailHandle) + log.tailFirst + n, sign)
  }

  #weighEntry(log: LogState, page: EntryColumns, at: number, sign: number): void {
    const base = page.base[at]!
    const offsets = page.offsets[at]!
    const shape = page.shape[at]!
    const live = liveShare(shapeBatches(shape), offsets, log.deadOffsets(base, base + offsets)) * page.length[at]! * sign
    log.bytes += live
    if (this.isAccounting) this.ledger.add(page.seq[at]!, live / shapeSharers(shape))
  }
}

/** Object, map slot and numbers of a log that has nothing in it. */
const LOG_BYTES = 200

/** How much of an entry is alive. Space returns for whole batches only; how the batches lie in an entry of several is not known. */
export function liveShare(batches: number, offsets: number, dead: number): number {
  if (dead === 0) return 1
  if (dead >= offsets) return 0
  return batches === 1 ? 1 : 1 - dead / offsets
}

function coldBytes(log: LogState): number {
  return (log.runs?.memoryBytes ?? 0) + (log.holes?.bytes ?? 0)
}
