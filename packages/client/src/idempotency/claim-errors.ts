import { MillraceError } from '../errors.ts'

/**
 * How long a store keeps a claim whose lease ran out, beyond the lease: a holder that is late but alone can still complete, which
 * spares the work from being done again.
 */
export const LATE_COMPLETION_MS: number = 3_600_000

/** What every store throws when a fence is not, or no longer, the current claim's. */
export function staleClaim(key: string, fence: number): MillraceError {
  return new MillraceError(
    'stale_claim',
    `The claim ${fence} of ${JSON.stringify(key)} is not held any more: its lease ran out and somebody else began, or it was ended before.`,
  )
}

/** @throws MillraceError `bad_request` for times that no store can keep */
export function checkBeginOptions(options: { readonly leaseMs: number; readonly retentionMs: number }): void {
  checkDuration('leaseMs', options.leaseMs, 1, LEASE_MS_MAX)
  checkDuration('retentionMs', options.retentionMs, 0, RETENTION_MS_MAX)
}

/** What a timer of JavaScript can wait for: 24 days. */
const LEASE_MS_MAX = 2 ** 31 - 1
/** A century: far beyond use, and well inside what every store can add to its clock. */
const RETENTION_MS_MAX = 100 * 365 * 86_400_000

function checkDuration(name: string, ms: number, min: number, max: number): void {
  if (Number.isSafeInteger(ms) && ms >= min && ms <= max) return
  throw new MillraceError('bad_request', `\`${name}\` is a whole number of milliseconds from ${min} to ${max}, not ${ms}.`)
}
