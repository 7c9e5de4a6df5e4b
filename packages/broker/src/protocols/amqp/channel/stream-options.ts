import type { StartPosition, TopicInfo } from '../../../core/broker.ts'
import { type FieldTable, TypedValue } from '../codec/field-table.ts'
import { AmqpError } from '../amqp-error.ts'

const INTERVAL = /^(\d+)([YMDhms])$/
const INTERVAL_MS: Readonly<Record<string, number>> = {
  Y: 365 * 86_400_000,
  M: 30 * 86_400_000,
  D: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
}

/** Where in a partition `x-stream-offset` begins to read. @throws AmqpError 406 */
export function startPosition(args: FieldTable, { partitionInfo }: TopicInfo, partition: number, nowMs: number): StartPosition {
  const given = args.get('x-stream-offset') ?? 'next'
  const { start, end } = partitionInfo[partition]!
  if (given instanceof TypedValue && given.type === 'T') return { timestampMs: Number(given.value) * 1000 }
  const value = given instanceof TypedValue ? given.value : given
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
    return value < start ? 'earliest' : { offset: Math.min(value, end) }
  }
  if (value === 'first') return 'earliest'
  if (value === 'next') return 'latest'
  if (value === 'last') return { offset: Math.max(start, end - 1) }
  const [, count, unit] = INTERVAL.exec(typeof value === 'string' ? value : '') ?? []
  if (count === undefined || unit === undefined) {
    throw new AmqpError(
      'precondition-failed',
      `invalid arg 'x-stream-offset': it is no offset, time, interval, first, last or next`,
    )
  }
  return { timestampMs: nowMs - Number(count) * INTERVAL_MS[unit]! }
}

/** `x-stream-filter` as a selector. @throws AmqpError 406 */
export function streamFilter(args: FieldTable): string | undefined {
  const given = args.get('x-stream-filter')
  if (given === undefined) return undefined
  const values: readonly unknown[] = Array.isArray(given) ? given : [given]
  if (values.length === 0 || values.some((value) => typeof value !== 'string')) {
    throw new AmqpError('precondition-failed', `invalid arg 'x-stream-filter': it is no text, and no list of texts`)
  }
  const header = '"x-stream-filter-value"'
  const isOneOf = `${header} IN (${values.map((value) => `'${String(value).replaceAll("'", "''")}'`).join(', ')})`
  return args.get('x-stream-match-unfiltered') === true ? `${isOneOf} OR ${header} IS NULL` : isOneOf
}
