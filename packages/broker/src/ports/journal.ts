import type { Lease } from '../base/lease.ts'

/**
 * One shard's durable, ordered sequence of opaque batches: the port that every engine implements
 * (conformance suite: ports/conformance/journal.ts).
 *
 * Sequences start at 0 and are dense. There is one writer; it appends strictly in order and waits for each answer
 * before it sends the next, unless `limits.inFlightMax` allows more.
 */
export interface Journal {
  readonly limits: JournalLimits

  /**
   * Appends `batch` (the concatenation of its parts) at `seq` if `seq` is still the next free sequence.
   * The parts are borrowed until the promise settles. Never rejects: every outcome is an `AppendResult`.
   * @param checksum CRC-32C of the whole batch, from whoever has it without reading the bytes again
   */
  append(seq: number, batch: readonly Uint8Array[], checksum?: number): Promise<AppendResult>

  /**
   * Reads `length` bytes of the batch at `seq`, starting at byte `from`; fewer at the batch's end.
   * The result belongs to the caller.
   * @throws MillraceError `offset_out_of_range` for a sequence outside `bounds()`, `data_corrupt` where the engine sees damage.
   */
  read(seq: number, from: number, length: number): Promise<Uint8Array>

  /**
   * Reads several parts, as `read` reads each of them, neighbours at once: in the order of sequences, and of bytes within a batch, it is
   * fastest. What comes back may be views of memory that they share.
   * @param lease may be given what they lie in: then they belong to the caller for as long as that is held
   */
  readParts(parts: readonly JournalPart[], lease?: Lease): Promise<readonly Uint8Array[]>

  /** Length in bytes of the batch at `seq`. Same errors as `read`. */
  length(seq: number): Promise<number>

  /**
   * Checks the whole batch at `seq` against its checksums.
   * @throws MillraceError `data_corrupt`
   */
  verify(seq: number): Promise<void>

  /**
   * Forgets the batches `first..last` (inclusive), which the owner no longer needs. Ranges may come in any order and may leave
   * gaps; space returns when a whole extent is forgotten. The next sequence survives. Idempotent. Forgetting need not
   * be durable: after a restart forgotten batches may be readable again, and the owner forgets them again.
   */
  discard(first: number, last: number): Promise<void>

  /** `first`: the lowest sequence that may still be read; `next`: where the next append goes. */
  bounds(): JournalBounds

  /** The units in which space returns, in sequence order, covering `bounds()`. The last one is being filled. */
  extents(): readonly JournalExtent[]

  /** Bytes that can certainly be appended now. Refuse publishes before this runs out; keep the rest for acks and trims. */
  headroomBytes(): number

  /** Waits for the append under way and releases the engine's resources. Idempotent. */
  close(): Promise<void>
}

/** `length` bytes of the batch at `seq`, from byte `from` on. */
export interface JournalPart {
  readonly seq: number
  readonly from: number
  readonly length: number
}

export interface JournalLimits {
  /** Largest batch, in bytes. */
  readonly batchBytesMax: number
  /** Appends that may wait for an answer at once. */
  readonly inFlightMax: number
  /** Bytes of batches it holds at most, where that never changes. Absent where it is what the file system has left. */
  readonly bytesMax?: number
}

export interface JournalBounds {
  readonly first: number
  readonly next: number
}

export interface JournalExtent {
  /** First sequence in the extent. */
  readonly first: number
  /** One past its last sequence. */
  readonly next: number
  /** Bytes of batches it holds. */
  readonly bytes: number
}

export type AppendResult =
  /** Durable, as far as the engine's durability promises. */
  | { readonly kind: 'ok' }
  /** Somebody else wrote at this sequence: this owner is fenced out for ever. */
  | { readonly kind: 'conflict' }
  /** Nothing was written, for lack of space. The same sequence may be tried again. */
  | { readonly kind: 'full' }
  /** It may be there or not. The journal is sealed: every later append answers the same. Reopen it and look. */
  | { readonly kind: 'unknown'; readonly cause: Error }
