/** What workers told of their claims, and what must be true of it. */
import type { IdempotencyEntry } from '@millrace/client'
import { must } from '../../packages/client/src/idempotency/conformance/claims-oracle.ts'
import type { Told } from './worker-process.ts'

/** Times are whole milliseconds. */
const CLOCK_MS = 2

export class ToldClaims {
  readonly #byKey = new Map<string, Told[]>()
  readonly #leaseMs: number

  constructor(told: readonly Told[], leaseMs: number) {
    this.#leaseMs = leaseMs
    for (const each of told) {
      const ofKey = this.#byKey.get(each.key)
      if (ofKey === undefined) this.#byKey.set(each.key, [each])
      else ofKey.push(each)
    }
  }

  /** @param entry what the store says in the end @throws Error when the key was not done exactly once, by its last claim */
  mustBeDoneOnce(key: string, entry: IdempotencyEntry | undefined): void {
    must(entry?.state === 'done', `${key} is done: ${entry?.state}`)
    const { fence, result } = entry
    const stored = new TextDecoder().decode(result)
    must(stored === String(fence), `${key} has the result of ${stored}, and is done with ${fence}`)
    const begun = this.#fences(key, 'begun')
    must(new Set(begun).size === begun.length, `${key} has claims of one fence: ${begun.join()}`)
    must(Math.max(...begun) === fence, `${key} begins as ${begun.join()}, and is done with ${fence}`)
    must(this.#fences(key, 'effect').includes(fence), `${key} is done with ${fence}, which had no effect`)
    const completed = this.#fences(key, 'completed')
    // Who was killed before it could tell is missing.
    must(completed.length <= 1 && completed.every((each) => each === fence), `${key} is completed as ${completed.join()}`)
  }

  /** A claim begins when the lease of the one before it is over, or when that was given up. */
  mustNotOverlap(key: string): void {
    const givenUp = new Set(this.#fences(key, 'releasing'))
    const claims = this.#of(key, 'begun').toSorted((a, b) => a.fence - b.fence)
    for (const [n, { fence, heardMs }] of claims.slice(1).entries()) {
      const before = claims[n]!
      const ms = heardMs! - before.askedMs!
      must(
        givenUp.has(before.fence) || ms >= this.#leaseMs - CLOCK_MS,
        `${key}: ${fence} begins ${ms} ms after ${before.fence}, which has it`,
      )
    }
  }

  #fences(key: string, what: Told['what']): readonly number[] {
    return this.#of(key, what).map(({ fence }) => fence)
  }

  #of(key: string, what: Told['what']): readonly Told[] {
    return (this.#byKey.get(key) ?? []).filter((each) => each.what === what)
  }
}
