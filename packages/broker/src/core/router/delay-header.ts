/**
 * The header `x-delay`: how many milliseconds a message waits in the first delayed exchange that it comes to. Once it has waited its header is
 * the same number below zero, so that no other exchange keeps it again, whether it is bound to the first or gets it as a dead letter.
 */
import { DELAY_HEADER, encodeText, type RecordHeader } from '@millrace/wire'
import { DELAY_MS_MAX } from './limits.ts'
import type { RoutedMessage } from './router.ts'

const decoder = new TextDecoder()

/** 0 for what is no number of milliseconds, or has waited. */
export function delayOf(message: RoutedMessage): number {
  const value = message.header(DELAY_HEADER)
  return typeof value === 'number' || typeof value === 'string' ? Math.min(delayMs(value), DELAY_MS_MAX) : 0
}

/** The header of a message that has waited; other headers are what they are. */
export function afterDelay(header: RecordHeader): RecordHeader {
  const { key, value } = header
  if (key !== DELAY_HEADER || value === null) return header
  const ms = delayMs(decoder.decode(value))
  return ms > 0 ? { key, value: encodeText(String(-ms)) } : header
}

function delayMs(value: number | string): number {
  const ms = Number(value)
  return ms > 0 ? ms : 0
}
