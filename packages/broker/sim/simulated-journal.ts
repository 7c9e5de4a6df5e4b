import { crc32c } from '@millrace/wire'
import { assert } from '../src/base/assert.ts'
import { MillraceError } from '../src/base/errors.ts'
import type { AppendResult, Journal, JournalBounds, JournalExtent, JournalLimits, JournalPart } from '../src/ports/journal.ts'
import type { VirtualPlatform } from './virtual-platform.ts'

/** How the next appends go wrong. */
export interface JournalFaults {
  /** So many appends answer `full`. */
  full: number
  /** The next append answers `unknown`; it was kept or not. */
  unknown: boolean
  /** Damaged bytes by sequence: a read that covers them sees them changed. */
  readonly damaged: Map<number, { readonly from: number; readonly to: number }>
}

/**
 * Stands between a store and its journal: appends take virtual time, faults happen, and when the process dies no call of it settles any more.
 */
export class SimulatedJournal implements Journal {
  readonly faults: JournalFaults = { full: 0, unknown: false, damaged: new Map() }
  readonly #inner: Journal
  readonly #platform: VirtualPlatform
  readonly #mayKeepLast: boolean
  #isDead = false
  #isSealed = false
  #underway: { readonly seq: number; readonly batch: readonly Uint8Array[] } | undefined
  #reads = 0

  /** @param mayKeepLast whether an append under way may be kept when the process dies; on the simulated disk the disk decides */
  constructor(inner: Journal, platform: VirtualPlatform, mayKeepLast: boolean) {
    this.#inner = inner
    this.#platform = platform
    this.#mayKeepLast = mayKeepLast
  }

  get limits(): JournalLimits {
    return this.#inner.limits
  }

  get reads(): number {
    return this.#reads
  }

  async append(seq: number, batch: readonly Uint8Array[], checksum?: number): Promise<AppendResult> {
    if (checksum !== undefined) assert(checksum === crc32c(Buffer.concat(batch)), 'a checksum that comes with a batch is its own')
    if (this.#isDead) return never()
    if (this.#isSealed) return { kind: 'unknown', cause: new Error('sealed') }
    // The bytes are borrowed: what the store does to them from now on must not matter to what is kept, so they are kept by reference.
    this.#underway = { seq, batch }
    await this.#delay()
    if (this.#isDead) return never()
    this.#underway = undefined
    if (this.faults.full > 0) {
      this.faults.full--
      return { kind: 'full' }
    }
    if (this.faults.unknown) {
      this.#isSealed = true
      if (this.#platform.below(2) === 0) await this.#inner.append(seq, batch, checksum)
      return { kind: 'unknown', cause: new Error('injected EIO') }
    }
    const result = await this.#inner.append(seq, batch, checksum)
    return this.#isDead ? never() : result
  }

  async read(seq: number, from: number, length: number): Promise<Uint8Array> {
    if (this.#isDead) return never()
    this.#reads++
    if (this.#platform.below(4) === 0) await this.#delay()
    const bytes = await this.#inner.read(seq, from, length)
    if (this.#isDead) return never()
    const damage = this.faults.damaged.get(seq)
    if (damage === undefined) return bytes
    const copy = bytes.slice()
    for (let at = Math.max(damage.from, from); at < Math.min(damage.to, from + bytes.length); at++) copy[at - from]! ^= 0x55
    return copy
  }

  readParts(parts: readonly JournalPart[]): Promise<readonly Uint8Array[]> {
    return Promise.all(parts.map(({ seq, from, length }) => this.read(seq, from, length)))
  }

  length(seq: number): Promise<number> {
    return this.#isDead ? never() : this.#inner.length(seq)
  }

  verify(seq: number): Promise<void> {
    return this.#isDead ? never() : this.#inner.verify(seq)
  }

  async discard(first: number, last: number): Promise<void> {
    if (this.#isDead) return never()
    await this.#inner.discard(first, last)
  }

  bounds(): JournalBounds {
    return this.#inner.bounds()
  }

  extents(): readonly JournalExtent[] {
    return this.#inner.extents()
  }

  headroomBytes(): number {
    return this.faults.full > 0 ? 0 : this.#inner.headroomBytes()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** Ends the process that uses this journal. An append under way is kept or not. */
  async die(): Promise<void> {
    this.#isDead = true
    const underway = this.#underway
    if (this.#mayKeepLast && underway !== undefined && !this.#isSealed && this.#platform.below(2) === 0) {
      await this.#inner.append(underway.seq, underway.batch)
    }
  }

  #delay(): Promise<void> {
    const ms = this.#platform.below(4)
    if (ms === 0) return Promise.resolve()
    return new Promise((resolve) => this.#platform.scheduler.after(ms, resolve))
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}

/** What a store says when its journal failed it. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'outcome_unknown'
}
