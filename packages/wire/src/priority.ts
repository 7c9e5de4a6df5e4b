/** How urgent a message is: the header `priority`, a whole number from 0 to 255 in decimal digits. */
import type { RecordHeader } from './record-batch.ts'
import { encodeText } from './text.ts'

/** Queues with priorities deliver higher ones first. */
export const PRIORITY_HEADER = 'priority'
export const PRIORITY_MAX = 255

const DIGITS_MAX = 3
const headers: RecordHeader[] = []

/** @param priority 0 to PRIORITY_MAX */
export function priorityHeader(priority: number): RecordHeader {
  return (headers[priority] ??= { key: PRIORITY_HEADER, value: encodeText(String(priority)) })
}

/** The value of the header. @returns undefined when it is no priority */
export function readPriority(bytes: Uint8Array, at: number = 0, length: number = bytes.length): number | undefined {
  if (length < 1 || length > DIGITS_MAX) return undefined
  let priority = 0
  for (let n = at; n < at + length; n++) {
    const digit = bytes[n]! - 48
    if (digit < 0 || digit > 9) return undefined
    priority = priority * 10 + digit
  }
  return priority <= PRIORITY_MAX ? priority : undefined
}

/** Of a record's headers; of several the last counts. @returns undefined when there is none, or it is no priority */
export function priorityOf(recordHeaders: readonly RecordHeader[]): number | undefined {
  const value = recordHeaders.findLast((header) => header.key === PRIORITY_HEADER)?.value ?? undefined
  return value === undefined ? undefined : readPriority(value)
}
