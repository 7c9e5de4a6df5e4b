import { type Duration, durationMs } from './duration.ts'

/** A span of time: from `startMs` (included) to `endMs` (excluded), milliseconds since 1970. */
export interface Window {
  readonly startMs: number
  readonly endMs: number
}

export interface WindowOptions {
  /** For how long after its end a window still takes records that come late. Default 0. */
  readonly grace?: Duration
  /**
   * Event time stands still while nothing comes, and windows stay open. With `idle`, when nothing has come for so long, event time goes on
   * as the clock does, until something comes. Default: never.
   */
  readonly idle?: Duration
}

interface Closing {
  readonly graceMs: number
  /** Infinity: never. */
  readonly idleMs: number
}

/** Windows of a fixed length. Made by `tumbling` and `sliding`. */
export interface TimeWindows extends Closing {
  readonly kind: 'time'
  readonly sizeMs: number
  /** From the start of one to the start of the next. */
  readonly everyMs: number
}

/** Windows as long as records of a key follow each other. Made by `session`. */
export interface SessionWindows extends Closing {
  readonly kind: 'session'
  readonly gapMs: number
}

/** One window after the other: `tumbling('1m')`. A record is in one of them. Aligned to 1970-01-01T00:00:00Z. */
export function tumbling(size: Duration, options: WindowOptions = {}): TimeWindows {
  return sliding(size, { ...options, every: size })
}

/** Windows that overlap: `sliding('5m', { every: '1m' })` are the last five minutes, at every minute. */
export function sliding(size: Duration, options: WindowOptions & { readonly every: Duration }): TimeWindows {
  const sizeMs = durationMs(size, 'The size of a window', 1)
  const everyMs = durationMs(options.every, '`every`', 1)
  return { kind: 'time', sizeMs, everyMs, ...closing(options) }
}

/**
 * `session('30m')`: records of a key that are less than 30 minutes apart are in one window. It ends 30 minutes after the last of
 * them.
 */
export function session(gap: Duration, options: WindowOptions = {}): SessionWindows {
  return { kind: 'session', gapMs: durationMs(gap, 'The gap of a session', 1), ...closing(options) }
}

function closing({ grace = 0, idle }: WindowOptions): Closing {
  return { graceMs: durationMs(grace, '`grace`', 0), idleMs: idle === undefined ? Infinity : durationMs(idle, '`idle`', 1) }
}
