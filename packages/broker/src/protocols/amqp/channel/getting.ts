import { type MillraceError, orUndefined } from '../../../base/errors.ts'
import type { Consumer, Delivery, DeliverySink } from '../../../core/broker.ts'
import type { Ticket } from '../../commit-waiters.ts'
import { AmqpError } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import { writeMethod } from '../codec/method-codec.ts'
import { DeliveryCursor } from './delivery-cursor.ts'
import { tellsCountOf } from '../definitions/found-queue.ts'
import type { Queues } from '../definitions/queues.ts'
import type { Answers } from './answers.ts'
import { unlessInUse } from './exclusive-use.ts'
import { DeliveryWriter } from './delivery-writer.ts'
import type { Holder } from './holder.ts'
import { outcomes, settleHeld } from './settling.ts'
import type { Unacked } from './unacked.ts'

/** Queues that a channel keeps ready to be asked again. */
const GETTERS_MAX = 64

/** `basic.get` on one channel. */
export class Getting {
  readonly #client: Client
  readonly #channel: number
  readonly #queues: Queues
  readonly #answers: Answers
  readonly #tags: { nextDeliveryTag(): number; readonly nowSeconds: number; readonly unacked: Unacked<Holder> }
  readonly #getters = new Map<string, Getter>()
  /** Messages since the channel was opened. */
  got = 0

  constructor(
    client: Client,
    channel: number,
    queues: Queues,
    answers: Answers,
    tags: { nextDeliveryTag(): number; readonly nowSeconds: number; readonly unacked: Unacked<Holder> },
  ) {
    this.#client = client
    this.#channel = channel
    this.#queues = queues
    this.#answers = answers
    this.#tags = tags
  }

  get(queue: string, noAck: boolean): void {
    const { access, names } = this.#client
    const found = this.#queues.get(queue)
    if (found.kind === 'topic')
      throw new AmqpError('not-implemented', `basic.get not supported by stream ${names.told('queue', queue)}`)
    access.check('consume', 'queue', queue)
    const answer = this.#answers.add(undefined)
    const writer = new DeliveryWriter(this.#client, this.#channel, queue, tellsCountOf(found))
    const getter = unlessInUse(names.told('queue', queue), () => this.#getter(queue))
    getter.ask((delivery) => {
      answer.write = () => this.#write(queue, writer, noAck, delivery, getter)
      answer.ticket = 0
      this.#client.wake()
    })
  }

  /** Asks for what is waited for; called once per turn. */
  proceed(): void {
    for (const getter of this.#getters.values()) getter.proceed()
  }

  close(): void {
    const getters = [...this.#getters.values()]
    this.#getters.clear()
    for (const getter of getters) getter.close()
  }

  #getter(queue: string): Getter {
    const known = this.#getters.get(queue)
    if (known !== undefined && !known.isClosed) {
      known.consumer.checkAdmitted()
      return known
    }
    if (this.#getters.size >= GETTERS_MAX) this.#dropIdle()
    const { broker, door, names } = this.#client
    const getter = new Getter(this.#client)
    getter.attach(broker.consume(`queue:${names.core(queue)}`, { leaseMs: door.leaseMs, polls: true }, getter))
    this.#getters.set(queue, getter)
    return getter
  }

  #dropIdle(): void {
    for (const [queue, getter] of this.#getters) {
      if (!getter.isIdle) continue
      getter.close()
      this.#getters.delete(queue)
    }
  }

  #write(queue: string, writer: DeliveryWriter, noAck: boolean, delivery: Delivery | undefined, getter: Getter): void {
    const { broker, door, names } = this.#client
    const counters = door.administration.queueCounters.of(names.core(queue))
    if (delivery === undefined) {
      counters.gotNothing++
      return writeMethod(this.#client.output, this.#channel, 'basic.get-empty', {})
    }
    const records = new DeliveryCursor()
    records.begin(delivery)
    const record = records.next()!
    this.got++
    const tag = this.#tags.nextDeliveryTag()
    const left = orUndefined(() => broker.queue(names.core(queue)))?.ready ?? 0
    writer.getOk(tag, delivery.attempt, left, record)
    const { partition, first } = delivery
    if (noAck) {
      counters.gotNoAck++
      settleHeld(getter.consumer, partition, first, first, outcomes.ack)
    } else {
      counters.got++
      getter.hold()
      this.#tags.unacked.add(tag, getter, partition, first, this.#tags.nowSeconds)
    }
  }
}

type Taker = (delivery: Delivery | undefined) => void

/** Takes single messages from one queue, one after the other. */
class Getter implements DeliverySink, Holder {
  #consumer: Consumer | undefined
  readonly #waiting: { readonly taker: Taker; after: Ticket | undefined }[] = []
  readonly #client: Client
  #isAsking = false
  #unacked = 0
  isClosed = false

  constructor(client: Client) {
    this.#client = client
  }

  attach(consumer: Consumer): void {
    this.#consumer = consumer
  }

  get consumer(): Consumer {
    return this.#consumer!
  }

  get isIdle(): boolean {
    return this.#unacked === 0 && this.#waiting.length === 0
  }

  hold(): void {
    this.#unacked++
  }

  settled(count: number): void {
    this.#unacked -= count
  }

  ask(taker: Taker): void {
    this.#waiting.push({ taker, after: undefined })
    this.#client.wake()
  }

  /** One at a time: an answer tells of what was left by the one before. What its client published earlier in the turn is in the queue by then. */
  proceed(): void {
    const next = this.#waiting[0]
    if (this.#isAsking || next === undefined || this.isClosed) return
    next.after ??= this.#client.publishedTicket
    if (next.after > this.#client.broker.committedTicket) return this.#client.awaitCommit()
    this.#isAsking = true
    this.consumer.grant(1)
    this.consumer.drain()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#consumer?.close()
  }

  // ---- DeliverySink ---------------------------------------------------------------------------------------------------

  deliver(delivery: Delivery): void {
    this.#waiting.shift()?.taker(delivery)
    this.#isGiven = true
  }

  /** Nothing is called back before `drain` returns, so the next is asked for in a later turn. */
  drained(): void {
    if (!this.#isGiven) this.#waiting.shift()?.taker(undefined)
    this.#isGiven = false
    this.#isAsking = false
    if (this.#waiting.length > 0) this.#client.wake()
  }

  closed(_reason: MillraceError): void {
    this.isClosed = true
    // The queue is gone: there is nothing in it.
    for (const { taker } of this.#waiting.splice(0)) taker(undefined)
  }

  #isGiven = false
}
