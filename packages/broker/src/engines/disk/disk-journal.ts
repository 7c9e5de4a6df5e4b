/** The disk engine at work; open-disk-journal.ts builds it. Format: docs/formats/journal.md. */
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Lease } from '../../base/lease.ts'
import type { Crc32c } from '../../ports/checksum.ts'
import type { AppendResult, Journal, JournalBounds, JournalExtent, JournalLimits, JournalPart } from '../../ports/journal.ts'
import type { DirectoryLock, Durability, File, FileSystem } from './file-system.ts'
import { FrameReader } from './frame-reader.ts'
import { frameBytes } from './frame.ts'
import type { FrameBody, FrameWriter, PendingFrame } from './frame-writer.ts'
import type { Headroom } from './headroom.ts'
import { IndexPages } from './index-pages.ts'
import { Maintenance } from './maintenance.ts'
import type { Manifest } from './manifest.ts'
import { ReadBlocks } from './read-blocks.ts'
import type { SegmentFiles } from './segment-files.ts'
import type { SegmentList } from './segment-list.ts'
import type { EmptySegment, SegmentSupply } from './segment-supply.ts'
import type { Segment } from './segment.ts'
import { corrupt } from './stored-segment.ts'
import { WindowFill } from './window-fill.ts'

export interface DiskJournalParts {
  readonly fileSystem: FileSystem
  readonly crc32c: Crc32c
  readonly durability: Durability
  readonly batchBytesMax: number
  readonly indexPagesMax: number
  readonly lock: DirectoryLock
  readonly manifest: Manifest
  readonly segments: SegmentList
  /** At the end of the last segment. */
  readonly writer: FrameWriter
  readonly files: SegmentFiles
  readonly supply: SegmentSupply
  readonly headroom: Headroom
  readonly onWarning: (message: string) => void
}

/** Appends below this size are worth filling ahead for: their fdatasync is mostly the cost of metadata. */
const SMALL_APPEND_BYTES: number = 64 * 1024

const APPENDED: AppendResult = { kind: 'ok' }

export class DiskJournal implements Journal {
  readonly limits: JournalLimits
  readonly #parts: DiskJournalParts
  readonly #segments: SegmentList
  readonly #writer: FrameWriter
  readonly #reader: FrameReader
  readonly #fill: WindowFill
  readonly #maintenance: Maintenance
  #appending: Promise<AppendResult> | undefined
  /** The first failure of the disk: nothing is written after it. */
  #failure: Error | undefined
  #closing: Promise<void> | undefined

  constructor(parts: DiskJournalParts) {
    this.limits = { batchBytesMax: parts.batchBytesMax, inFlightMax: 1 }
    this.#parts = parts
    this.#segments = parts.segments
    this.#writer = parts.writer
    const blocks = new ReadBlocks(parts.fileSystem)
    this.#reader = new FrameReader(new IndexPages(parts.indexPagesMax), parts.crc32c, parts.onWarning, blocks)
    const fail = (error: unknown): void => this.#fail(error)
    this.#fill = new WindowFill(parts.fileSystem, (bytes) => parts.headroom.took(bytes), fail)
    this.#maintenance = new Maintenance(parts, this.#fill, fail)
    void this.#maintenance.request()
    this.#fillAhead(0)
  }

  append(seq: number, batch: readonly Uint8Array[], checksum?: number): Promise<AppendResult> {
    assert(this.#closing === undefined, 'append to a closed journal')
    assert(this.#appending === undefined, 'one append at a time')
    let bodyBytes = 0
    for (const part of batch) bodyBytes += part.length
    assert(
      bodyBytes <= this.limits.batchBytesMax,
      'bytes of a batch, at most batchBytesMax',
      bodyBytes,
      this.limits.batchBytesMax,
    )
    if (this.#failure !== undefined) return Promise.resolve({ kind: 'unknown', cause: this.#failure })
    if (seq !== this.#segments.next) return Promise.resolve({ kind: 'conflict' })
    this.#appending = this.#append(seq, { parts: batch, bytes: bodyBytes, checksum })
    return this.#appending
  }

  read(seq: number, from: number, length: number): Promise<Uint8Array> {
    assert(from >= 0 && length >= 0, 'a read from so far on, of so many bytes', from, length)
    return this.#withSegment(seq, (segment, file) => this.#reader.read(segment, file, { seq, from, length }))
  }

  async readParts(parts: readonly JournalPart[], lease?: Lease): Promise<readonly Uint8Array[]> {
    const segments = parts.map(({ seq }) => this.#segmentOf(seq))
    const groups: Promise<readonly Uint8Array[]>[] = []
    for (let from = 0, to = 0; from < parts.length; from = to) {
      while (to < parts.length && segments[to] === segments[from]) to++
      const group = parts.slice(from, to)
      groups.push(this.#withSegment(group[0]!.seq, (segment, file) => this.#reader.readParts(segment, file, group, lease)))
    }
    return (await Promise.all(groups)).flat()
  }

  length(seq: number): Promise<number> {
    return this.#withSegment(seq, (segment, file) => this.#reader.length(segment, file, seq))
  }

  verify(seq: number): Promise<void> {
    return this.#withSegment(seq, (segment, file) => this.#reader.verify(segment, file, seq))
  }

  async discard(first: number, last: number): Promise<void> {
    assert(this.#closing === undefined, 'discard on a closed journal')
    assert(first >= 0, 'discard from before the first sequence', first)
    assert(last < this.#segments.next, 'discard up to a sequence, which is before the next', last, this.#segments.next)
    this.#segments.discard(first, last)
    if (this.#failure === undefined && this.#segments.hasForgotten) await this.#maintenance.request()
  }

  bounds(): JournalBounds {
    return { first: this.#segments.firstKept, next: this.#segments.next }
  }

  extents(): readonly JournalExtent[] {
    return this.#segments.all.map(({ first, next, bodyBytes }) => ({ first, next, bytes: bodyBytes }))
  }

  headroomBytes(): number {
    return this.#parts.headroom.bytes(this.#segments.active, this.#parts.supply)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #append(seq: number, body: FrameBody): Promise<AppendResult> {
    try {
      if (!this.#segments.active.hasRoomFor(body.bytes) && !(await this.#makeRoom(body.bytes))) return this.#full()
      for (;;) {
        const segment = this.#segments.active
        const unsynced = this.#parts.durability === 'fsync' ? 0 : seq - this.#segments.syncedNext
        const frame = this.#writer.begin(segment, seq, body, unsynced)
        if (frame.writeEnd > segment.filledEnd && this.#fill.idle !== undefined) await this.#fill.idle
        if (await this.#writer.write(frame)) return this.#appended(segment, frame, body.bytes)
        if (!(await this.#findSpace(body.bytes))) return this.#full()
      }
    } catch (error) {
      this.#fail(error)
      return { kind: 'unknown', cause: this.#failure! }
    } finally {
      this.#appending = undefined
    }
  }

  #appended(segment: Segment, frame: PendingFrame, bodyBytes: number): AppendResult {
    if (frame.writeEnd > segment.filledEnd) {
      this.#parts.headroom.took(frame.writeEnd - segment.filledEnd)
      segment.filledEnd = frame.writeEnd
    }
    // Another descriptor may have been told of a failure that concerns these bytes too.
    if (this.#failure !== undefined) return { kind: 'unknown', cause: this.#failure }
    this.#segments.appended(frame)
    if (this.#maintenance.isDue) void this.#maintenance.request()
    this.#fillAhead(bodyBytes)
    return APPENDED
  }

  /** The disk is full, and the active segment has a hole: a spare file gives its space for it, or the next segment has space already. */
  async #findSpace(bodyBytes: number): Promise<boolean> {
    const { supply, headroom } = this.#parts
    if (await supply.releaseSpare()) {
      await headroom.refresh()
      return true
    }
    if (!supply.isCertainFor(frameBytes(bodyBytes))) return false
    await this.#goOn(await supply.take())
    return true
  }

  /** Goes on to a segment that the batch fits. @returns false when there is no space for one */
  async #makeRoom(bodyBytes: number): Promise<boolean> {
    do {
      const next = await this.#maintenance.takeSegment()
      if (next === undefined) return false
      await this.#goOn(next)
    } while (!this.#segments.active.hasRoomFor(bodyBytes))
    return true
  }

  async #goOn(next: EmptySegment): Promise<void> {
    await this.#segments.startSegment(next, this.#parts.files)
    await this.#writer.moveTo(this.#segments.active)
  }

  #full(): AppendResult {
    this.#parts.headroom.ranOut()
    return { kind: 'full' }
  }

  #fillAhead(appendedBytes: number): void {
    if (this.#parts.durability === 'fsync' && appendedBytes < SMALL_APPEND_BYTES) this.#fill.keepAhead(this.#segments.active)
  }

  async #withSegment<T>(seq: number, use: (segment: Segment, file: File) => Promise<T>): Promise<T> {
    const segment = this.#segmentOf(seq)
    const file = await this.#parts.files.borrow(segment)
    try {
      return await use(segment, file)
    } catch (error) {
      throw error instanceof MillraceError
        ? error
        : corrupt(segment.path, `journal sequence ${seq} cannot be read: ${String(error)}`, error)
    } finally {
      await this.#giveBack(segment)
    }
  }

  #segmentOf(seq: number): Segment {
    assert(this.#closing === undefined, 'read from a closed journal')
    const segment = this.#segments.holding(seq)
    if (segment !== undefined) return segment
    const { first, next } = this.bounds()
    throw new MillraceError(
      'offset_out_of_range',
      `journal sequence ${seq} is not kept: the journal holds ${first} to ${next - 1}`,
    )
  }

  async #giveBack(segment: Segment): Promise<void> {
    await this.#parts.files.giveBack(segment)
    if (this.#closing !== undefined || segment.readers > 0 || segment.kept > 0) return
    if (this.#segments.hasForgotten) void this.#maintenance.request()
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = error instanceof Error ? error : new Error(String(error))
    this.#maintenance.stop()
    this.#parts.onWarning(
      `the journal stops: ${this.#failure.message}. Check the disk, then start again: what was confirmed is kept`,
    )
  }

  async #close(): Promise<void> {
    await this.#appending
    await this.#fill.idle
    await this.#maintenance.finish()
    const { segments, manifest, files, supply, lock } = this.#parts
    try {
      if (this.#failure === undefined) {
        await segments.active.file!.sync()
        await manifest.write({ ...manifest.facts, durableNext: segments.next, endedCleanly: true })
      }
    } finally {
      await manifest.close()
      await supply.close()
      await this.#writer.close()
      await files.giveBack(segments.active)
      await files.closeAll()
      await lock.release()
    }
  }
}
