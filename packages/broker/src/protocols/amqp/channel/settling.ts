// hot path (packages/broker/test/amqp/throughput.mjs)
import { MillraceError } from '../../../base/errors.ts'
import type { Consumer, Outcome } from '../../../core/broker.ts'
import { AmqpError } from '../amqp-error.ts'
import { BASIC_ACK, type SettleMethod } from '../codec/hot-methods.ts'
import type { Holder } from './holder.ts'
import { Unacked } from './unacked.ts'

export type SettleKind = 'ack' | 'requeue' | 'reject'

export const outcomes: Readonly<Record<SettleKind, Outcome>> = {
  ack: { kind: 'ack' },
  requeue: { kind: 'nack' },
  reject: { kind: 'reject' },
}

/** Takes what is settled out of the hands of a channel: a transaction does, until it is committed. */
export interface SettleTaker {
  takeSettle(place: number, unacked: Unacked<Holder>, kind: SettleKind): void
}

/** Acknowledgements of one channel: those of neighbours are gathered and reach the core as ranges. */
export class Settling {
  readonly unacked: Unacked<Holder> = new Unacked<Holder>()
  /** While a transaction is open. */
  taker: SettleTaker | undefined
  #holder: Holder | undefined
  #kind: SettleKind = 'ack'
  /** Messages since the channel was opened. */
  acked = 0
  #partition = 0
  #first = 0
  #last = 0

  /** @throws AmqpError 406 for a tag that is not there */
  settle({ code, deliveryTag, multiple, requeue }: SettleMethod): void {
    const kind: SettleKind = code === BASIC_ACK ? 'ack' : requeue ? 'requeue' : 'reject'
    if (multiple) return this.#settleUpTo(deliveryTag, kind)
    const place = this.unacked.find(deliveryTag)
    if (place < 0) throw unknownTag(deliveryTag)
    this.#settleAt(place, kind)
  }

  /** Everything, back to where it was, at once: a transaction is about what is acknowledged, and this is not. */
  requeueAll(): void {
    const { unacked } = this
    for (let place = unacked.first; unacked.count > 0 && place < unacked.end; place++) {
      if (unacked.holder(place) !== undefined) this.#gather(place, 'requeue')
    }
    this.flush()
  }

  /** Tells the core what was gathered. */
  flush(): void {
    const holder = this.#holder
    if (holder === undefined) return
    this.#holder = undefined
    settleRange(holder, this.#partition, this.#first, this.#last, outcomes[this.#kind])
  }

  /** Tag 0 stands for all that there are. */
  #settleUpTo(tag: number, kind: SettleKind): void {
    const { unacked } = this
    if (tag !== 0 && unacked.find(tag) < 0) throw unknownTag(tag)
    for (let place = unacked.first; unacked.count > 0 && place < unacked.end; place++) {
      if (tag !== 0 && unacked.tag(place) > tag) return
      if (unacked.holder(place) !== undefined) this.#settleAt(place, kind)
    }
  }

  #settleAt(place: number, kind: SettleKind): void {
    if (this.taker === undefined) this.#gather(place, kind)
    else this.taker.takeSettle(place, this.unacked, kind)
  }

  #gather(place: number, kind: SettleKind): void {
    const { unacked } = this
    const holder = unacked.holder(place)!
    const partition = unacked.partition(place)
    const offset = unacked.offset(place)
    unacked.remove(place)
    if (kind === 'ack') this.acked++
    if (this.#holder === holder && this.#kind === kind && this.#partition === partition && offset === this.#last + 1) {
      this.#last = offset
      return
    }
    this.flush()
    this.#holder = holder
    this.#kind = kind
    this.#partition = partition
    this.#first = this.#last = offset
  }
}

/** The deliveries were settled by the client. */
export function settleRange(holder: Holder, partition: number, first: number, last: number, outcome: Outcome): void {
  if (holder.consumer !== undefined) settleHeld(holder.consumer, partition, first, last, outcome)
  holder.settled(last - first + 1)
}

/** What is gone with its queue needs no settling any more. */
export function settleHeld(consumer: Consumer, partition: number, first: number, last: number, outcome: Outcome): void {
  try {
    consumer.settle(partition, first, last, outcome)
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
  }
}

function unknownTag(tag: number): AmqpError {
  return new AmqpError('precondition-failed', `unknown delivery tag ${tag}`)
}
