import { batchMaxTimestampMs, batchOffsets } from '@millrace/wire'
import { assert } from '../base/assert.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import { walkBatches } from './batch-walk.ts'
import type { CommitPipeline } from './commit-pipeline.ts'
import { editionBytesMax, entryAt, entryEnd, entryWeight, writeEdition, type IndexEntry } from './index-entry.ts'
import type { StorageLimits } from './limits.ts'
import { isSameRun } from './live-rows.ts'
import type { LogIndex } from './log-index.ts'
import type { LogState } from './log-state.ts'
import { findInTail } from './log-tail.ts'
import type { RewrittenPiece } from './open-commit.ts'
import type { ReaderPins } from './reader-pins.ts'
import type { RunCache } from './run-cache.ts'
import type { RunDescriptor } from './run-list.ts'
import type { UpkeepParts } from './upkeep-parts.ts'

/** What is to be put in the place of all batches in [first, end) of a log. */
export interface Replacement {
  readonly log: LogState
  readonly first: number
  readonly end: number
  readonly baseOffset: number
  readonly batch: Uint8Array | undefined
}

/** The entries that a replacement touches, as they were when they were read. */
interface Affected {
  readonly runs: readonly { readonly run: RunDescriptor; readonly entries: readonly IndexEntry[] }[]
  readonly tail: readonly IndexEntry[]
}

export interface ReplacementCounters {
  inTail: number
  inRuns: number
  acrossRuns: number
  acrossRunAndTail: number
  keptPieces: number
}

/** Replaces committed batches by others, for compaction. */
export class RangeReplacement {
  /** What was done, for the simulator to see that it was. */
  readonly counters: ReplacementCounters = { inTail: 0, inRuns: 0, acrossRuns: 0, acrossRunAndTail: 0, keptPieces: 0 }
  readonly #index: LogIndex
  readonly #runs: RunCache
  readonly #pins: ReaderPins
  readonly #pipeline: CommitPipeline
  readonly #journal: Journal
  readonly #crc32c: Crc32c
  readonly #limits: StorageLimits

  constructor(parts: UpkeepParts) {
    this.#index = parts.index
    this.#runs = parts.runs
    this.#pins = parts.pins
    this.#pipeline = parts.pipeline
    this.#journal = parts.journal
    this.#crc32c = parts.crc32c
    this.#limits = parts.limits
  }

  /** @returns whether it was done, durably; not, if the range is not there (any more) */
  async replace(replacement: Replacement): Promise<boolean> {
    for (;;) {
      const { log } = replacement
      if (!this.#isPossible(replacement)) return false
      if (log.busyUntil > this.#pipeline.committedTicket) {
        this.#pipeline.touch()
        await this.#pipeline.whenCommitted(log.busyUntil)
        continue
      }
      const { affected, kept } = await this.#readPinned(replacement)
      // Making room may close a commit, and that may seal the log: what is checked after it stays true until it is written.
      this.#makeRoom(replacement, affected, kept)
      if (!this.#isPossible(replacement)) return false
      if (log.busyUntil > this.#pipeline.committedTicket || !this.#isUnchanged(replacement, affected)) continue
      this.#write(replacement, affected, kept)
      this.#pipeline.touch()
      await this.#pipeline.whenCommitted(log.busyUntil)
      return true
    }
  }

  /** What it touches must not be given up while it is read. */
  async #readPinned(replacement: Replacement): Promise<{ affected: Affected; kept: readonly RewrittenPiece[] }> {
    const pin = this.#pins.pin()
    try {
      const affected = await this.#affected(replacement)
      return { affected, kept: await this.#keptPieces(replacement, affected) }
    } finally {
      this.#pins.unpin(pin)
    }
  }

  #isPossible({ log, first, end }: Replacement): boolean {
    return this.#index.logs.get(log.id) === log && !log.isDeleted && end <= log.end && log.deadOffsets(first, end) < end - first
  }

  async #affected({ log, first, end }: Replacement): Promise<Affected> {
    const runs: { run: RunDescriptor; entries: IndexEntry[] }[] = []
    for (let n = log.runs?.find(first) ?? 0; log.runs !== undefined && n < log.runs.count && log.runs.first(n) < end; n++) {
      runs.push({ run: log.runs.at(n), entries: [] })
    }
    for (const { run, entries } of runs) {
      const loaded = await this.#runs.load(log.id, run)
      for (let at = 0; at < loaded.count; at++) entries.push(entryAt(loaded.entries, at))
    }
    return { runs, tail: this.#tailEntries(log, first, end) }
  }

  #tailEntries(log: LogState, first: number, end: number): IndexEntry[] {
    const entries: IndexEntry[] = []
    for (let n = findInTail(this.#index.pool, log, first); n < log.tailCount; n++) {
      const entry = entryAt(this.#index.pool.page(log.tailHandle), this.#index.pool.first(log.tailHandle) + log.tailFirst + n)
      if (entry.base >= end) break
      entries.push(entry)
    }
    return entries
  }

  #isUnchanged({ log, first, end }: Replacement, affected: Affected): boolean {
    const count = log.runs?.overlapping(first, end) ?? 0
    if (count !== affected.runs.length || affected.runs.some(({ run }) => !isSameRun(log, run))) return false
    const tail = this.#tailEntries(log, first, end)
    return (
      tail.length === affected.tail.length &&
      tail.every((entry, n) => entry.seq === affected.tail[n]!.seq && entry.position === affected.tail[n]!.position)
    )
  }

  /** The batches of entries that reach out of the range, as far as they lie outside of it: they are copied along. */
  async #keptPieces({ first, end, log }: Replacement, { runs, tail }: Affected): Promise<RewrittenPiece[]> {
    const kept: RewrittenPiece[] = []
    for (const entry of [...runs.flatMap(({ entries }) => entries), ...tail]) {
      const isInside = entry.base >= first && entryEnd(entry) <= end
      if (isInside || !overlaps(entry, first, end)) continue
      const stored = await this.#journal.read(entry.seq, entry.position, entry.length)
      for (const batch of walkBatches(entry, stored, this.#crc32c)) {
        const batchEnd = batch.base + batch.offsets
        assert(
          batchEnd <= first || batch.base >= end || (batch.base >= first && batchEnd <= end),
          'a replaced range cuts a batch',
        )
        if (batch.base >= first && batchEnd <= end) continue
        if (log.deadOffsets(batch.base, batchEnd) < batch.offsets) kept.push({ ...batch, batches: 1 })
      }
    }
    return kept
  }

  #makeRoom({ batch }: Replacement, { runs }: Affected, kept: readonly RewrittenPiece[]): void {
    let entries = kept.length + 1
    for (const run of runs) entries += run.entries.length
    let bytes = (batch?.length ?? 0) + (runs.length + kept.length + 2) * BYTES_PER_PIECE + 2 * editionBytesMax(entries)
    for (const piece of kept) bytes += piece.bytes.length
    this.#pipeline.prepare(0)
    this.#pipeline.reserve(bytes)
  }

  #write(replacement: Replacement, affected: Affected, kept: readonly RewrittenPiece[]): void {
    const { log, batch, baseOffset } = replacement
    const pieces = [...kept]
    if (batch !== undefined) {
      const timestampMs = batchMaxTimestampMs(batch)
      pieces.push({ base: baseOffset, offsets: batchOffsets(batch), batches: 1, timestampMs, bytes: batch })
      pieces.sort((a, b) => a.base - b.base)
    }
    const { open } = this.#pipeline
    this.counters.keptPieces += kept.length
    if (affected.runs.length === 0) this.counters.inTail++
    else if (affected.tail.length > 0) this.counters.acrossRunAndTail++
    else if (affected.runs.length > 1) this.counters.acrossRuns++
    else this.counters.inRuns++
    // All entries of the tail begin at or after `sealedEnd`, also where the runs before it are forgotten.
    const isInTail = affected.runs.length === 0 && (pieces.length === 0 || pieces[0]!.base >= log.sealedEnd)
    if (isInTail) this.#rewriteTail(log, affected.tail, replacement, pieces)
    else this.#rewriteRuns(log, affected, replacement, pieces)
    log.busyUntil = open.ticket
  }

  #rewriteTail(log: LogState, tail: readonly IndexEntry[], { first, end }: Replacement, pieces: readonly RewrittenPiece[]): void {
    const from = Math.max(log.sealedEnd, Math.min(first, ...tail.map(({ base }) => base)))
    const to = Math.max(end, ...tail.map(entryEnd))
    this.#pipeline.open.addRewrite(log, from, to, -1, 0, copied(pieces))
  }

  /** All runs that are touched, and what is touched of the tail, become new runs. */
  #rewriteRuns(log: LogState, { runs, tail }: Affected, { first, end }: Replacement, pieces: readonly RewrittenPiece[]): void {
    const { open } = this.#pipeline
    const entries: IndexEntry[] = []
    let position = -1
    for (const { run, entries: own } of runs) {
      const gone = own.filter((entry) => overlaps(entry, first, end))
      entries.push(...own.filter((entry) => !overlaps(entry, first, end)))
      const weight = gone.reduce((sum, entry) => sum + entryWeight(entry), 0)
      const from = Math.min(gone[0]?.base ?? Math.max(first, run.first), pieces[0]?.base ?? Infinity)
      const isFirst = position < 0
      const at = open.addRewrite(
        log,
        isFirst ? from : Math.max(first, run.first),
        run.end,
        -1,
        weight,
        isFirst ? copied(pieces) : [],
      )
      if (isFirst) position = at
    }
    let editionFirst = Math.min(runs[0]?.run.first ?? Infinity, pieces[0]?.base ?? Infinity)
    let editionEnd = runs.at(-1)?.run.end ?? log.sealedEnd
    if (runs.length === 0) position = open.addRewrite(log, editionFirst, editionEnd, -1, 0, copied(pieces))
    if (tail.length > 0) {
      editionEnd = Math.max(editionEnd, entryEnd(tail.at(-1)!))
      open.addRewrite(log, tail[0]!.base, editionEnd, -1, 0, [])
    }
    for (const piece of pieces) {
      entries.push({ ...piece, seq: open.ticket - 1, position, length: piece.bytes.length, sharers: 1 })
      position += piece.bytes.length
      editionEnd = Math.max(editionEnd, piece.base + piece.offsets)
    }
    entries.sort((a, b) => a.base - b.base)
    const emptyTimestampMs = runs[0]?.run.maxTimestampMs ?? 0
    do {
      const part = entries.splice(0, this.#limits.indexRunEntries)
      const to = entries[0]?.base ?? editionEnd
      writeEdition(open, log, editionFirst, to, part, emptyTimestampMs)
      editionFirst = to
    } while (entries.length > 0)
  }
}

/** What a piece takes besides its bytes, at most. */
const BYTES_PER_PIECE = 64

function overlaps(entry: IndexEntry, first: number, end: number): boolean {
  return entry.base < end && entryEnd(entry) > first
}

/** The commit keeps the bytes until it is written; the caller's may change. */
function copied(pieces: readonly RewrittenPiece[]): RewrittenPiece[] {
  return pieces.map((piece) => ({ ...piece, bytes: piece.bytes.slice() }))
}
