import { CORRELATION_ID_HEADER, REPLY_TO_HEADER, type RecordHeader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Consumer, Delivery, DeliverySink } from '../../core/broker.ts'
import { textHeader } from '../../core/delivery/dead-letter-headers.ts'
import { newRandomId } from '../../core/random-id.ts'
import type { Platform, Timer } from '../../ports/platform.ts'
import { type MessageJson, recordToJson } from '../../protocols/api/message-json.ts'
import { DeliveredRecords } from '../../protocols/delivered-records.ts'

/** Requests that may wait for answers at a time. */
const REQUESTS_MAX = 10_000
/** Answers that wait for more of them: those of one request, and all together. Whoever is over it gets what there is. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024
const HELD_BYTES_MAX = 64 * 1024 * 1024
const CREDIT = 1024
const decoder = new TextDecoder()
const NO_BYTES = new Uint8Array()

export interface Question {
  /** Where it was asked, for messages. */
  readonly destination: string
  readonly timeoutMs: number
  readonly repliesMax: number
  /** Of whoever asks: is gone, and wants no answer. */
  readonly signal: AbortSignal
}

/** A question that is about to be published. */
export interface Asked {
  /** What the question must carry for answers to come back. */
  readonly headers: readonly RecordHeader[]
  /** @throws MillraceError `timeout` when none came in time, `closed` or `draining` when none can come any more */
  replies(): Promise<readonly MessageJson[]>
  /** It was not published. */
  forget(): void
}

interface Waiter extends Question {
  readonly replies: MessageJson[]
  bytes: number
  readonly timer: Timer
  readonly resolve: (replies: readonly MessageJson[]) => void
  readonly reject: (error: MillraceError) => void
}

/** The queue in which all HTTP requests get their answers, made with the first question. Every answer is acked; those that nobody waits for are dropped. */
export class ReplyInbox implements DeliverySink {
  readonly #broker: Broker
  readonly #platform: Platform
  readonly #waiting = new Map<string, Waiter>()
  readonly #records = new DeliveredRecords()
  #queue = ''
  #consumer: Consumer | undefined
  #delivered: Delivery[] = []
  #heldBytes = 0
  #closed = false

  constructor(broker: Broker, platform: Platform) {
    this.#broker = broker
    this.#platform = platform
  }

  /** Waits from now on for answers to a question that is published with the `headers`. @throws MillraceError `overloaded`, `draining`, `limit_reached` */
  ask(question: Question): Asked {
    if (this.#closed) throw new MillraceError('draining', 'The broker is shutting down.')
    if (this.#waiting.size >= REQUESTS_MAX)
      throw new MillraceError('overloaded', `${REQUESTS_MAX} requests wait for answers; try again when some have theirs.`)
    this.#open()
    // Nobody can guess it, so that only those who got the question can answer it.
    const id = newRandomId(this.#platform.random)
    const replies = new Promise<readonly MessageJson[]>((resolve, reject) => {
      const timer = this.#platform.scheduler.after(question.timeoutMs, () => this.#late(id))
      this.#waiting.set(id, { ...question, replies: [], bytes: 0, timer, resolve, reject })
    })
    question.signal.addEventListener('abort', () => this.#answer(id), { once: true })
    // A question that cannot be published has nobody who waits.
    replies.catch(() => {})
    return {
      headers: [textHeader(REPLY_TO_HEADER, this.#queue), textHeader(CORRELATION_ID_HEADER, id)],
      replies: () => replies,
      forget: () => this.#answer(id),
    }
  }

  /** Those who wait get the error. */
  close(): void {
    this.#closed = true
    this.#consumer?.close()
    this.#fail(new MillraceError('draining', 'The broker is shutting down.'))
  }

  // ---- DeliverySink -------------------------------------------------------------------------------------------------

  deliver(delivery: Delivery): void {
    this.#records.begin(delivery)
    for (let record = this.#records.next(); record !== undefined; record = this.#records.next()) {
      const correlation = record.headers.find(({ key }) => key === CORRELATION_ID_HEADER)?.value ?? NO_BYTES
      const id = decoder.decode(correlation)
      const waiter = this.#waiting.get(id)
      if (waiter === undefined) continue
      waiter.replies.push(recordToJson(delivery.partition, this.#records.offset, record))
      const bytes = record.value?.length ?? 0
      waiter.bytes += bytes
      this.#heldBytes += bytes
      const isFull = waiter.bytes >= ANSWER_BYTES_MAX || this.#heldBytes >= HELD_BYTES_MAX
      if (isFull || waiter.replies.length === waiter.repliesMax) this.#answer(id)
    }
    if (this.#delivered.push(delivery) === 1) this.#platform.scheduler.endOfTurn(() => this.#ack())
  }

  closed(reason: MillraceError): void {
    this.#consumer = undefined
    this.#delivered = []
    if (reason.code === 'draining') this.#fail(reason)
    else this.#fail(new MillraceError('closed', `Answers cannot come any more: ${reason.message}`, { cause: reason }))
  }

  // ---- pieces -------------------------------------------------------------------------------------------------------

  /** Settling is not allowed from within a delivery. */
  #ack(): void {
    for (const { partition, first, last, attempt } of this.#delivered.splice(0)) {
      this.#consumer?.grant(last - first + 1)
      try {
        this.#consumer?.settle(partition, first, last, { kind: 'ack' }, attempt)
      } catch (error) {
        // Its lease ended meanwhile: it comes again, and whoever waited for it has it.
        if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      }
    }
  }

  #open(): void {
    if (this.#consumer !== undefined) return
    // The bare name is what clients of AMQP take for an address.
    this.#queue = `reply-http-${newRandomId(this.#platform.random)}`
    // Nobody waits any more after a restart.
    this.#broker.createQueue({ name: this.#queue, durable: false, autoDelete: true })
    this.#consumer = this.#broker.consume(`queue:${this.#queue}`, { exclusive: true }, this)
    this.#consumer.grant(CREDIT)
  }

  #late(id: string): void {
    const { replies, destination, timeoutMs } = this.#waiting.get(id)!
    if (replies.length > 0) return this.#answer(id)
    const error = new MillraceError('timeout', `Nobody answered from ${destination} within ${timeoutMs} ms.`)
    this.#remove(id)?.reject(error)
  }

  /** With what there is. */
  #answer(id: string): void {
    const waiter = this.#remove(id)
    waiter?.resolve(waiter.replies)
  }

  #fail(error: MillraceError): void {
    for (const id of this.#waiting.keys()) this.#remove(id)?.reject(error)
  }

  #remove(id: string): Waiter | undefined {
    const waiter = this.#waiting.get(id)
    if (waiter === undefined) return undefined
    this.#waiting.delete(id)
    waiter.timer.cancel()
    this.#heldBytes -= waiter.bytes
    return waiter
  }
}
