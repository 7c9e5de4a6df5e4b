import { DEAD_HISTORY_HEADER, type RecordHeader } from '@millrace/wire'

/** Headers of a dead letter. They replace those of an earlier death. Values are text. */
export const DEAD_LETTER_HEADERS = {
  /** `max-attempts`, `rejected`, `lease-expired`, `expired` or `overflow`. */
  reason: 'millrace-dead-reason',
  /** How often it was delivered. */
  attempts: 'millrace-dead-attempts',
  /** `queue:NAME` or `topic:NAME/SUBSCRIPTION`. */
  source: 'millrace-dead-source',
  partition: 'millrace-dead-partition',
  offset: 'millrace-dead-offset',
  /** When it died, milliseconds since 1970. */
  time: 'millrace-dead-time',
  /** The timestamp it had, milliseconds since 1970. Its own timestamp is the time of death. */
  timestamp: 'millrace-dead-timestamp',
  /** What the consumer said last, if anything. */
  error: 'millrace-dead-error',
  /** How often it died since it was published or redriven. */
  count: 'millrace-dead-count',
} as const

/** What went through exchanges tells of all its deaths: death-history.ts. */
const KEYS: ReadonlySet<string> = new Set([...Object.values(DEAD_LETTER_HEADERS), DEAD_HISTORY_HEADER])
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Headers without those of an earlier death. */
export function withoutDeath(headers: readonly RecordHeader[]): RecordHeader[] {
  return headers.filter((header) => !KEYS.has(header.key))
}

/** The value of a header that is text, or undefined. */
export function headerText(headers: readonly RecordHeader[], key: string): string | undefined {
  const value = headers.findLast((header) => header.key === key)?.value
  return value === undefined || value === null ? undefined : decoder.decode(value)
}

export function textHeader(key: string, value: string | number): RecordHeader {
  return { key, value: encoder.encode(String(value)) }
}
