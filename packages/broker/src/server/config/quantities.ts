/** Sizes and durations as people write them: a number of bytes or milliseconds, or '64MiB', '5m', '1h30m'. And waits that grow. */
import type { Backoff } from '@millrace/wire'

const byteUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** @returns bytes, or undefined when it is not a size */
export function parseBytes(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value.trim())
  if (match === null) return undefined
  const unit = byteUnits[match[2]!.toLowerCase() || 'b']
  const bytes = unit === undefined ? NaN : Math.round(Number(match[1]) * unit)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** @returns milliseconds, or undefined when it is not a duration */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (/^\d+$/.test(text)) return Number(text)
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) total += Number(amount) * durationUnits[unit!]!
  return Math.round(total)
}

/** How a backoff is written. */
export const BACKOFF_FORM = 'fixed:5s, exponential:100ms or exponential:100ms..1m, and behind it ,jitter=0.2 or ,factor=3'

/** `fixed:5s`, `exponential:100ms`, `exponential:100ms..1m,factor=3,jitter=0.2`. @returns undefined when it is none */
export function parseBackoff(text: string): Backoff | undefined {
  const [shape = '', ...settings] = text.split(',')
  const [, kind, first, last] = /^(fixed|exponential):(.+?)(?:\.\.(.+))?$/.exec(shape) ?? []
  const initialMs = parseDuration(first)
  const maxMs = last === undefined ? undefined : parseDuration(last)
  if ((kind !== 'fixed' && kind !== 'exponential') || initialMs === undefined || (last !== undefined && maxMs === undefined))
    return undefined
  const more: { jitter?: number; factor?: number } = {}
  for (const setting of settings) {
    const [, name, value] = /^(jitter|factor)=(\d+(?:\.\d+)?)$/.exec(setting) ?? []
    if ((name !== 'jitter' && name !== 'factor') || more[name] !== undefined) return undefined
    more[name] = Number(value)
  }
  // What grows has a factor and an end.
  if (kind === 'fixed' && (maxMs !== undefined || more.factor !== undefined)) return undefined
  return { kind, initialMs, ...(maxMs === undefined ? {} : { maxMs }), ...more }
}

/** The shortest exact way to write a size: 67108864 -> '64MiB'. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return `${bytes}`
}
