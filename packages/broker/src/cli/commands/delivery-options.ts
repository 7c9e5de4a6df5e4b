import type { Backoff, DeliveryInfo, DeliveryPolicy } from '@millrace/client'
import { type Command, Option } from 'commander'
import { formatBytes, formatCount, formatDuration } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { formatBackoff, orNone, parseBackoff, parseCount, parseDurationMs, parseRate } from '../quantities.ts'

/** Of the option `--backoff`. */
export const BACKOFF_TEXT =
  'wait before the next attempt: fixed:5s, or exponential:100ms..1m; with ,jitter=0.2 chance takes a part off'
const orders = ['none', 'key', 'strict']

/** Settings that queues and subscriptions share, as options. */
export interface DeliveryOptions {
  readonly lease?: number | 'none'
  readonly maxAttempts?: number | 'none'
  readonly deadLetter?: string
  readonly backoff?: Backoff | 'none'
  readonly order?: 'none' | 'key' | 'strict'
  readonly consumers?: 'shared' | 'single'
  readonly rate?: number | 'none'
  readonly ttl?: number | 'none'
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
    .option('--backoff <backoff>', BACKOFF_TEXT, orNone(parseBackoff))
    .addOption(
      new Option('--order <order>', 'for good: one message of a key at a time, or one consumer and no overtaking').choices(
        orders,
      ),
    )
    .addOption(new Option('--consumers <mode>', 'whether one consumer at a time gets everything').choices(['shared', 'single']))
    .option('--rate <n>', 'messages per second that are handed out at most', orNone(parseRate))
    .option('--ttl <duration>', 'messages older than this expire: to the dead letters, or dropped', orNone(parseDurationMs))
}

/** `previous` with the options laid over it; the value `none` takes a setting away. */
export function deliveryPolicy(options: DeliveryOptions, previous: DeliveryPolicy = {}): DeliveryPolicy {
  const given = {
    leaseMs: options.lease,
    maxAttempts: options.maxAttempts,
    deadLetter: options.deadLetter,
    backoff: options.backoff,
    order: options.order,
    consumers: options.consumers,
    ratePerSecond: options.rate,
    ttlMs: options.ttl,
  }
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
    ['dropped', formatCount(counters.dropped)],
    ['lease', delivery.leaseMs === undefined ? 'default' : formatDuration(delivery.leaseMs)],
    ['max attempts', delivery.maxAttempts === undefined ? 'no limit' : String(delivery.maxAttempts)],
    ['dead letters to', delivery.deadLetter ?? 'nowhere'],
    ['backoff', delivery.backoff === undefined ? 'none' : formatBackoff(delivery.backoff)],
    ['order', delivery.order ?? 'none'],
    ['consumers at a time', delivery.consumers === 'single' || delivery.order === 'strict' ? 'one' : 'all'],
    ['messages expire', delivery.ttlMs === undefined ? 'never' : `after ${formatDuration(delivery.ttlMs)}`],
    ['rate', delivery.ratePerSecond === undefined ? 'no limit' : `${formatCount(delivery.ratePerSecond)}/s`],
    ...(delivery.filter === undefined ? [] : [['filter', delivery.filter] as const]),
    ...(delivery.paused === true ? [['paused', 'yes'] as const] : []),
  ]
}

function age(info: DeliveryInfo): string {
  return info.oldestTimestampMs === undefined ? '-' : formatDuration(Math.max(0, Date.now() - info.oldestTimestampMs))
}
