/** What the calls of an idempotency store must answer, from the calls that were made before, and what handlers may do with that. */
import type { BeginOptions, BeginResult } from '../idempotency-store.ts'

interface Entry {
  readonly fence: number
  readonly fingerprint: string | undefined
  readonly retentionMs: number
  state: 'in-progress' | 'done'
  untilMs: number
}

/** A store may count time a little coarser than the model. */
const ROUNDING_MS = 1

export class ClaimsOracle {
  readonly #entries = new Map<string, Entry>()
  readonly #highest = new Map<string, number>()
  /** Keys of which a claim was completed. */
  readonly completed = new Set<string>()

  /** @throws Error when it must not answer so */
  begun(key: string, options: BeginOptions, result: BeginResult, nowMs: number): void {
    const { fingerprint, leaseMs, retentionMs } = options
    const entry = this.#live(key, nowMs)
    const wanted = entry === undefined ? 'started' : entry.fingerprint === fingerprint ? entry.state : 'mismatch'
    must(result.state === wanted, `${key} is ${wanted}, begin says ${result.state}`)
    if (result.state === 'in-progress') {
      const leftMs = entry!.untilMs - nowMs
      must(Math.abs(result.retryAfterMs - leftMs) <= ROUNDING_MS, `${key} has ${leftMs} ms left, not ${result.retryAfterMs}`)
    }
    if (result.state !== 'started') return
    const { fence } = result
    must(fence > (this.#highest.get(key) ?? 0), `${key} gets the fence ${fence} after ${this.#highest.get(key)}`)
    this.#highest.set(key, fence)
    this.#entries.set(key, { fence, fingerprint, retentionMs, state: 'in-progress', untilMs: nowMs + leaseMs })
  }

  /** @param error what the call threw: undefined, or a code */
  completedWith(key: string, fence: number, error: string | undefined, nowMs: number): void {
    const entry = this.#held(key, fence)
    must(error === (entry === undefined ? 'stale_claim' : undefined), `${key} is completed with ${fence}: ${error}`)
    if (entry === undefined) return
    must(!this.completed.has(key), `${key} is completed twice`)
    this.completed.add(key)
    entry.state = 'done'
    entry.untilMs = nowMs + entry.retentionMs
  }

  releasedWith(key: string, fence: number, error: string | undefined): void {
    const isHeld = this.#held(key, fence) !== undefined
    must(error === (isHeld ? undefined : 'stale_claim'), `${key} is released with ${fence}: ${error}`)
    if (isHeld) this.#entries.delete(key)
  }

  /** A payload that is not that of the key. */
  mustDiffer(key: string, fingerprint: string, nowMs: number): void {
    const entry = this.#live(key, nowMs)
    must(entry !== undefined && entry.fingerprint !== fingerprint, `${key} may be handled with ${fingerprint}`)
  }

  /** What failed may begin anew, at once. */
  mustBeFree(key: string): void {
    must(this.#entries.get(key) === undefined, `${key} failed, and is still ${this.#entries.get(key)?.state}`)
  }

  fenceOf(key: string): number | undefined {
    return this.#entries.get(key)?.fence
  }

  #live(key: string, nowMs: number): Entry | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.untilMs > nowMs ? entry : undefined
  }

  /** Also when its lease ran out, as long as nobody began meanwhile. */
  #held(key: string, fence: number): Entry | undefined {
    const entry = this.#entries.get(key)
    return entry?.state === 'in-progress' && entry.fence === fence ? entry : undefined
  }
}

export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}
