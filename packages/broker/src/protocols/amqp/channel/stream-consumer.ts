// hot path (packages/broker/test/amqp/throughput.mjs)
import type { MillraceError } from '../../../base/errors.ts'
import type { Delivery, DeliverySink, Reader } from '../../../core/broker.ts'
import { CreditSlice } from '../../credit-slice.ts'
import type { ArgumentsJson } from '../definitions/arguments.ts'
import type { AmqpConsumer } from '../directory.ts'
import type { Fed } from '../feeder.ts'
import { limits } from '../limits.ts'
import { type ChannelConsumer, type ConsumerHost, shortString } from './channel-consumer.ts'
import { DeliveryCursor } from './delivery-cursor.ts'
import type { DeliveryWriter } from './delivery-writer.ts'
import type { Holder } from './holder.ts'

export interface StreamSettings {
  readonly tag: string
  readonly queue: string
  readonly prefetch: number
  readonly arguments: ArgumentsJson
}

/** One partition of a stream, and how much of it may still be read. */
class Partition implements DeliverySink, Holder {
  readonly consumer = undefined
  readonly records: DeliveryCursor = new DeliveryCursor()
  readonly slice: CreditSlice
  reader: Reader | undefined
  /** Delivered and not acknowledged. */
  unacked = 0
  readonly #owner: StreamConsumer

  /** @param share of a slice that is its own */
  constructor(owner: StreamConsumer, share: number) {
    this.#owner = owner
    this.slice = new CreditSlice(limits.assumedMessageBytes, share)
  }

  deliver(delivery: Delivery): void {
    this.#owner.delivered(this, delivery)
  }

  closed(error: MillraceError): void {
    this.#owner.failed(error)
  }

  settled(count: number): void {
    this.unacked -= count
    this.#owner.hungry()
  }
}

/** A consumer of a stream: reads without taking; an acknowledgement lets it read on. */
export class StreamConsumer implements ChannelConsumer, Fed {
  readonly tag: string
  readonly queue: string
  readonly kind = 'topic'
  isHungry = false
  readonly #host: ConsumerHost
  readonly #tagBytes: Uint8Array
  readonly #writer: DeliveryWriter
  readonly #partitions: Partition[] = []
  readonly #prefetch: number
  readonly #settings: StreamSettings
  #isClosed = false

  /** @param open opens the reader of a partition */
  constructor(
    host: ConsumerHost,
    settings: StreamSettings,
    partitions: readonly number[],
    open: (partition: number, sink: DeliverySink) => Reader,
  ) {
    const { tag, queue, prefetch } = settings
    this.#settings = settings
    this.tag = tag
    this.queue = queue
    this.#host = host
    this.#tagBytes = shortString(tag)
    this.#writer = host.writerFor(queue, false)
    this.#prefetch = Math.max(1, Math.floor(prefetch / partitions.length))
    for (const number of partitions) {
      const partition = new Partition(this, 1 / partitions.length)
      this.#partitions.push(partition)
      partition.reader = open(number, partition)
    }
  }

  view(): AmqpConsumer {
    const { tag, queue, prefetch, arguments: args } = this.#settings
    return { tag, queue, needsAck: true, isExclusive: false, prefetch, turn: 'shared', arguments: args }
  }

  pass(): void {
    if (this.#isClosed || !this.#host.isFlowing) return
    for (const { slice, unacked, reader } of this.#partitions) {
      const messages = slice.pass(this.#prefetch - unacked - slice.passed)
      if (messages > 0) reader!.grant(messages)
    }
  }

  delivered(partition: Partition, delivery: Delivery): void {
    if (this.#isClosed) return
    const host = this.#host
    const { records } = partition
    const before = host.outputBytes
    let messages = 0
    records.begin(delivery)
    for (let record = records.next(); record !== undefined; record = records.next()) {
      const tag = host.nextDeliveryTag()
      this.#writer.deliver(this.#tagBytes, tag, delivery.attempt, record, records.offset)
      host.unacked.add(tag, partition, delivery.partition, records.offset, host.nowSeconds)
      partition.unacked++
      messages++
    }
    host.counted(messages, false)
    partition.slice.delivered(messages, host.outputBytes - before)
    host.feeder.offer(this)
    host.wake()
  }

  hungry(): void {
    if (!this.#isClosed) this.#host.feeder.offer(this)
  }

  failed(error: MillraceError): void {
    if (this.#isClosed) return
    this.close()
    this.#host.ended(this, error)
  }

  withhold(): void {
    for (const partition of this.#partitions) {
      partition.reader?.revoke()
      partition.slice.takeBack()
    }
  }

  limit(): void {}

  wrote(): void {}

  retire(): void {
    this.close()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#host.feeder.remove(this)
    for (const { reader } of this.#partitions) reader?.close()
  }
}
