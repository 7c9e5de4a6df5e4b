import type { QueueLimits } from '@millrace/client'
import { type Command, Option } from 'commander'
import { formatBytes, formatCount } from '../output/figures.ts'
import { orNone, parseCount, parseSize } from '../quantities.ts'

/** Limits of a queue, as options. */
export interface LimitOptions {
  readonly maxMessages?: number | 'none'
  readonly maxBytes?: number | 'none'
  readonly overflow?: NonNullable<QueueLimits['overflow']>
}

export function addLimitOptions(command: Command): Command {
  return command
    .option('--max-messages <n>', 'messages that the queue may hold', orNone(parseCount))
    .option('--max-bytes <size>', 'bytes that the queue may take on disk, about', orNone(parseSize))
    .addOption(
      new Option('--overflow <what>', 'what happens to more: refuse it, or let the oldest go').choices([
        'reject',
        'drop-head',
        'dead-letter',
        'reject-dead-letter',
      ]),
    )
}

/** `previous` with the options laid over it; undefined when they say nothing. */
export function queueLimits(options: LimitOptions, previous: QueueLimits = {}): QueueLimits | undefined {
  const { maxMessages, maxBytes, overflow } = options
  if (maxMessages === undefined && maxBytes === undefined && overflow === undefined) return undefined
  const { messages: messagesBefore, bytes: bytesBefore, overflow: overflowBefore } = previous
  const messages = maxMessages === undefined ? messagesBefore : maxMessages
  const bytes = maxBytes === undefined ? bytesBefore : maxBytes
  const chosen = overflow ?? overflowBefore
  return {
    ...(messages === undefined || messages === 'none' ? {} : { messages }),
    ...(bytes === undefined || bytes === 'none' ? {} : { bytes }),
    ...(chosen === undefined ? {} : { overflow: chosen }),
  }
}

export function limitFields(limits: QueueLimits | undefined): (readonly [string, string])[] {
  if (limits === undefined) return []
  const { messages, bytes, overflow = 'reject' } = limits
  return [
    ...(messages === undefined ? [] : [['messages at most', formatCount(messages)] as const]),
    ...(bytes === undefined ? [] : [['bytes at most', formatBytes(bytes)] as const]),
    ['overflow', overflow],
  ]
}
