import { MillraceError } from '@millrace/client'

/** Milliseconds, or text such as `500ms`, `90s`, `5m`, `1h30m`, `7d`. */
export type Duration = number | string

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * @param what names it in errors
 * @param leastMs what it must be at least
 * @throws MillraceError `bad_request`
 */
export function durationMs(duration: Duration, what: string, leastMs: number): number {
  const ms = typeof duration === 'number' ? duration : parsed(duration)
  if (Number.isSafeInteger(ms) && ms >= leastMs) return ms
  throw new MillraceError(
    'bad_request',
    `${what} is a whole number of milliseconds from ${leastMs} on, or text such as '90s', '5m', '1h30m'; not ${JSON.stringify(duration)}.`,
  )
}

function parsed(text: string): number {
  if (!/^(\d+(ms|s|m|h|d))+$/.test(text)) return NaN
  let ms = 0
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhd])/g)) ms += Number(count) * UNITS[unit!]!
  return ms
}
