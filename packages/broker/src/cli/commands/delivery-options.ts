import type { DeliveryInfo, DeliveryPolicy } from '@millrace/client'
import type { Command } from 'commander'
import { formatBytes, formatCount, formatDuration } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { orNone, parseCount, parseDurationMs } from '../quantities.ts'

/** Settings that queues and subscriptions share, as options. */
export interface DeliveryOptions {
  readonly lease?: number | 'none'
  readonly maxAttempts?: number | 'none'
  readonly deadLetter?: string
}

export function addDeliveryOptions(command: Command): Command {
  return command
    .option('--lease <duration>', 'a message that is not settled for so long goes to another consumer', orNone(parseDurationMs))
    .option(
      '--max-attempts <n>',
      'deliveries before a message is dead-lettered, or dropped without --dead-letter',
      orNone(parseCount),
    )
    .option('--dead-letter <destination>', 'queue:NAME or topic:NAME that takes messages which failed')
}

/** `previous` with the options laid over it; the value `none` takes a setting away. */
export function deliveryPolicy(options: DeliveryOptions, previous: DeliveryPolicy = {}): DeliveryPolicy {
  const given = { leaseMs: options.lease, maxAttempts: options.maxAttempts, deadLetter: options.deadLetter }
  const policy: Record<string, unknown> = { ...previous }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (value === 'none') delete policy[name]
    else policy[name] = value
  }
  return policy
}

export const deliveryColumns: readonly Column<DeliveryInfo>[] = [
  { title: 'READY', cell: (info) => formatCount(info.ready), align: 'right' },
  { title: 'IN FLIGHT', cell: (info) => formatCount(info.inFlight), align: 'right' },
  { title: 'CONSUMERS', cell: (info) => formatCount(info.consumers), align: 'right' },
  { title: 'BYTES', cell: (info) => formatBytes(info.bytes), align: 'right' },
  { title: 'OLDEST', cell: age, align: 'right' },
]

export function deliveryFields(info: DeliveryInfo): (readonly [string, string])[] {
  const { counters, delivery } = info
  return [
    ['ready', formatCount(info.ready)],
    ['in flight', formatCount(info.inFlight)],
    ['consumers', formatCount(info.consumers)],
    ['bytes', formatBytes(info.bytes)],
    ['oldest message', age(info)],
    ['published', formatCount(counters.published)],
    ['delivered', formatCount(counters.delivered)],
    ['acked', formatCount(counters.acked)],
    ['redelivered', formatCount(counters.redelivered)],
    ['dead-lettered', formatCount(counters.deadLettered)],
    ['lease', delivery.leaseMs === undefined ? 'default' : formatDuration(delivery.leaseMs)],
    ['max attempts', delivery.maxAttempts === undefined ? 'no limit' : String(delivery.maxAttempts)],
    ['dead letters to', delivery.deadLetter ?? 'nowhere'],
  ]
}

function age(info: DeliveryInfo): string {
  return info.oldestTimestampMs === undefined ? '-' : formatDuration(Math.max(0, Date.now() - info.oldestTimestampMs))
}
