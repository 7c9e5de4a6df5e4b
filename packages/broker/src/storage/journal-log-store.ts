import { batchOffsets } from '@millrace/wire'
import { assert } from '../base/assert.ts'
import type { Lease } from '../base/lease.ts'
import { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import type { Platform } from '../ports/platform.ts'
import { Checkpointer, type CheckpointPointer } from './checkpointer.ts'
import { Collector } from './collector.ts'
import { CommitMemory } from './commit-memory.ts'
import { CommitPipeline } from './commit-pipeline.ts'
import { DirectoryReplay } from './directory-replay.ts'
import type { StorageLimits } from './limits.ts'
import type { LogIndex } from './log-index.ts'
import { LogReader } from './log-reader.ts'
import { LogState } from './log-state.ts'
import type { BatchInfo, LogBounds, LogId, LogStore, LogStoreStats, StoredBatch, Ticket } from './log-store.ts'
import type { ClosedCommit, OpenCommit } from './open-commit.ts'
import { RangeReplacement } from './range-replacement.ts'
import { ReaderPins } from './reader-pins.ts'
import type { Recovered } from './recovery.ts'
import { RecentHeads } from './recent-heads.ts'
import { RunCache } from './run-cache.ts'
import { Sealer } from './sealer.ts'
import { TailCache } from './tail-cache.ts'
import type { UpkeepParts } from './upkeep-parts.ts'

// hot path (bench/src/log-store.ts)

/** What an append takes in a commit besides its batch, at most. */
const ENTRY_BYTES_MAX = 64
const SHARER_BYTES_MAX = 16

export interface StoreParts {
  readonly journal: Journal
  readonly platform: Platform
  readonly crc32c: Crc32c
  readonly limits: StorageLimits
}

/** The LogStore over a journal, once recovery has rebuilt the index. */
export class JournalLogStore implements LogStore {
  readonly limits: StorageLimits
  readonly pipeline: CommitPipeline
  /** Commits that were there when the store was opened. */
  readonly foundCommits: Ticket
  /** Checkpoints that could not be used when the store was opened. */
  readonly skippedCheckpoints: number
  readonly #journal: Journal
  readonly index: LogIndex
  readonly #replay: DirectoryReplay
  readonly #cache: TailCache
  readonly #runs: RunCache
  readonly #recentHeads: RecentHeads
  readonly #pins = new ReaderPins()
  readonly #reader: LogReader
  readonly #sealer: Sealer
  readonly #checkpointer: Checkpointer
  readonly #collector: Collector
  readonly #replacement: RangeReplacement
  #nextLogId: number
  /** Commits until garbage collection looks for something to do. The first one is at the start. */
  #commitsToLook = 1

  constructor(parts: StoreParts, recovered: Recovered) {
    const { journal, platform, crc32c, limits } = parts
    this.limits = limits
    this.#journal = journal
    this.foundCommits = recovered.next
    this.skippedCheckpoints = recovered.skippedCheckpoints
    this.index = recovered.index
    this.#nextLogId = recovered.nextLogId
    this.#replay = new DirectoryReplay(recovered.index)
    const memory = new CommitMemory(2 * limits.commitBytesMax)
    this.#cache = new TailCache(limits.tailCacheBytes)
    this.#runs = new RunCache(journal, crc32c, limits.runCacheBytes)
    this.#recentHeads = new RecentHeads(limits.recentHeadsBytes, limits.recentHeadsCommits)
    this.#reader = new LogReader({
      index: recovered.index,
      cache: this.#cache,
      runs: this.#runs,
      journal,
      crc32c,
      pins: this.#pins,
      readAheadBytes: limits.readAheadBytes,
      scheduler: platform.scheduler,
    })
    this.#sealer = new Sealer(recovered.index, limits)
    this.#checkpointer = new Checkpointer(recovered.index, journal, crc32c, limits, recovered.checkpoint)
    this.pipeline = new CommitPipeline(journal, platform, crc32c, limits, recovered.next, memory, this)
    const upkeep: UpkeepParts = {
      index: recovered.index,
      runs: this.#runs,
      pins: this.#pins,
      recentHeads: this.#recentHeads,
      pipeline: this.pipeline,
      journal,
      platform,
      crc32c,
      limits,
    }
    this.#collector = new Collector(upkeep, this.#checkpointer)
    this.#replacement = new RangeReplacement(upkeep)
  }

  // ---- logs -----------------------------------------------------------------------------------------------------------

  createLog(): LogId {
    this.pipeline.prepare(ENTRY_BYTES_MAX)
    const id = this.#nextLogId++
    this.index.logs.add(new LogState(id, 0))
    this.pipeline.open.addCreation(id)
    return id
  }

  deleteLog(log: LogId): void {
    const state = this.index.logs.get(log)
    if (state === undefined || state.isDeleted) return
    this.pipeline.prepare(ENTRY_BYTES_MAX)
    state.isDeleted = true
    this.pipeline.open.addDeletion(log)
  }

  logs(): readonly LogId[] {
    const ids: LogId[] = []
    for (const log of this.index.logs.values()) if (!log.isDeleted) ids.push(log.id)
    return ids
  }

  // ---- writing ----------------------------------------------------------------------------------------------------------

  append(log: LogId, batch: Uint8Array, offsets: number): number {
    const state = this.#log(log)
    if (batch.length > this.limits.batchBytesMax) throw this.#tooLarge(batch.length)
    this.pipeline.prepare(batch.length + ENTRY_BYTES_MAX)
    const base = state.next
    state.next = base + offsets
    this.pipeline.open.addRecords(state, base, offsets, batch)
    return base
  }

  appendShared(logs: readonly LogId[], batch: Uint8Array, offsets: number): readonly number[] {
    if (logs.length === 1) return [this.append(logs[0]!, batch, offsets)]
    const states = logs.map((log) => this.#log(log))
    const bytes = batch.length + ENTRY_BYTES_MAX + states.length * SHARER_BYTES_MAX
    if (bytes > this.limits.batchBytesMax + ENTRY_BYTES_MAX) throw this.#tooLarge(bytes)
    this.pipeline.prepare(bytes)
    const bases: number[] = []
    for (const state of states) {
      bases.push(state.next)
      state.next += offsets
    }
    if (states.length > 0) this.pipeline.open.addShared(states, bases, offsets, batch)
    return bases
  }

  reserve(bytes: number): void {
    this.pipeline.reserve(bytes)
  }

  trim(log: LogId, start: number): void {
    const state = this.#log(log)
    const to = Math.min(start, state.next)
    if (to <= state.start) return
    this.pipeline.prepare(ENTRY_BYTES_MAX)
    this.pipeline.open.addTrim(log, to)
  }

  discard(log: LogId, first: number, last: number): void {
    const state = this.#log(log)
    const from = Math.max(first, state.start)
    const end = Math.min(last + 1, state.next)
    if (from >= end) return
    this.pipeline.prepare(ENTRY_BYTES_MAX)
    this.pipeline.open.addDiscard(log, from, end)
  }

  async replace(log: LogId, first: number, last: number, baseOffset: number, batch: Uint8Array | undefined): Promise<boolean> {
    const state = this.#log(log)
    if (batch !== undefined) {
      if (batch.length > this.limits.batchBytesMax) throw this.#tooLarge(batch.length)
      assert(baseOffset >= first && baseOffset + batchOffsets(batch) <= last + 1, 'a replacement leaves the range it replaces')
    }
    const isReplaced = await this.#replacement.replace({ log: state, first, end: last + 1, baseOffset, batch })
    this.#reader.ahead.forget(state)
    return isReplaced
  }

  // ---- commits ----------------------------------------------------------------------------------------------------------

  ticket(): Ticket {
    return this.pipeline.open.ticket
  }

  get committedTicket(): Ticket {
    return this.pipeline.committedTicket
  }

  get visibleTicket(): Ticket {
    return this.pipeline.visibleTicket
  }

  onCommitted(listener: (ticket: Ticket) => void): () => void {
    return this.pipeline.committed.add(listener)
  }

  onClosing(listener: () => void): () => void {
    return this.pipeline.closing.add(listener)
  }

  touch(): void {
    this.pipeline.touch()
  }

  touchSoon(): void {
    this.pipeline.touchSoon()
  }

  // ---- reading ----------------------------------------------------------------------------------------------------------

  bounds(log: LogId): LogBounds {
    const state = this.#log(log)
    const isEmpty = state.tailCount === 0 && state.runs === undefined
    return { start: state.start, end: state.end, bytes: isEmpty ? 0 : Math.max(0, Math.round(state.bytes)) }
  }

  read(log: LogId, from: number, bytesMax: number, lease?: Lease): readonly StoredBatch[] | Promise<readonly StoredBatch[]> {
    return this.#reader.read(this.#log(log), from, bytesMax, lease)
  }

  offsetForTimestamp(log: LogId, timestampMs: number): Promise<number | undefined> {
    return this.#reader.offsetForTimestamp(this.#log(log), timestampMs)
  }

  oldest(log: LogId, batchesMax: number): Promise<readonly BatchInfo[]> {
    return this.#reader.oldest(this.#log(log), batchesMax)
  }

  // ---- overload, failure, end -------------------------------------------------------------------------------------------

  get pendingBytes(): number {
    return this.pipeline.pendingBytes
  }

  get acceptsPublishes(): boolean {
    return this.pipeline.acceptsPublishes
  }

  onRelief(listener: () => void): () => void {
    return this.pipeline.relief.add(listener)
  }

  onShortage(listener: () => void): () => void {
    return this.pipeline.shortage.add(listener)
  }

  onFailed(listener: (error: Error) => void): () => void {
    return this.pipeline.failed.add(listener)
  }

  get stats(): LogStoreStats {
    return {
      commits: this.pipeline.commits,
      committedBytes: this.pipeline.committedBytes,
      indexBytes: this.index.bytes + this.#runs.bytes,
      cacheBytes: this.#cache.bytes + this.#reader.ahead.bytes,
      journalBytes: this.#journal.extents().reduce((bytes, extent) => bytes + extent.bytes, 0),
      liveBytes: Math.round(this.index.ledger.liveBytes),
      copiedForwardBytes: this.#collector.mover.copiedBytes,
      checkpoints: this.#checkpointer.completed,
      lastAppendMs: this.pipeline.lastAppendMs,
    }
  }

  /** The last complete checkpoint. */
  get checkpoint(): CheckpointPointer {
    return this.#checkpointer.current
  }

  /** How often each mechanism worked, for the simulator to see that it was exercised. */
  get counters(): Record<string, number> {
    return {
      sealedRuns: this.#sealer.sealed,
      loadedRuns: this.#runs.loads,
      checkpoints: this.#checkpointer.completed,
      slicedCheckpoints: this.#checkpointer.sliced,
      ...this.#collector.counters,
      ...this.#collector.mover.counters,
      ...this.#replacement.counters,
    }
  }

  async close(): Promise<void> {
    const collected = this.#collector.stop()
    const read = this.#reader.ahead.stop()
    try {
      if (this.pipeline.failure === undefined) await this.#writeAll()
    } finally {
      this.pipeline.stop()
      await collected
      await read
      // Whoever still reads does so out of a journal that is open.
      await this.#pins.drained()
    }
  }

  async #writeAll(): Promise<void> {
    await this.pipeline.flush()
    if (this.#checkpointer.commitsSince > 0) this.#checkpointer.request()
    while (this.#checkpointer.isUnderway) {
      this.pipeline.touch()
      await this.pipeline.flush()
    }
  }

  // ---- what the pipeline asks -------------------------------------------------------------------------------------------

  fill(open: OpenCommit, room: number): void {
    this.#cache.leaveRoomFor(this.pipeline.pendingBytes)
    const committed = this.pipeline.committedTicket
    const used = this.#sealer.fill(open, Math.floor(room / 2), committed)
    this.#checkpointer.fill(open, room - used, committed, this.#nextLogId)
  }

  apply(commit: ClosedCommit): void {
    const seq = commit.header.sequence
    this.#replay.apply(commit.header, commit.directory)
    this.#cache.add(seq, commit.cached)
    this.#recentHeads.add(seq, commit.head)
    const { completed } = this.#checkpointer
    this.#checkpointer.committed(seq, commit.bytes)
    if (this.#checkpointer.isUnderway) this.pipeline.touch()
    this.#commitsToLook--
    if (this.pipeline.isShortOfRoom) this.#commitsToLook = Math.min(this.#commitsToLook, COMMITS_TO_LOOK_WHEN_SHORT)
    if (this.#commitsToLook > 0 && completed === this.#checkpointer.completed) return
    this.#commitsToLook = this.limits.collectCommits
    this.#collector.look()
  }

  makeRoom(): void {
    this.#collector.look()
  }

  nextLogId(): number {
    return this.#nextLogId
  }

  checkpointFirst(): number {
    return this.#checkpointer.announced.first
  }

  checkpointLast(): number {
    return this.#checkpointer.announced.last
  }

  #log(id: LogId): LogState {
    const log = this.index.logs.get(id)
    if (log === undefined || log.isDeleted) throw new MillraceError('not_found', `Log ${id} does not exist.`)
    return log
  }

  #tooLarge(bytes: number): MillraceError {
    return new MillraceError(
      'record_too_large',
      `A batch of ${bytes} bytes is above the limit of ${this.limits.batchBytesMax}. Send smaller batches.`,
    )
  }
}

/** Room that garbage collection can win back is looked for so often when it is needed. */
const COMMITS_TO_LOOK_WHEN_SHORT = 8
