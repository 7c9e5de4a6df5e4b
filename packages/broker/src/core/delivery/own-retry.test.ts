import { type Backoff, BACKOFF_MS_MAX, type RetryPolicy } from '@millrace/wire'
import { expect, test } from 'vitest'
import { SeededRandom } from '../../../test/harness/seeded-random.ts'
import { backoffMs } from './backoff.ts'
import { isLastAttempt, ownRetry, ownWaitMs } from './own-retry.ts'

const fixed = (initialMs: number, jitter?: number): RetryPolicy => ({
  backoff: { kind: 'fixed', initialMs, ...(jitter === undefined ? {} : { jitter }) },
})

test('the last attempt is the one that the policy says, or the queue', () => {
  const policy = { maxAttempts: 3 }
  expect([1, 2, 3, 4].map((attempt) => isLastAttempt(ownRetry(policy, attempt)))).toEqual([false, false, true, true])
  expect(isLastAttempt(ownRetry(fixed(1000), 1_000_000))).toBeUndefined()
  expect(isLastAttempt(ownRetry({ ...policy, ...fixed(BACKOFF_MS_MAX, 1) }, 3))).toBe(true)
})

test('the wait is the one that the policy says, or the queue', () => {
  expect(ownWaitMs(ownRetry({ maxAttempts: 3 }, 3), 0.5)).toBeUndefined()
  expect([0, 0.5, 1].map((random) => ownWaitMs(ownRetry(fixed(1000, 0.4), 1), random))).toEqual([1000, 800, 600])
  expect(ownWaitMs(ownRetry(fixed(1, 1), 1), 1)).toBe(0)
})

test('a wait without end is the longest there is', () => {
  const growing: RetryPolicy = { maxAttempts: 5000, backoff: { kind: 'exponential', initialMs: 100, factor: 100, jitter: 1 } }
  const own = ownRetry(growing, 4999)
  expect([0, 1].map((random) => ownWaitMs(own, random))).toEqual([BACKOFF_MS_MAX, 0])
  expect(isLastAttempt(own)).toBe(false)
})

test('policies that come to the same at this attempt are the same', () => {
  const other: RetryPolicy = { maxAttempts: 9, backoff: { kind: 'exponential', initialMs: 500, factor: 2 } }
  expect(ownRetry(other, 2)).toBe(ownRetry({ maxAttempts: 5, ...fixed(1000) }, 2))
  expect(ownRetry(other, 3)).not.toBe(ownRetry({ maxAttempts: 5, ...fixed(1000) }, 3))
})

test('whatever the policy, the number says what it says', () => {
  const random = new SeededRandom(1)
  for (let n = 0; n < 10_000; n++) {
    const backoff: Backoff = {
      kind: random.between(0, 1) === 0 ? 'fixed' : 'exponential',
      initialMs: random.between(1, random.between(0, 1) === 0 ? 100 : BACKOFF_MS_MAX),
      maxMs: random.between(1, BACKOFF_MS_MAX),
      factor: 1 + random.between(0, 9900) / 100,
      jitter: random.between(0, 10_000) / 10_000,
    }
    const attempt = random.between(1, 1_000_000)
    const maxAttempts = random.between(1, 1_000_000)
    const own = ownRetry({ maxAttempts, backoff }, attempt)
    expect(Number.isSafeInteger(own)).toBe(true)
    expect(isLastAttempt(own)).toBe(attempt >= maxAttempts)
    const chance = random.next()
    const said = backoffMs(backoff, attempt, chance)
    // The wait is whole milliseconds before chance takes something off.
    expect(Math.abs(ownWaitMs(own, chance)! - said)).toBeLessThanOrEqual(1)
  }
})
