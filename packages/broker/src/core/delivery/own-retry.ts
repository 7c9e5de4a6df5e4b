/**
 * What the retry policies of messages say of the attempt under way. Each message may have a policy of its own and a million of them
 * be out, so it is one number:
 *
 *     (wait * JITTERS + jitter) * ENDS + end
 *
 *     wait     0: as the queue says; n: n - 1 milliseconds, without chance
 *     jitter   what chance may take off of that, in 10,000ths
 *     end      0: as the queue says; 1: not the last attempt; 2: the last one
 */
import type { RetryPolicy } from '@millrace/wire'
import { NACK_DELAY_MS_MAX } from '../limits.ts'
import { fullBackoffMs } from './backoff.ts'

/** Policies that come to the same are the same number. */
export type OwnRetry = number

const JITTER_UNITS = 10_000
const JITTERS = JITTER_UNITS + 1
const ENDS = 3
const GOES_ON = 1
const ENDS_NOW = 2

export function ownRetry({ maxAttempts, backoff }: RetryPolicy, attempt: number): OwnRetry {
  const end = maxAttempts === undefined ? 0 : attempt < maxAttempts ? GOES_ON : ENDS_NOW
  if (backoff === undefined) return end
  const waitMs = Math.round(Math.min(fullBackoffMs(backoff, attempt), NACK_DELAY_MS_MAX))
  const jitter = Math.round((backoff.jitter ?? 0) * JITTER_UNITS)
  return ((waitMs + 1) * JITTERS + jitter) * ENDS + end
}

/** @returns undefined where that is for the queue to say */
export function isLastAttempt(own: OwnRetry): boolean | undefined {
  const end = own % ENDS
  return end === 0 ? undefined : end === ENDS_NOW
}

/**
 * How long the message waits if this attempt fails.
 * @param random from 0 to 1
 * @returns undefined where that is for the queue to say
 */
export function ownWaitMs(own: OwnRetry, random: number): number | undefined {
  const wait = Math.floor(own / ENDS)
  if (wait === 0) return undefined
  const fullMs = Math.floor(wait / JITTERS) - 1
  return Math.round(fullMs * (1 - ((wait % JITTERS) / JITTER_UNITS) * random))
}
