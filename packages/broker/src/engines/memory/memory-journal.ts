import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import { GIB, MIB } from '../../base/units.ts'
import type { AppendResult, Journal, JournalBounds, JournalExtent, JournalLimits, JournalPart } from '../../ports/journal.ts'

export interface MemoryJournalOptions {
  /** Batch bytes the journal holds at most, in whole extents that are not forgotten. Default 1 GiB. */
  readonly bytesMax?: number
  /** Default 24 MiB, or 1/8 of `bytesMax` if that is less. */
  readonly batchBytesMax?: number
  /** Bytes after which a new extent begins. Default 16 MiB, or 1/8 of `bytesMax` if that is less. */
  readonly extentBytes?: number
}

/** So that forgetting old batches gives space back also in a small journal, and that no batch takes too much of it. */
const EXTENTS_MIN = 8

/** A journal that lives and dies with the process: the reference that the other engines are compared with. */
export function openMemoryJournal(options: MemoryJournalOptions = {}): Promise<Journal> {
  return Promise.resolve(new MemoryJournal(options))
}

interface Extent {
  readonly first: number
  /** A forgotten batch is undefined. */
  readonly batches: (Uint8Array | undefined)[]
  /** Bytes of all batches, forgotten ones included: space returns when the extent goes as a whole. */
  bytes: number
  kept: number
}

class MemoryJournal implements Journal {
  readonly limits: JournalLimits
  readonly #bytesMax: number
  readonly #extentBytes: number
  /** In sequence order; never empty, the last one is being filled. */
  #extents: Extent[] = [{ first: 0, batches: [], bytes: 0, kept: 0 }]
  #bytes = 0
  #next = 0
  #closed = false

  constructor(options: MemoryJournalOptions) {
    const bytesMax = options.bytesMax ?? GIB
    const part = Math.floor(bytesMax / EXTENTS_MIN)
    this.limits = { batchBytesMax: options.batchBytesMax ?? Math.min(24 * MIB, part), inFlightMax: 1, bytesMax }
    this.#bytesMax = bytesMax
    this.#extentBytes = options.extentBytes ?? Math.min(16 * MIB, part)
  }

  append(seq: number, parts: readonly Uint8Array[]): Promise<AppendResult> {
    assert(!this.#closed, 'append to a closed journal')
    const batch = concatenated(parts)
    assert(
      batch.length <= this.limits.batchBytesMax,
      'bytes of a batch, at most batchBytesMax',
      batch.length,
      this.limits.batchBytesMax,
    )
    if (seq !== this.#next) return Promise.resolve({ kind: 'conflict' })
    const extent = this.#extentToFill()
    if (this.#bytes + batch.length > this.#bytesMax) return Promise.resolve({ kind: 'full' })
    extent.batches.push(batch)
    extent.bytes += batch.length
    extent.kept++
    this.#bytes += batch.length
    this.#next++
    return Promise.resolve({ kind: 'ok' })
  }

  async read(seq: number, from: number, length: number): Promise<Uint8Array> {
    assert(from >= 0 && length >= 0, 'a read from so far on, of so many bytes', from, length)
    return this.#batch(seq).slice(from, from + length)
  }

  readParts(parts: readonly JournalPart[]): Promise<readonly Uint8Array[]> {
    return Promise.all(parts.map(({ seq, from, length }) => this.read(seq, from, length)))
  }

  async length(seq: number): Promise<number> {
    return this.#batch(seq).length
  }

  async verify(seq: number): Promise<void> {
    this.#batch(seq)
  }

  discard(first: number, last: number): Promise<void> {
    assert(!this.#closed, 'discard on a closed journal')
    assert(last < this.#next, 'discard up to a sequence, which is before the next', last, this.#next)
    for (const extent of this.#extents) {
      const end = Math.min(last - extent.first + 1, extent.batches.length)
      for (let at = Math.max(0, first - extent.first); at < end; at++) {
        if (extent.batches[at] === undefined) continue
        extent.batches[at] = undefined
        extent.kept--
      }
    }
    this.#dropForgottenExtents()
    return Promise.resolve()
  }

  bounds(): JournalBounds {
    for (const extent of this.#extents) {
      if (extent.kept === 0) continue
      return { first: extent.first + extent.batches.findIndex((batch) => batch !== undefined), next: this.#next }
    }
    return { first: this.#next, next: this.#next }
  }

  extents(): readonly JournalExtent[] {
    return this.#extents.map(({ first, batches, bytes }) => ({ first, next: first + batches.length, bytes }))
  }

  headroomBytes(): number {
    return this.#bytesMax - this.#bytes
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  #batch(seq: number): Uint8Array {
    assert(!this.#closed, 'read from a closed journal')
    const extent = this.#extents.findLast(({ first }) => first <= seq)
    const batch = extent?.batches[seq - extent.first]
    if (batch !== undefined) return batch
    const { first, next } = this.bounds()
    throw new MillraceError(
      'offset_out_of_range',
      `journal sequence ${seq} is not kept: the journal holds ${first} to ${next - 1}`,
    )
  }

  #extentToFill(): Extent {
    const last = this.#extents.at(-1)!
    const isUsedUp = last.bytes >= this.#extentBytes || (last.kept === 0 && last.bytes > 0)
    if (!isUsedUp) return last
    const extent: Extent = { first: this.#next, batches: [], bytes: 0, kept: 0 }
    this.#extents.push(extent)
    this.#dropForgottenExtents()
    return extent
  }

  #dropForgottenExtents(): void {
    const last = this.#extents.at(-1)
    this.#extents = this.#extents.filter((extent) => {
      if (extent.kept > 0 || extent === last) return true
      this.#bytes -= extent.bytes
      return false
    })
  }
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
