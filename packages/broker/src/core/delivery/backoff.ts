import type { Backoff } from '@millrace/wire'

const FACTOR_DEFAULT = 2

/**
 * How long a message waits that failed so many times.
 * @param random from 0 to 1
 */
export function backoffMs(backoff: Backoff, attempts: number, random: number): number {
  const { kind, initialMs, maxMs = Infinity, factor = FACTOR_DEFAULT, jitter = 0 } = backoff
  const plain = kind === 'fixed' ? initialMs : Math.min(maxMs, initialMs * factor ** (attempts - 1))
  return Math.round(plain * (1 - jitter * random))
}
