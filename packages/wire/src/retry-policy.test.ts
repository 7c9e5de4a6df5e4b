import { expect, it } from 'vitest'
import { BATCH_HAS_EXPIRY, BATCH_HAS_RETRY, batchAttributes } from './record-batch.ts'
import { encodeBatch } from './record-batch-builder.ts'
import { readRetry, retryFault, retryHeader, type RetryPolicy } from './retry-policy.ts'
import { encodeText } from './text.ts'

const whole: RetryPolicy = {
  maxAttempts: 7,
  backoff: { kind: 'exponential', initialMs: 100, maxMs: 60_000, factor: 1.5, jitter: 0.2 },
}

it('a policy is read as it was written, whatever part of it there is', () => {
  const policies: RetryPolicy[] = [whole, { maxAttempts: 1 }, { backoff: { kind: 'fixed', initialMs: 1 } }]
  for (const policy of policies) {
    expect(retryFault('retry', policy)).toBeUndefined()
    expect(readRetry(encodeText(retryHeader(policy)!.value as string))).toEqual(policy)
  }
  expect(retryHeader({})).toBeUndefined()
})

it('the same policy is the same text, in whatever order it was given', () => {
  const other = {
    backoff: { jitter: 0.2, factor: 1.5, maxMs: 60_000, initialMs: 100, kind: 'exponential' as const },
    maxAttempts: 7,
  }
  expect(retryHeader(other)).toEqual(retryHeader(whole))
})

it.each([
  [5, 'retry must be an object with maxAttempts, backoff or both, not 5'],
  [{ attempts: 5 }, 'retry has no setting "attempts"; it has maxAttempts, backoff'],
  [{ maxAttempts: 0 }, 'retry.maxAttempts must be a whole number from 1 to 1000000, not 0'],
  [{ maxAttempts: 1.5 }, 'retry.maxAttempts must be a whole number from 1 to 1000000, not 1.5'],
  [{ backoff: 'fixed:5s' }, 'retry.backoff must be an object with kind and initialMs, not "fixed:5s"'],
  [{ backoff: { kind: 'linear', initialMs: 1 } }, 'retry.backoff.kind is "fixed" or "exponential", not "linear"'],
  [{ backoff: { kind: 'fixed' } }, 'retry.backoff.initialMs must be a whole number from 1 to 31536000000, not undefined'],
  [
    { backoff: { kind: 'exponential', initialMs: 1, maxMs: 0 } },
    'retry.backoff.maxMs must be a whole number from 1 to 31536000000, not 0',
  ],
  [{ backoff: { kind: 'exponential', initialMs: 1, factor: 0 } }, 'retry.backoff.factor must be a number from 1 to 100, not 0'],
  [{ backoff: { kind: 'fixed', initialMs: 1, jitter: 2 } }, 'retry.backoff.jitter must be a number from 0 to 1, not 2'],
  [
    { backoff: { kind: 'fixed', initialMs: 1, min: 2 } },
    'retry.backoff has no setting "min"; it has kind, initialMs, maxMs, factor, jitter',
  ],
])('%j has a fault, and is no policy where anybody may write one', (policy, fault) => {
  expect(retryFault('retry', policy)).toBe(fault)
  expect(readRetry(encodeText(JSON.stringify(policy)))).toBeUndefined()
})

it('what is not JSON, or too long, is no policy', () => {
  const long = `{"maxAttempts":5${' '.repeat(600)}}`
  for (const text of ['', '5', '{', 'null', '[]', long]) expect(readRetry(encodeText(text))).toBeUndefined()
  expect(readRetry(Uint8Array.of(0x7b, 0xff, 0x7d))).toBeUndefined()
})

it('a batch announces that some message has a policy of its own', () => {
  const record = { timestampMs: 1, value: encodeText('a') }
  expect(batchAttributes(encodeBatch([record]))).toBe(0)
  expect(batchAttributes(encodeBatch([record, { ...record, headers: [retryHeader(whole)!] }]))).toBe(BATCH_HAS_RETRY)
  const both = [{ ...record, headers: [retryHeader(whole)!, { key: 'expires-at', value: '5' }] }]
  expect(batchAttributes(encodeBatch(both))).toBe(BATCH_HAS_RETRY | BATCH_HAS_EXPIRY)
})
