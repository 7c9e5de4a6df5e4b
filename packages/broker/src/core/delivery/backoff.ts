import type { Backoff } from '@millrace/wire'

const FACTOR_DEFAULT = 2

/**
 * How long a message waits that failed so many times.
 * @param random from 0 to 1
 */
export function backoffMs(backoff: Backoff, attempts: number, random: number): number {
  return Math.round(fullBackoffMs(backoff, attempts) * (1 - (backoff.jitter ?? 0) * random))
}

/** Before chance takes something off. May be Infinity. */
export function fullBackoffMs({ kind, initialMs, maxMs = Infinity, factor = FACTOR_DEFAULT }: Backoff, attempts: number): number {
  return kind === 'fixed' ? initialMs : Math.min(maxMs, initialMs * factor ** (attempts - 1))
}
