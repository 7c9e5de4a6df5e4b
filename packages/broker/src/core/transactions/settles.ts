/** The settles of a transaction: whether all of them can be applied. */
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Consumer, TransactionAction } from '../broker.ts'
import { GroupConsumer } from '../delivery/group-consumer.ts'
import { SETTLE_BYTES, SETTLE_TEXT_BYTES_MAX } from './limits.ts'

export type SettleAction = Extract<TransactionAction, { kind: 'settle' }>

const STALE_SHOWN_MAX = 10

/** @throws `stale_delivery` naming the ranges, `bad_request` when a message is settled twice */
export function checkSettles(settles: readonly SettleAction[]): void {
  const stale: string[] = []
  let count = 0
  for (const { consumer, partition, first, last, attempt } of settles) {
    assert(consumer instanceof GroupConsumer, 'a consumer comes from the broker that it is used with')
    if (consumer.holds(partition, first, last, attempt)) continue
    count++
    if (stale.length < STALE_SHOWN_MAX) stale.push(`${consumer.address} ${rangeText(partition, first, last, attempt)}`)
  }
  if (count > 0) {
    const more = count > stale.length ? ` and ${count - stale.length} more` : ''
    throw new MillraceError(
      'stale_delivery',
      `the transaction settles messages that this consumer does not hold (any more): ${stale.join('; ')}${more}; nothing of it was done`,
    )
  }
  checkDisjoint(settles)
}

/** Room for what it writes. */
export function settleBytes({ outcome }: SettleAction): number {
  return SETTLE_BYTES + (outcome.kind === 'ack' ? 0 : SETTLE_TEXT_BYTES_MAX)
}

function checkDisjoint(settles: readonly SettleAction[]): void {
  if (settles.length < 2) return
  const byConsumer = new Map<Consumer, SettleAction[]>()
  for (const settle of settles) {
    const list = byConsumer.get(settle.consumer)
    if (list === undefined) byConsumer.set(settle.consumer, [settle])
    else list.push(settle)
  }
  for (const list of byConsumer.values()) {
    list.sort((a, b) => a.partition - b.partition || a.first - b.first)
    for (let n = 1; n < list.length; n++) {
      const before = list[n - 1]!
      const { partition, first, last } = list[n]!
      if (before.partition !== partition || before.last < first) continue
      throw new MillraceError(
        'bad_request',
        `the transaction settles ${rangeText(partition, first, Math.min(last, before.last))} twice: settle each message once`,
      )
    }
  }
}

function rangeText(partition: number, first: number, last: number, attempt?: number): string {
  const which = attempt === undefined ? '' : ` delivery ${attempt}`
  return `partition ${partition} offset ${first === last ? first : `${first}..${last}`}${which}`
}
