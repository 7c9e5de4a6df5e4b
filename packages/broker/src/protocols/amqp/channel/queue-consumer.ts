// hot path (packages/broker/test/amqp/throughput.mjs)
import { assert } from '../../../base/assert.ts'
import type { MillraceError } from '../../../base/errors.ts'
import type { Consumer, Delivery, DeliverySink } from '../../../core/broker.ts'
import { CreditSlice } from '../../credit-slice.ts'
import type { ArgumentsJson } from '../definitions/arguments.ts'
import type { AmqpConsumer } from '../directory.ts'
import type { QueueCounters } from '../queue-counters.ts'
import type { Fed } from '../feeder.ts'
import { limits } from '../limits.ts'
import { type ChannelConsumer, type ConsumerHost, shortString } from './channel-consumer.ts'
import { DeliveryCursor } from './delivery-cursor.ts'
import type { DeliveryWriter } from './delivery-writer.ts'
import type { Holder } from './holder.ts'
import { outcomes, settleHeld } from './settling.ts'

export interface ConsumerSettings {
  readonly tag: string
  readonly queue: string
  readonly noAck: boolean
  /** Deliveries that may wait for their acknowledgement; 0: any number. */
  readonly prefetch: number
  readonly exclusive: boolean
  /** Whether messages say how often they were delivered before. */
  readonly tellsCount: boolean
  readonly counters: QueueCounters
  readonly arguments: ArgumentsJson
}

/** A consumer of a queue: turns deliveries into frames and meters credit. */
export class QueueConsumer implements ChannelConsumer, DeliverySink, Fed, Holder {
  readonly tag: string
  readonly queue: string
  readonly kind = 'queue'
  isHungry = false
  readonly #host: ConsumerHost
  readonly #tagBytes: Uint8Array
  readonly #writer: DeliveryWriter
  readonly #settings: ConsumerSettings
  readonly #noAck: boolean
  readonly #prefetch: number
  readonly #records = new DeliveryCursor()
  #consumer: Consumer | undefined
  readonly #slice = new CreditSlice(limits.assumedMessageBytes)
  /** Delivered and not settled. */
  #unacked = 0
  /** Without acknowledgements: ranges that were written, settled once they are given to the connection. */
  #written: number[] = []
  #state: 'open' | 'retired' | 'closed' = 'open'

  constructor(host: ConsumerHost, settings: ConsumerSettings) {
    const { tag, queue, noAck, prefetch, tellsCount } = settings
    this.#settings = settings
    this.tag = tag
    this.queue = queue
    this.#host = host
    this.#tagBytes = shortString(tag)
    this.#writer = host.writerFor(queue, tellsCount)
    this.#noAck = noAck
    this.#prefetch = noAck ? 0 : prefetch
  }

  attach(consumer: Consumer): void {
    this.#consumer = consumer
  }

  get consumer(): Consumer | undefined {
    return this.#consumer
  }

  get holdsUnacked(): boolean {
    return this.#unacked > 0
  }

  view(): AmqpConsumer {
    const { tag, queue, noAck, prefetch, exclusive, arguments: args } = this.#settings
    const turn = this.#consumer?.turn ?? 'waiting'
    return { tag, queue, needsAck: !noAck, isExclusive: exclusive, prefetch, turn, arguments: args }
  }

  // ---- credit ---------------------------------------------------------------------------------------------------------

  pass(): void {
    if (this.#state !== 'open' || !this.#host.isFlowing) return
    const messages = this.#slice.pass(this.#room - this.#slice.passed)
    if (messages === 0) return
    assert(this.#consumer !== undefined, 'a consumer gets credit after it was attached')
    this.#consumer.grant(messages)
  }

  withhold(): void {
    if (this.#slice.takeBack() > 0) this.#consumer?.revoke()
  }

  limit(room: number): void {
    if (this.#noAck || this.#slice.passed <= room) return
    this.withhold()
    this.#host.feeder.offer(this)
  }

  /** What the client may still get before it settles something. */
  get #room(): number {
    if (this.#noAck) return Infinity
    const own = this.#prefetch === 0 ? Infinity : this.#prefetch - this.#unacked
    return Math.min(own, this.#host.sharedRoom)
  }

  settled(count: number): void {
    this.#unacked -= count
    this.#host.sharedSettled(count)
    if (this.#state === 'open') this.#host.feeder.offer(this)
    else if (this.#state === 'retired' && this.#unacked === 0) {
      this.#end()
      this.#host.forget(this)
    }
  }

  // ---- DeliverySink ---------------------------------------------------------------------------------------------------

  deliver(delivery: Delivery): void {
    const host = this.#host
    const records = this.#records
    const isAgain = delivery.attempt > 1
    const before = host.outputBytes
    let messages = 0
    records.begin(delivery)
    for (let record = records.next(); record !== undefined; record = records.next()) {
      const tag = host.nextDeliveryTag()
      this.#writer.deliver(this.#tagBytes, tag, delivery.attempt, record)
      if (!this.#noAck) host.unacked.add(tag, this, delivery.partition, records.offset, host.nowSeconds)
      messages++
    }
    this.#slice.delivered(messages, host.outputBytes - before)
    host.counted(messages, isAgain)
    if (this.#noAck) {
      this.#settings.counters.deliveredNoAck += messages
      this.#note(delivery)
    } else {
      this.#unacked += messages
      host.sharedDelivered(messages, this)
    }
    host.feeder.offer(this)
    host.wake()
  }

  closed(error: MillraceError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#host.ended(this, error)
  }

  /** What goes to the connection in one turn is settled after it: who is cut off before gets it again. */
  wrote(): void {
    const written = this.#written
    if (written.length === 0) return
    this.#written = []
    for (let n = 0; n < written.length; n += 3) {
      settleHeld(this.#consumer!, written[n]!, written[n + 1]!, written[n + 2]!, outcomes.ack)
    }
  }

  #note({ partition, first, last }: Delivery): void {
    const written = this.#written
    const at = written.length - 3
    if (at >= 0 && written[at] === partition && written[at + 2] === first - 1) written[at + 2] = last
    else written.push(partition, first, last)
    this.#host.wroteUnasked(this)
  }

  // ---- end ------------------------------------------------------------------------------------------------------------

  retire(): void {
    if (this.#state !== 'open') return
    this.wrote()
    this.#state = 'retired'
    this.#slice.takeBack()
    this.#host.feeder.remove(this)
    this.#consumer?.retire()
    if (this.#unacked === 0) this.#end()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#end()
  }

  #end(): void {
    this.#state = 'closed'
    this.#host.feeder.remove(this)
    this.#consumer?.close()
  }
}
