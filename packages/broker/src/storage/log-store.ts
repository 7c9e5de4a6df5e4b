import type { Lease } from '../base/lease.ts'

/**
 * Many logs over one journal. Everything in this file is the contract; `open-log-store.ts` implements it.
 *
 * Writers append record batches to the open commit and get a ticket at once. The store closes the commit at the end of
 * the turn (or when it is full), appends it to the journal as one batch, and then announces `committed`. Nothing that
 * is not committed is ever readable.
 */
export interface LogStore {
  /** Creates an empty log, in the open commit. Ids are never used twice. */
  createLog(): LogId
  /** Deletes a log and all its records, in the open commit. Unknown ids are ignored. */
  deleteLog(log: LogId): void
  /** Every log that exists, in id order. */
  logs(): readonly LogId[]

  /**
   * Appends one record batch (docs/formats/record-batch.md) to `log`, in the open commit. The bytes are copied before
   * the call returns; the base offset in the stored copy is not meaningful (a copy may be shared between logs).
   * The batch has been validated by the caller.
   * @param offsets how many offsets the batch takes (lastOffsetDelta + 1)
   * @returns the base offset it was given
   * @throws MillraceError `record_too_large` above `batchBytesMax`
   */
  append(log: LogId, batch: Uint8Array, offsets: number): number
  /**
   * Appends one batch to several logs as one stored copy.
   * @returns the base offset in each, in the order of `logs`
   */
  appendShared(logs: readonly LogId[], batch: Uint8Array, offsets: number): readonly number[]

  /**
   * Makes room for `bytes` more in the open commit (closing it first if needed), so that all that is written until the
   * end of the calling function lands in ONE commit and is kept or lost together.
   * @throws MillraceError `record_too_large` when no commit can hold that much
   */
  reserve(bytes: number): void

  /** Forgets all offsets below `start`, in the open commit. Never moves backwards. */
  trim(log: LogId, start: number): void
  /** Forgets `first..last` (inclusive) inside the log, in the open commit. Space returns for whole batches only. */
  discard(log: LogId, first: number, last: number): void
  /**
   * Replaces all stored batches that lie in `first..last` by `batch` (or by nothing), in the open commit, for compaction: offsets keep
   * their meaning, the batch holds a subset of them (`lastOffsetDelta` may leave gaps) and its first offset is `baseOffset`.
   * `first..last` must cover whole batches, all committed. The batch is borrowed until the promise settles, which is when the
   * replacement is durable; `false` if the range is forgotten, or was not committed, by the time it could be written.
   * @throws MillraceError `record_too_large`, `not_found`, `data_corrupt`, `outcome_unknown`
   */
  replace(log: LogId, first: number, last: number, baseOffset: number, batch: Uint8Array | undefined): Promise<boolean>

  /** The ticket of the open commit: whatever is written now is durable once `committedTicket >= ticket()`. */
  ticket(): Ticket
  /** All commits up to this one are durable. */
  readonly committedTicket: Ticket
  /** Of the last commit that there is something in, be it open. */
  readonly visibleTicket: Ticket
  /** Calls back after each commit, in ticket order. @returns a function that stops it */
  onCommitted(listener: (ticket: Ticket) => void): () => void
  /** Calls back just before the open commit closes, while appends still land in it: for state that is gathered over a turn. */
  onClosing(listener: () => void): () => void
  /** Makes sure that the open commit will be closed even if nothing was appended (onClosing listeners have something to add). */
  touch(): void
  /** As `touch`, when nobody waits for what there is to add: the commit closes with the next that somebody waits for, or after `lingerMs`. */
  touchSoon(): void

  /** Committed bounds and size of a log. @throws MillraceError `not_found` */
  bounds(log: LogId): LogBounds

  /**
   * The committed batches from the one that holds `from` (or the first after it, where there is a gap), up to about
   * `bytesMax` but at least one; empty at the end of the log. Answers at once when they are in the tail cache, otherwise
   * with a promise. The bytes are checked against their CRC and are read-only; they may be kept.
   * @param lease may be given what they lie in: then they may be looked at as long as that is held
   * @throws MillraceError `offset_out_of_range` below the start or above the end, `not_found`, `data_corrupt`
   */
  read(log: LogId, from: number, bytesMax: number, lease?: Lease): readonly StoredBatch[] | Promise<readonly StoredBatch[]>

  /**
   * First offset whose batch has a maximum timestamp >= `timestampMs`, at batch granularity, or undefined if there is none.
   */
  offsetForTimestamp(log: LogId, timestampMs: number): Promise<number | undefined>

  /**
   * The oldest stored batches' extent without reading them, for retention: for each batch its offsets, bytes and timestamp,
   * oldest first, at most `batchesMax`. Small neighbours that were committed together count as one, up to 64 KiB.
   */
  oldest(log: LogId, batchesMax: number): Promise<readonly BatchInfo[]>

  /** Bytes that wait to be written (open and in flight). Publishers pause above `limits.pendingBytesHigh`. */
  readonly pendingBytes: number
  /** Whether new messages are accepted: false while the disk has no room. Trims and state are still written. */
  readonly acceptsPublishes: boolean
  /** Calls back when `pendingBytes` fell below the low mark, or `acceptsPublishes` became true. */
  onRelief(listener: () => void): () => void
  /** Calls back when `acceptsPublishes` became false, in the turn in which that was noticed. */
  onShortage(listener: () => void): () => void
  /** Calls back once, when the journal failed (`outcome_unknown`) or another owner took over: nothing more will commit. */
  onFailed(listener: (error: Error) => void): () => void

  readonly stats: LogStoreStats
  readonly limits: LogStoreLimits
  /**
   * Writes what is pending, writes a checkpoint, and stops. The journal is closed by whoever opened it.
   * @throws MillraceError `disk_full` when the journal has no room for what is pending; it stops all the same
   */
  close(): Promise<void>
}

export type LogId = number
/** Ordinal of a commit. 0 = before the first. */
export type Ticket = number

export interface LogBounds {
  /** First offset that is kept. */
  readonly start: number
  /** One past the last committed offset. */
  readonly end: number
  /** Bytes of the stored batches in it; in proportion where neighbours that were committed together are forgotten in part. */
  readonly bytes: number
}

export interface StoredBatch {
  readonly baseOffset: number
  /** Offset of the last record position in the batch (inclusive). */
  readonly lastOffset: number
  /** The record batch. Bytes 0..7 (its base offset field) are not meaningful: use `baseOffset`. */
  readonly bytes: Uint8Array
}

export interface BatchInfo {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly bytes: number
  readonly maxTimestampMs: number
}

export interface LogStoreLimits {
  /** Largest record batch. */
  readonly batchBytesMax: number
  /** A commit closes when it holds this much. */
  readonly commitBytesMax: number
  readonly pendingBytesHigh: number
  readonly pendingBytesLow: number
  readonly tailCacheBytes: number
  /** Entries of a log's index that stay in memory before they are sealed into the journal. */
  readonly indexRunEntries: number
  /** Journal bytes between checkpoints, at least. */
  readonly checkpointBytes: number
  /** Extents whose live share is below this are copied forward (0..1). */
  readonly liveShareMin: number
}

export interface LogStoreStats {
  readonly commits: number
  readonly committedBytes: number
  readonly indexBytes: number
  readonly cacheBytes: number
  readonly journalBytes: number
  readonly liveBytes: number
  readonly copiedForwardBytes: number
  readonly checkpoints: number
  /** Histogram-friendly: duration of the last journal append in milliseconds. */
  readonly lastAppendMs: number
}
