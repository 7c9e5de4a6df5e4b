import { DEAD_HISTORY_HEADER, type RecordHeader, RETRY_HEADER } from '@millrace/wire'

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
  /** Its own retry policy, which does not count while it is dead: it is that of a message which is worked on. */
  retry: 'millrace-dead-retry',
} as const

/** What went through exchanges tells of all its deaths: death-history.ts. */
const KEYS: ReadonlySet<string> = new Set([...Object.values(DEAD_LETTER_HEADERS), DEAD_HISTORY_HEADER])
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Headers without those of an earlier death. */
export function withoutDeath(headers: readonly RecordHeader[]): RecordHeader[] {
  return headers.filter((header) => !KEYS.has(header.key))
}

/** Its own retry policy under the other name, if it has one. */
export function retryOfTheDead(headers: readonly RecordHeader[]): RecordHeader[] {
  const own = headers.findLast(({ key }) => key === RETRY_HEADER || key === DEAD_LETTER_HEADERS.retry)
  return own === undefined ? [] : [{ key: DEAD_LETTER_HEADERS.retry, value: own.value }]
}

/** What `retryOfTheDead` put away. */
export function retryOfTheLiving(headers: readonly RecordHeader[]): RecordHeader[] {
  const own = headers.findLast(({ key }) => key === RETRY_HEADER || key === DEAD_LETTER_HEADERS.retry)
  return own === undefined ? [] : [{ key: RETRY_HEADER, value: own.value }]
}

/** The value of a header that is text, or undefined. */
export function headerText(headers: readonly RecordHeader[], key: string): string | undefined {
  const value = headers.findLast((header) => header.key === key)?.value
  return value === undefined || value === null ? undefined : decoder.decode(value)
}

export function textHeader(key: string, value: string | number): RecordHeader {
  return { key, value: encoder.encode(String(value)) }
}
