import type { PayloadRange } from './directory-scan.ts'
import { entryAt, type IndexEntry } from './index-entry.ts'
import type { LogIndex } from './log-index.ts'
import { findRow } from './log-reader.ts'
import type { LogState } from './log-state.ts'
import { findInTail } from './log-tail.ts'
import type { RunCache } from './run-cache.ts'
import type { RunDescriptor } from './run-list.ts'

/** A log's claim to a stretch of a commit's payload, as its directory says. */
export interface Claim {
  readonly log: LogState
  readonly base: number
  readonly seq: number
  readonly range: PayloadRange
}

/** A claim that holds: the index says the same. */
export interface LiveRow {
  readonly claim: Claim
  readonly entry: IndexEntry
  /** The sealed run with the entry; undefined: it is in the tail. */
  readonly run: RunDescriptor | undefined
}

/** Where the index has the batches of a claim now, if it still has them there. Answers at once where it can. */
export function resolveClaim(claim: Claim, index: LogIndex, runs: RunCache): LiveRow | undefined | Promise<LiveRow | undefined> {
  const { log, base, range } = claim
  if (index.logs.get(log.id) !== log) return undefined
  if (log.deadOffsets(base, base + range.offsets) === range.offsets) return undefined
  const n = log.runs?.find(base) ?? 0
  if (log.runs === undefined || n === log.runs.count || log.runs.first(n) > base) return tailRow(claim, index)
  const run = log.runs.at(n)
  const loaded = runs.peek(run)
  if (loaded !== undefined) return rowOfRun(claim, run, loaded.entries, loaded.count)
  return runs.load(log.id, run).then((now) => rowOfRun(claim, run, now.entries, now.count))
}

/** Whether a row is where it was found: nothing moved or forgot it since. */
export function isInPlace(row: LiveRow, index: LogIndex): boolean {
  const { log, base } = row.claim
  if (index.logs.get(log.id) !== log || log.deadOffsets(base, base + row.entry.offsets) === row.entry.offsets) return false
  if (row.run === undefined) return tailRow(row.claim, index) !== undefined
  return isSameRun(log, row.run)
}

/** Whether the log still has exactly this edition of the run. */
export function isSameRun(log: LogState, run: RunDescriptor): boolean {
  const n = log.runs?.find(run.first) ?? 0
  if (log.runs === undefined || n === log.runs.count) return false
  const now = log.runs.at(n)
  return now.first === run.first && now.seq === run.seq && now.position === run.position
}

function tailRow(claim: Claim, index: LogIndex): LiveRow | undefined {
  const { log } = claim
  const n = findInTail(index.pool, log, claim.base)
  if (n === log.tailCount) return undefined
  return rowIfSame(
    claim,
    undefined,
    entryAt(index.pool.page(log.tailHandle), index.pool.first(log.tailHandle) + log.tailFirst + n),
  )
}

function rowOfRun(claim: Claim, run: RunDescriptor, entries: Parameters<typeof findRow>[0], count: number): LiveRow | undefined {
  const at = findRow(entries, count, claim.base)
  return at === count ? undefined : rowIfSame(claim, run, entryAt(entries, at))
}

function rowIfSame(claim: Claim, run: RunDescriptor | undefined, entry: IndexEntry): LiveRow | undefined {
  if (entry.base !== claim.base || entry.seq !== claim.seq || entry.position !== claim.range.position) return undefined
  return { claim, entry, run }
}
