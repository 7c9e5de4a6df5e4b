/** What a message that died more than once tells of its deaths: the header `millrace-dead-history` (docs/retries-delays-dead-letters.md). */
import {
  DEAD_HISTORY_HEADER,
  type DeathEntry,
  encodeText,
  messageProperties,
  parseDeathHistory,
  type RecordHeader,
} from '@millrace/wire'
import { moreKeysHeader } from '../router/more-keys.ts'
import { textHeader } from './dead-letter-headers.ts'
import { type Death, DEATHS } from './ranges.ts'

/** What the header takes at most: there is room for it beside the largest batch. */
const HISTORY_BYTES_MAX = 2048
const encoder = new TextEncoder()

/** The newest first. What somebody else wrote there and makes no sense is no history. */
export function historyOf(headers: readonly RecordHeader[]): readonly DeathEntry[] {
  const history = headers.findLast(({ key }) => key === DEAD_HISTORY_HEADER)?.value
  if (history === undefined || history === null) return []
  return parseDeathHistory(history).filter(({ reason }) => DEATHS.includes(reason as Death))
}

/** With one more death, which counts with those like it. */
export function withDeath(history: readonly DeathEntry[], death: Omit<DeathEntry, 'count'>): readonly DeathEntry[] {
  const isLike = (entry: DeathEntry): boolean => entry.source === death.source && entry.reason === death.reason
  const before = history.find(isLike)
  const entry = before === undefined ? { ...death, count: 1 } : { ...before, count: before.count + 1 }
  return [entry, ...history.filter((each) => !isLike(each))]
}

/** Leaves out what does not fit, but neither the newest nor the first death, nor by which key each came. */
export function historyHeader(history: readonly DeathEntry[]): RecordHeader {
  let kept = history
  while (kept.length > 2 && sizeOf(kept) > HISTORY_BYTES_MAX) kept = [...kept.slice(0, -2), kept.at(-1)!]
  if (sizeOf(kept) > HISTORY_BYTES_MAX) kept = kept.map((entry) => ({ ...entry, keys: entry.keys.slice(0, 1) }))
  return textHeader(DEAD_HISTORY_HEADER, JSON.stringify(kept))
}

/**
 * Whether a letter that goes there would go round in a circle which nobody breaks: it died there already, and since then no consumer
 * rejected it.
 */
export function isCircle(history: readonly DeathEntry[], destination: string): boolean {
  for (const { source, reason } of history) {
    if (reason === 'rejected') return false
    if (source === destination) return true
  }
  return false
}

/** The key and headers of a letter with those of the exchange and the key that its message was published with first, if exchanges sent it since. */
export function asPublished(
  key: Uint8Array | null,
  headers: readonly RecordHeader[],
): { readonly key: Uint8Array | null; readonly headers: readonly RecordHeader[] } {
  const first = historyOf(headers).at(-1)
  if (first === undefined) return { key, headers }
  const [published = '', ...more] = first.keys
  const others = headers.filter((header) => header.key !== messageProperties.exchange)
  // Of several headers with one name the last counts.
  if (more.length > 0) others.push(moreKeysHeader(more))
  // What was published to the queue itself, without a key, was not published with its name.
  if (first.exchange === '' && more.length === 0 && published === nameIn(first.source)) return { key: null, headers: others }
  if (first.exchange !== '') others.push(textHeader(messageProperties.exchange, first.exchange))
  return { key: published === '' && first.exchange !== '' ? null : encodeText(published), headers: others }
}

/** The name in an address, by which the default exchange knows a queue. */
export function nameIn(address: string): string {
  return address.slice(address.indexOf(':') + 1)
}

function sizeOf(history: readonly DeathEntry[]): number {
  return encoder.encode(JSON.stringify(history)).length
}
