import { RECORDS } from './commit-format.ts'
import { type CommitMemory, type MemoryBlock, SHARED_BYTES_MAX } from './commit-memory.ts'
import type { DirectoryWriter } from './directory-writer.ts'
import type { LogState } from './log-state.ts'
import type { Ticket } from './log-store.ts'
import { PIECE_BYTES_MAX, type Slabs } from './slabs.ts'

// hot path (bench/src/log-store.ts)

export interface RecordRowsLimits {
  readonly entryBytesMax: number
  readonly largeBatchBytes: number
}

/**
 * The record batches of the open commit, one row per batch. Small ones are copied to an arena that serves every commit; when the commit
 * closes they are laid out per log, so that what a log got in one commit is one range and one index entry. Large ones keep
 * a copy of their own.
 */
export class RecordRows {
  readonly #limits: RecordRowsLimits
  #records = 0
  #arena = new Uint8Array(INITIAL_ARENA_BYTES)
  #arenaUsed = 0
  #base = new Float64Array(INITIAL_RECORDS)
  #offsets = new Uint32Array(INITIAL_RECORDS)
  #length = new Uint32Array(INITIAL_RECORDS)
  #timestampMs = new Float64Array(INITIAL_RECORDS)
  /** Where it is in the arena, or -1 - n for `#large[n]`. */
  #place = new Int32Array(INITIAL_RECORDS)
  /** Next row of the same log, or -1. */
  #following = new Int32Array(INITIAL_RECORDS)
  #large: Uint8Array[] = []
  readonly #memory: CommitMemory
  readonly #slabs: Slabs
  /** For this commit. */
  #blocks: MemoryBlock[] = []
  #log = new Float64Array(INITIAL_RECORDS)
  /** The first row of each log, in the order in which they came. */
  #heads = new Int32Array(INITIAL_RECORDS)
  #logs = 0

  constructor(limits: RecordRowsLimits, memory: CommitMemory, slabs: Slabs) {
    this.#limits = limits
    this.#memory = memory
    this.#slabs = slabs
  }

  /** What the parts of this commit lie in, but for small ones. */
  get blocks(): readonly MemoryBlock[] {
    return this.#blocks
  }

  add(ticket: Ticket, log: LogState, base: number, offsets: number, timestampMs: number, batch: Uint8Array): void {
    const row = this.#records
    if (row === this.#base.length) this.#growRows()
    const length = batch.length
    this.#log[row] = log.id
    this.#base[row] = base
    this.#offsets[row] = offsets
    this.#length[row] = length
    this.#timestampMs[row] = timestampMs
    if (length >= this.#limits.largeBatchBytes) {
      this.#place[row] = -1 - this.#large.length
      const copy = this.memory(length)
      copy.set(batch)
      this.#large.push(copy)
    } else {
      const at = this.#arenaUsed
      if (at + length > this.#arena.length) this.#growArena(length)
      this.#arena.set(batch, at)
      this.#arenaUsed = at + length
      this.#place[row] = at
    }
    this.#following[row] = -1
    if (log.openTicket === ticket) this.#following[log.openLast] = row
    else {
      log.openTicket = ticket
      this.#heads[this.#logs++] = row
    }
    log.openLast = row
    this.#records = row + 1
  }

  /** Writes the directory entries, and the parts they describe. */
  layOut(entries: DirectoryWriter, baseTimestampMs: number, parts: Uint8Array[]): void {
    const limit = this.#limits.entryBytesMax
    const gathering = new Gathering(this.#arena, this.#arenaUsed, parts, (bytes) => this.memory(bytes))
    for (let head = 0; head < this.#logs; head++) {
      let row = this.#heads[head]!
      const log = this.#log[row]!
      while (row >= 0) {
        const base = this.#base[row]!
        let offsets = this.#offsets[row]!
        let batches = 1
        let length = this.#length[row]!
        let timestampMs = this.#timestampMs[row]!
        const place = this.#place[row]!
        row = this.#following[row]!
        if (place < 0) {
          gathering.endPart()
          parts.push(this.#large[-1 - place]!)
        } else {
          gathering.makeRoom(length)
          gathering.add(place, length)
          const lengthMax = Math.min(limit, length + gathering.room)
          while (
            row >= 0 &&
            this.#place[row]! >= 0 &&
            this.#base[row] === base + offsets &&
            length + this.#length[row]! <= lengthMax
          ) {
            gathering.add(this.#place[row]!, this.#length[row]!)
            offsets += this.#offsets[row]!
            batches++
            length += this.#length[row]!
            if (this.#timestampMs[row]! > timestampMs) timestampMs = this.#timestampMs[row]!
            row = this.#following[row]!
          }
        }
        entries.begin(RECORDS)
        entries.varint(log)
        entries.varint(base)
        entries.varint(offsets)
        entries.varint(batches)
        entries.varint(length)
        entries.zigzag(timestampMs - baseTimestampMs)
      }
    }
    gathering.endPart()
  }

  reset(): void {
    this.#records = 0
    this.#arenaUsed = 0
    this.#large = []
    this.#blocks = []
    this.#logs = 0
  }

  /** For bytes of this commit. */
  memory(bytes: number): Uint8Array {
    return bytes <= PIECE_BYTES_MAX ? this.#slabs.take(bytes) : this.#memory.take(bytes, this.#blocks)
  }

  #growRows(): void {
    const rows = this.#base.length * 2
    this.#log = grown(this.#log, new Float64Array(rows))
    this.#heads = grown(this.#heads, new Int32Array(rows))
    this.#base = grown(this.#base, new Float64Array(rows))
    this.#offsets = grown(this.#offsets, new Uint32Array(rows))
    this.#length = grown(this.#length, new Uint32Array(rows))
    this.#timestampMs = grown(this.#timestampMs, new Float64Array(rows))
    this.#place = grown(this.#place, new Int32Array(rows))
    this.#following = grown(this.#following, new Int32Array(rows))
  }

  #growArena(more: number): void {
    const arena = new Uint8Array(Math.max(this.#arenaUsed + more, this.#arena.length * 2))
    arena.set(this.#arena.subarray(0, this.#arenaUsed))
    this.#arena = arena
  }
}

/**
 * Copies rows out of the arena, neighbours at once, to memory that lasts. It comes in pieces that others can use afterwards; what lies
 * together in one is a part of the commit.
 */
class Gathering {
  readonly #arena: Uint8Array
  readonly #parts: Uint8Array[]
  readonly #memory: (bytes: number) => Uint8Array
  /** Of the arena. */
  #bytesLeft: number
  #piece: Uint8Array = NOTHING
  #at = 0
  #partFrom = 0
  /** A stretch of the arena that is not copied yet. */
  #from = 0
  #to = 0

  constructor(arena: Uint8Array, bytes: number, parts: Uint8Array[], memory: (bytes: number) => Uint8Array) {
    this.#arena = arena
    this.#bytesLeft = bytes
    this.#parts = parts
    this.#memory = memory
  }

  /** What fits into the piece of memory in hand. */
  get room(): number {
    return this.#piece.length - this.#at - (this.#to - this.#from)
  }

  /** Where a row of `length` does not fit, what follows is another part. */
  makeRoom(length: number): void {
    if (length <= this.room) return
    this.endPart()
    this.#piece = this.#memory(Math.max(length, Math.min(this.#bytesLeft, SHARED_BYTES_MAX)))
    this.#at = 0
    this.#partFrom = 0
  }

  add(place: number, length: number): void {
    if (place !== this.#to) {
      this.#copy()
      this.#from = place
    }
    this.#to = place + length
    this.#bytesLeft -= length
  }

  endPart(): void {
    this.#copy()
    this.#from = this.#to
    if (this.#at > this.#partFrom) this.#parts.push(this.#piece.subarray(this.#partFrom, this.#at))
    this.#partFrom = this.#at
  }

  #copy(): void {
    this.#piece.set(this.#arena.subarray(this.#from, this.#to), this.#at)
    this.#at += this.#to - this.#from
  }
}

const NOTHING = new Uint8Array(0)
const INITIAL_ARENA_BYTES = 65_536
const INITIAL_RECORDS = 1024

function grown<T extends Float64Array | Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from)
  return to
}
