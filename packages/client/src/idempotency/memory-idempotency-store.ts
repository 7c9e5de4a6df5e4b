import { MillraceError } from '../errors.ts'
import { checkBeginOptions, LATE_COMPLETION_MS, staleClaim } from './claim-errors.ts'
import type { BeginOptions, BeginResult, IdempotencyEntry, IdempotencyStore } from './idempotency-store.ts'

const ENTRIES_MAX = 1_000_000
const PURGE_MAX = 1000
/** Entries that each `begin` looks at: more than one, so that purging keeps ahead of what comes in. */
const SWEEP_PER_BEGIN = 4

interface Entry {
  readonly fence: number
  readonly fingerprint: string | undefined
  readonly retentionMs: number
  state: 'in-progress' | 'done'
  /** When the lease, or the retention, is over. */
  untilMs: number
  result: Uint8Array | undefined
}

export interface MemoryIdempotencyStoreOptions {
  /** `begin` refuses more with `limit_reached`. Default 1,000,000. */
  readonly entriesMax?: number
  /** Milliseconds of a clock that never steps back. */
  readonly now?: () => number
}

/** For tests and for one process: what it knows is gone when the process ends. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #entries = new Map<string, Entry>()
  readonly #entriesMax: number
  readonly #now: () => number
  #fence = 0
  #sweep: Iterator<[string, Entry]> | undefined

  constructor(options: MemoryIdempotencyStoreOptions = {}) {
    this.#entriesMax = options.entriesMax ?? ENTRIES_MAX
    this.#now = options.now ?? (() => performance.now())
  }

  async begin(key: string, options: BeginOptions): Promise<BeginResult> {
    checkBeginOptions(options)
    const nowMs = this.#now()
    this.#forgetExpired(nowMs, SWEEP_PER_BEGIN)
    const entry = this.#live(key, nowMs)
    if (entry !== undefined) return occupied(entry, options.fingerprint, nowMs)
    // At its end of the map, so that a sweep meets the oldest first.
    this.#entries.delete(key)
    if (this.#entries.size >= this.#entriesMax) {
      throw new MillraceError(
        'limit_reached',
        `The store holds ${this.#entriesMax} keys: shorten \`retentionMs\`, or raise \`entriesMax\`.`,
      )
    }
    const fence = ++this.#fence
    const { fingerprint, leaseMs, retentionMs } = options
    this.#entries.set(key, {
      fence,
      fingerprint,
      retentionMs,
      state: 'in-progress',
      untilMs: nowMs + leaseMs,
      result: undefined,
    })
    return { state: 'started', fence }
  }

  async complete(key: string, fence: number, result?: Uint8Array): Promise<void> {
    const entry = this.#held(key, fence)
    entry.state = 'done'
    entry.untilMs = this.#now() + entry.retentionMs
    entry.result = result?.slice()
  }

  async release(key: string, fence: number): Promise<void> {
    this.#held(key, fence)
    this.#entries.delete(key)
  }

  async get(key: string): Promise<IdempotencyEntry | undefined> {
    const entry = this.#live(key, this.#now())
    if (entry === undefined) return undefined
    const { state, fence, result } = entry
    return state === 'done' ? { state, fence, result } : { state, fence }
  }

  async purge(max: number = PURGE_MAX): Promise<number> {
    const nowMs = this.#now()
    let purged = 0
    for (const [key, entry] of this.#entries) {
      if (purged >= max) break
      if (!isOver(entry, nowMs)) continue
      this.#entries.delete(key)
      purged++
    }
    return purged
  }

  #live(key: string, nowMs: number): Entry | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.untilMs > nowMs ? entry : undefined
  }

  /** @throws MillraceError `stale_claim` */
  #held(key: string, fence: number): Entry {
    const entry = this.#entries.get(key)
    if (entry?.state !== 'in-progress' || entry.fence !== fence) throw staleClaim(key, fence)
    return entry
  }

  /** Goes round the map, a few entries at a time. */
  #forgetExpired(nowMs: number, looks: number): void {
    for (let n = 0; n < looks; n++) {
      this.#sweep ??= this.#entries.entries()
      const next = this.#sweep.next()
      if (next.done === true) {
        this.#sweep = undefined
        return
      }
      const [key, entry] = next.value
      if (isOver(entry, nowMs)) this.#entries.delete(key)
    }
  }
}

function isOver(entry: Entry, nowMs: number): boolean {
  return entry.untilMs + (entry.state === 'done' ? 0 : LATE_COMPLETION_MS) <= nowMs
}

function occupied(entry: Entry, fingerprint: string | undefined, nowMs: number): BeginResult {
  const differs = fingerprint !== undefined && entry.fingerprint !== undefined && fingerprint !== entry.fingerprint
  if (differs) return { state: 'mismatch' }
  if (entry.state === 'done') return { state: 'done', result: entry.result }
  return { state: 'in-progress', retryAfterMs: Math.ceil(entry.untilMs - nowMs) }
}
