import { assert } from '../base/assert.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import { walkBatches } from './batch-walk.ts'
import type { CommitPipeline } from './commit-pipeline.ts'
import { editionBytesMax, entryAt, entryWeight, writeEdition, type IndexEntry } from './index-entry.ts'
import type { StorageLimits } from './limits.ts'
import { isInPlace, isSameRun, resolveClaim, type Claim, type LiveRow } from './live-rows.ts'
import type { LogIndex } from './log-index.ts'
import type { LogState } from './log-state.ts'
import type { RewrittenPiece } from './open-commit.ts'
import type { RunCache } from './run-cache.ts'
import type { RunDescriptor } from './run-list.ts'
import type { UpkeepParts } from './upkeep-parts.ts'

/** A sealed run whose own bytes have to move. */
export interface LiveRun {
  readonly log: LogState
  readonly run: RunDescriptor
}

/** One stored copy and all logs that still hold it. */
interface Load {
  readonly rows: readonly LiveRow[]
  readonly bytes: Uint8Array
}

export interface MoverCounters {
  movedFromTail: number
  movedFromRuns: number
  movedShared: number
  movedRuns: number
  splitEntries: number
  lookedAtAgain: number
}

interface Edition {
  readonly log: LogState
  readonly run: RunDescriptor
  entries: IndexEntry[]
}

/**
 * Copies batches and index runs forward into ordinary commits, in slices. What changed between looking and writing is looked at again:
 * a copy never takes the place of anything newer, and a log that is being sealed or rewritten is left alone until that is durable.
 */
export class Mover {
  copiedBytes = 0
  /** What was done, for the simulator to see that it was. */
  readonly counters: MoverCounters = {
    movedFromTail: 0,
    movedFromRuns: 0,
    movedShared: 0,
    movedRuns: 0,
    splitEntries: 0,
    lookedAtAgain: 0,
  }
  readonly #index: LogIndex
  readonly #runs: RunCache
  readonly #pipeline: CommitPipeline
  readonly #journal: Journal
  readonly #crc32c: Crc32c
  readonly #limits: StorageLimits

  constructor(parts: UpkeepParts) {
    this.#index = parts.index
    this.#runs = parts.runs
    this.#pipeline = parts.pipeline
    this.#journal = parts.journal
    this.#crc32c = parts.crc32c
    this.#limits = parts.limits
  }

  /** Returns when none of the claims holds any more, durably. @throws MillraceError `data_corrupt`, or why the pipeline stopped */
  async moveBatches(claims: readonly Claim[]): Promise<void> {
    let left = claims
    while (left.length > 0) {
      const slice: Claim[] = []
      let bytes = 0
      let taken = 0
      while (taken < left.length && (bytes < this.#limits.sliceBytes || continues(left, taken))) {
        slice.push(left[taken]!)
        if (!continues(left, taken)) bytes += left[taken]!.range.length + BYTES_PER_ROW
        taken++
      }
      left = [...(await this.#moveSlice(slice)), ...left.slice(taken)]
    }
  }

  /** The same for runs. */
  async moveRuns(runs: readonly LiveRun[]): Promise<void> {
    for (let left = runs; left.length > 0;) {
      const slice = left.slice(
        0,
        Math.max(1, Math.floor(this.#limits.sliceBytes / editionBytesMax(this.#limits.indexRunEntries))),
      )
      left = [...(await this.#rewriteRuns(slice)), ...left.slice(slice.length)]
    }
  }

  /** @returns the claims that have to be looked at again */
  async #moveSlice(claims: readonly Claim[]): Promise<readonly Claim[]> {
    const rows: LiveRow[] = []
    for (const claim of claims) {
      const row = await resolveClaim(claim, this.#index, this.#runs)
      if (row !== undefined) rows.push(row)
    }
    if (rows.length === 0) return []
    const loads = await this.#read(rows)
    const editions = new Map<string, Edition>()
    let room = 0
    for (const load of loads) {
      room += load.bytes.length + load.rows.length * BYTES_PER_ROW
      for (const { claim, run } of load.rows) {
        if (run === undefined || editions.has(editionKey(claim.log, run))) continue
        const loaded = await this.#runs.load(claim.log.id, run)
        const entries = Array.from({ length: loaded.count }, (_, n) => entryAt(loaded.entries, n))
        editions.set(editionKey(claim.log, run), { log: claim.log, run, entries })
        room += editionBytesMax(loaded.count + load.rows[0]!.entry.batches)
      }
    }
    return this.#write(loads, editions, room)
  }

  /** Once there is room (which may close a commit) nothing waits: what is checked stays true until it is written. */
  async #write(loads: readonly Load[], editions: ReadonlyMap<string, Edition>, room: number): Promise<readonly Claim[]> {
    const pipeline = this.#pipeline
    pipeline.prepare(0)
    pipeline.reserve(room)
    const { open } = pipeline
    const again: Claim[] = []
    const written = new Set<LogState>()
    const changed = new Set<Edition>()
    let waitFor = 0
    for (const load of loads) {
      const rows = load.rows.filter((row) => {
        if (isInPlace(row, this.#index)) return true
        again.push(row.claim)
        return false
      })
      const busy = rows.filter(({ claim: { log } }) => log.busyUntil > pipeline.committedTicket && !written.has(log))
      if (busy.length > 0) {
        for (const row of rows) again.push(row.claim)
        for (const row of busy) waitFor = Math.max(waitFor, row.claim.log.busyUntil)
        continue
      }
      if (rows.length === 0) continue
      const moved = rows[0]!.entry.sharers > 1 ? this.#moveShared(rows, load.bytes) : this.#moveOwn(rows[0]!, load.bytes)
      for (const row of rows) {
        written.add(row.claim.log)
        row.claim.log.busyUntil = open.ticket
        if (row.run === undefined) {
          this.counters.movedFromTail++
          continue
        }
        this.counters.movedFromRuns++
        const edition = editions.get(editionKey(row.claim.log, row.run))!
        edition.entries = replaced(edition.entries, row, moved)
        changed.add(edition)
      }
      waitFor = open.ticket
      this.copiedBytes += load.bytes.length
    }
    this.counters.lookedAtAgain += again.length
    for (const { log, run, entries } of changed) writeEdition(open, log, run.first, run.end, entries, run.maxTimestampMs)
    if (waitFor > 0) {
      pipeline.touch()
      await pipeline.whenCommitted(waitFor)
    }
    return again
  }

  async #rewriteRuns(runs: readonly LiveRun[]): Promise<readonly LiveRun[]> {
    const loaded = await Promise.all(runs.map(({ log, run }) => this.#runs.load(log.id, run)))
    const pipeline = this.#pipeline
    pipeline.prepare(0)
    pipeline.reserve(loaded.reduce((bytes, { count }) => bytes + editionBytesMax(count), 0))
    const { open } = pipeline
    const again: LiveRun[] = []
    const written = new Set<LogState>()
    let waitFor = 0
    for (let n = 0; n < runs.length; n++) {
      const { log, run } = runs[n]!
      if (this.#index.logs.get(log.id) !== log || !isSameRun(log, run)) continue
      if (log.busyUntil > pipeline.committedTicket && !written.has(log)) {
        again.push(runs[n]!)
        waitFor = Math.max(waitFor, log.busyUntil)
        continue
      }
      const entries = Array.from({ length: loaded[n]!.count }, (_, at) => entryAt(loaded[n]!.entries, at))
      writeEdition(open, log, run.first, run.end, entries, run.maxTimestampMs)
      written.add(log)
      log.busyUntil = open.ticket
      waitFor = open.ticket
      this.copiedBytes += run.length
      this.counters.movedRuns++
    }
    if (waitFor > 0) {
      pipeline.touch()
      await pipeline.whenCommitted(waitFor)
    }
    return again
  }

  /** @returns the entries in the new place */
  #moveOwn(row: LiveRow, bytes: Uint8Array): IndexEntry[] {
    const { log } = row.claim
    const { entry } = row
    const pieces = this.#livePieces(row, bytes)
    const { open } = this.#pipeline
    let position = open.addRewrite(log, entry.base, entry.base + entry.offsets, entry.seq, entryWeight(entry), pieces)
    return pieces.map((piece) => {
      const moved = { ...piece, seq: open.ticket - 1, position, length: piece.bytes.length, sharers: 1 }
      position += piece.bytes.length
      return moved
    })
  }

  #moveShared(rows: readonly LiveRow[], bytes: Uint8Array): IndexEntry[] {
    this.counters.movedShared++
    const { entry } = rows[0]!
    const { open } = this.#pipeline
    const position = open.addMovedShared(
      rows.map(({ claim }) => claim.log),
      rows.map(({ claim }) => claim.base),
      entry.offsets,
      entry.batches,
      entry.timestampMs,
      entry.seq,
      entry.sharers,
      bytes,
    )
    return [{ ...entry, seq: open.ticket - 1, position, sharers: rows.length }]
  }

  /** Batches that are forgotten as a whole stay behind. What is forgotten in part becomes an entry of its own, so that it counts as a whole. */
  #livePieces(row: LiveRow, bytes: Uint8Array): RewrittenPiece[] {
    const { log } = row.claim
    const { entry } = row
    if (entry.batches === 1 || log.deadOffsets(entry.base, entry.base + entry.offsets) === 0) return [{ ...entry, bytes }]
    this.counters.splitEntries++
    const pieces: RewrittenPiece[] = []
    let at = 0
    let isOpen = false
    for (const batch of walkBatches(entry, bytes, this.#crc32c)) {
      const dead = log.deadOffsets(batch.base, batch.base + batch.offsets)
      const end = at + batch.bytes.length
      const last = pieces.at(-1)
      if (isOpen && dead === 0 && last !== undefined) {
        pieces[pieces.length - 1] = {
          base: last.base,
          offsets: last.offsets + batch.offsets,
          batches: last.batches + 1,
          timestampMs: Math.max(last.timestampMs, batch.timestampMs),
          bytes: bytes.subarray(at - last.bytes.length, end),
        }
      } else if (dead < batch.offsets) pieces.push({ ...batch, batches: 1 })
      isOpen = dead === 0
      at = end
    }
    return pieces
  }

  /** Reads and checks what the rows hold: what lies close together at once, every shared copy once. */
  async #read(rows: readonly LiveRow[]): Promise<Load[]> {
    const loads: { rows: LiveRow[]; readonly entry: IndexEntry }[] = []
    for (const row of rows) {
      const last = loads.at(-1)
      if (last !== undefined && last.entry.seq === row.entry.seq && last.entry.position === row.entry.position)
        last.rows.push(row)
      else loads.push({ rows: [row], entry: row.entry })
    }
    const byPlace = loads.toSorted((a, b) => a.entry.seq - b.entry.seq || a.entry.position - b.entry.position)
    const bytes = new Map<IndexEntry, Uint8Array>()
    for (let from = 0; from < byPlace.length;) {
      const { seq, position } = byPlace[from]!.entry
      let end = position
      let to = from
      for (; to < byPlace.length && byPlace[to]!.entry.seq === seq; to++) {
        const { entry } = byPlace[to]!
        if (entry.position > end + GAP_BYTES_MAX || (to > from && entry.position + entry.length - position > READ_BYTES_MAX))
          break
        end = entry.position + entry.length
      }
      const stretch = await this.#journal.read(seq, position, end - position)
      for (; from < to; from++) {
        const { entry } = byPlace[from]!
        const own = stretch.subarray(entry.position - position, entry.position - position + entry.length)
        walkBatches(entry, own, this.#crc32c)
        bytes.set(entry, own)
      }
    }
    return loads.map(({ rows: holders, entry }) => ({ rows: holders, bytes: bytes.get(entry)! }))
  }
}

/** Read along when it lies between what is needed. */
const GAP_BYTES_MAX = 16 * 1024
const READ_BYTES_MAX = 1024 * 1024

/** What a moved batch takes besides its bytes, at most. */
const BYTES_PER_ROW = 160

/** Of this very edition: rows that were looked up at different moments may know different ones. */
function editionKey(log: LogState, run: RunDescriptor): string {
  return `${log.id}:${run.seq}:${run.position}`
}

/** Claims of several logs to one stored copy lie side by side and must not be torn apart. */
function continues(claims: readonly Claim[], at: number): boolean {
  return at > 0 && at < claims.length && claims[at]!.range === claims[at - 1]!.range
}

function replaced(entries: readonly IndexEntry[], row: LiveRow, moved: readonly IndexEntry[]): IndexEntry[] {
  const at = entries.findIndex(({ base }) => base === row.claim.base)
  assert(at >= 0, 'a run has lost the entry that is moved')
  // A shared copy has another offset in each log.
  const own = row.entry.sharers > 1 ? moved.map((entry) => ({ ...entry, base: row.claim.base })) : moved
  return [...entries.slice(0, at), ...own, ...entries.slice(at + 1)]
}
