import type { Backoff } from '@millrace/wire'
import type { Random } from '../../ports/platform.ts'
import { NACK_DELAY_MS_MAX } from '../limits.ts'
import { backoffMs } from './backoff.ts'
import { type OwnRetry, ownWaitMs } from './own-retry.ts'

/**
 * How long a message waits that failed so many times: as it says itself, or else as the queue says.
 * @returns undefined where neither says anything
 */
export function failureWaitMs(
  attempts: number,
  own: OwnRetry | undefined,
  backoff: Backoff | undefined,
  random: Random,
): number | undefined {
  const ownMs = own === undefined ? undefined : ownWaitMs(own, shareOf(random))
  if (ownMs !== undefined) return ownMs
  return backoff === undefined ? undefined : Math.min(backoffMs(backoff, attempts, shareOf(random)), NACK_DELAY_MS_MAX)
}

/** From 0 to 1. */
function shareOf(random: Random): number {
  return random.uint32() / 2 ** 32
}
