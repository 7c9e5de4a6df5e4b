import { PRIORITY_MAX } from '@millrace/wire'
import { InvalidArgumentError } from 'commander'
import type { Backoff, StartPosition } from '@millrace/client'
import { BACKOFF_FORM, parseBackoff as parseBackoffText, parseBytes, parseDuration } from '../server/config/quantities.ts'
import { formatDuration } from './output/figures.ts'

// Parsers of option values. Commander turns an InvalidArgumentError into a usage error that names the option.

/** `5m`, `1h30m`, `250ms`; a bare number is milliseconds. */
export function parseDurationMs(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('Write a duration like 500ms, 30s, 5m, 2h or 7d.')
  return ms
}

/** `100`, `64KiB`, `1.5GB`; a bare number is bytes. */
export function parseSize(text: string): number {
  const bytes = parseBytes(text)
  if (bytes === undefined) throw new InvalidArgumentError('Write a size like 100, 64KiB, 10MB or 1GiB.')
  return bytes
}

/** A whole number of at least 1; `10_000` and `1e6` are fine. */
export function parseCount(text: string): number {
  const count = Number(text.replaceAll('_', ''))
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError('Write a whole number of at least 1.')
  return count
}

/** `2026-01-31T12:00:00Z`, or anything else that says a time. @returns milliseconds since 1970 */
export function parseTime(text: string): number {
  const timeMs = Date.parse(text)
  if (Number.isNaN(timeMs)) throw new InvalidArgumentError('Write a time like 2026-01-31T12:00:00Z.')
  return timeMs
}

/** A whole number of at least 0. */
export function parseIndex(text: string): number {
  return text === '0' ? 0 : parseCount(text)
}

/** 0 to 255. */
export function parsePriority(text: string): number {
  const priority = /^\d+$/.test(text) ? Number(text) : Infinity
  if (priority > PRIORITY_MAX) throw new InvalidArgumentError(`Write a whole number from 0 to ${PRIORITY_MAX}.`)
  return priority
}

/** A whole number, which may be below 0. */
export function parseWhole(text: string): number {
  const whole = /^-?\d+$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(whole)) throw new InvalidArgumentError('Write a whole number.')
  return whole
}

/** A number above 0. */
export function parseRate(text: string): number {
  const rate = Number(text.replaceAll('_', ''))
  if (!(rate > 0) || rate === Infinity) throw new InvalidArgumentError('Write a number above 0.')
  return rate
}

/** See BACKOFF_FORM. */
export function parseBackoff(text: string): Backoff {
  const backoff = parseBackoffText(text)
  if (backoff === undefined) throw new InvalidArgumentError(`Write ${BACKOFF_FORM}.`)
  return backoff
}

/** As it is written for `parseBackoff`. */
export function formatBackoff({ kind, initialMs, maxMs, factor, jitter }: Backoff): string {
  const range = `${kind}:${formatDuration(initialMs)}${maxMs === undefined ? '' : `..${formatDuration(maxMs)}`}`
  return `${range}${factor === undefined ? '' : `,factor=${factor}`}${jitter === undefined ? '' : `,jitter=${jitter}`}`
}

/** Wraps a parser so that `none` takes a setting away. (Commander replaces null by an empty text.) */
export function orNone<Value>(parse: (text: string) => Value): (text: string) => Value | 'none' {
  return (text) => (text === 'none' ? 'none' : parse(text))
}

/** `earliest`, `latest`, `offset:N` or `time:ISO`. */
export function parseStartPosition(text: string): StartPosition {
  if (text === 'earliest' || text === 'latest') return text
  if (/^offset:\d+$/.test(text)) return { offset: Number(text.slice('offset:'.length)) }
  if (text.startsWith('time:')) {
    const timestampMs = Date.parse(text.slice('time:'.length))
    if (!Number.isNaN(timestampMs)) return { timestampMs }
  }
  throw new InvalidArgumentError('Write earliest, latest, offset:N or time:2026-01-31T12:00:00Z.')
}

/** Gathers repeated `-H name=value` options. */
export function collectHeader(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('Write it as name=value.')
  return { ...previous, [text.slice(0, equals)]: text.slice(equals + 1) }
}
