import { parseTopicAddress, RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Broker, Consumer, Delivery, DeliverySink, Outcome, TransactionAction } from '../../core/broker.ts'
import type { Platform, Timer } from '../../ports/platform.ts'
import { type MessageJson, recordToJson } from '../../protocols/api/message-json.ts'
import { encodeHandle } from './handle.ts'

/** Batches behind one answer: what does not fit goes back to the queue at once. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024
const DEFAULT_LEASE_MS = 60_000

export interface LeaseOptions {
  readonly user: string
  readonly create: boolean
  readonly leaseMs: number | undefined
}

/** A run of offsets that the core handed out. */
interface Run {
  readonly delivery: Delivery
  readonly first: number
  readonly last: number
}

interface Waiter {
  wanted: number
  readonly runs: Run[]
  readonly resolve: (messages: readonly MessageJson[]) => void
  readonly reject: (error: MillraceError) => void
  timer: Timer | undefined
  /** It has waited long enough: what there is now is all that it gets. */
  isLeaving: boolean
  /** It got that. */
  isDone: boolean
}

/**
 * One core consumer on behalf of any number of HTTP requests. It outlives them: what a request received stays leased until
 * it is settled by handle, in whatever later request, or until the lease ends. Credit is granted only while a request waits.
 */
export class LeaseConsumer implements DeliverySink {
  readonly id: string
  readonly source: string
  /** Who received what it holds. */
  readonly user: string
  readonly #broker: Broker
  readonly #platform: Platform
  readonly #options: LeaseOptions
  readonly #consumer: Consumer
  #waiters: Waiter[] = []
  /** Handed out after the request that wanted it had left. */
  #strays: Run[] = []
  #answering = false
  #heldUntilMs: number
  #ended: MillraceError | undefined

  /** @throws MillraceError `not_found`, ... as `Broker.consume` */
  constructor(id: string, source: string, broker: Broker, platform: Platform, options: LeaseOptions) {
    this.id = id
    this.source = source
    this.user = options.user
    this.#broker = broker
    this.#platform = platform
    this.#options = options
    this.#heldUntilMs = platform.clock.monotonicMs()
    this.#consumer = broker.consume(
      source,
      { create: options.create, polls: true, ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }) },
      this,
    )
  }

  get ended(): boolean {
    return this.#ended !== undefined
  }

  /** Nothing waits and nothing can be leased any more. */
  isIdle(monotonicMs: number): boolean {
    return this.#waiters.length === 0 && monotonicMs > this.#heldUntilMs
  }

  /**
   * At most `max` messages; waits up to `waitMs` for the first.
   * @throws MillraceError as `DeliverySink.closed`, and `in_use`
   */
  receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly MessageJson[]> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#consumer.checkAdmitted()
      const waiter: Waiter = { wanted: max, runs: [], resolve, reject, timer: undefined, isLeaving: false, isDone: false }
      const leave = (): void => {
        if (!this.#remove(waiter)) return
        this.#giveBack(waiter.runs)
        this.#grantAgain()
        resolve([])
      }
      const takeWhatThereIs = (): void => {
        waiter.isLeaving = true
        this.#consumer.drain()
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiters.push(waiter)
      this.#consumer.grant(max)
      if (waitMs === 0) takeWhatThereIs()
      else waiter.timer = this.#platform.scheduler.after(waitMs, takeWhatThereIs)
    })
  }

  /** @throws MillraceError `stale_delivery` */
  settle(partition: number, offset: number, attempt: number, outcome: Outcome): void {
    this.#consumer.settle(partition, offset, offset, outcome, attempt)
  }

  /** The same as part of a transaction. */
  action(partition: number, offset: number, attempt: number, outcome: Outcome): TransactionAction {
    return { kind: 'settle', consumer: this.#consumer, partition, first: offset, last: offset, attempt, outcome }
  }

  /** @throws MillraceError `stale_delivery` */
  extend(partition: number, offset: number, attempt: number): void {
    this.#consumer.extend(partition, offset, offset, attempt)
    this.#holdLonger()
  }

  close(): void {
    this.#consumer.close()
    this.closed(new MillraceError('draining', 'The broker is shutting down.'))
  }

  // ---- DeliverySink -------------------------------------------------------------------------------------------------

  deliver(delivery: Delivery): void {
    let first = delivery.first
    while (first <= delivery.last) {
      const waiter = this.#waiters.find((candidate) => candidate.wanted > 0)
      const last = waiter === undefined ? delivery.last : Math.min(delivery.last, first + waiter.wanted - 1)
      if (waiter === undefined) this.#strays.push({ delivery, first, last })
      else {
        waiter.runs.push({ delivery, first, last })
        waiter.wanted -= last - first + 1
      }
      first = last + 1
    }
    this.#answerSoon()
  }

  drained(): void {
    for (const waiter of this.#waiters) waiter.isDone = waiter.isLeaving
    this.#answerSoon()
  }

  closed(reason: MillraceError): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    for (const waiter of this.#waiters) {
      waiter.timer?.cancel()
      waiter.reject(reason)
    }
    this.#waiters = []
    this.#strays = []
  }

  // ---- pieces -------------------------------------------------------------------------------------------------------

  /** Deliveries of one turn make one answer; and settling is not allowed from within a delivery. */
  #answerSoon(): void {
    if (this.#answering) return
    this.#answering = true
    this.#platform.scheduler.endOfTurn(() => this.#answer())
  }

  #answer(): void {
    this.#answering = false
    if (this.#ended !== undefined) return
    for (const waiter of this.#waiters.filter(({ runs, isDone }) => runs.length > 0 || isDone)) {
      const messages = this.#messages(waiter)
      if (messages.length === 0 && !waiter.isDone) continue
      this.#remove(waiter)
      if (messages.length > 0) this.#holdLonger()
      waiter.resolve(messages)
    }
    this.#giveBack(this.#strays.splice(0))
    this.#grantAgain()
  }

  /** Decodes what the waiter got; empty when all of it was gaps that compaction left. */
  #messages(waiter: Waiter): readonly MessageJson[] {
    const messages: MessageJson[] = []
    let bytes = 0
    for (const { delivery, first, last } of waiter.runs.splice(0)) {
      const reader = new RecordReader(delivery.batch)
      while (reader.next()) {
        const offset = delivery.baseOffset + reader.offsetDelta
        if (offset < first) continue
        if (offset > last) break
        bytes += reader.value?.length ?? 0
        if (bytes > ANSWER_BYTES_MAX && messages.length > 0) {
          this.#giveBack([{ delivery, first: offset, last }])
          break
        }
        const handle = encodeHandle({ consumer: this.id, partition: delivery.partition, offset, attempt: delivery.attempt })
        messages.push({
          ...recordToJson(delivery.partition, offset, reader),
          attempt: delivery.attempt,
          handle,
        })
      }
    }
    return messages
  }

  #giveBack(runs: readonly Run[]): void {
    for (const { delivery, first, last } of runs) {
      try {
        this.#consumer.settle(delivery.partition, first, last, { kind: 'nack', uncounted: true })
      } catch (error) {
        // Somebody else has it already: as good as given back.
        if (!(error instanceof MillraceError) || error.code !== 'stale_delivery') throw error
      }
    }
  }

  /** Makes the credit what the waiting requests still want. */
  #grantAgain(): void {
    if (this.#ended !== undefined) return
    this.#consumer.revoke()
    let wanted = 0
    for (const waiter of this.#waiters) wanted += waiter.wanted
    if (wanted > 0) this.#consumer.grant(wanted)
  }

  #remove(waiter: Waiter): boolean {
    const at = this.#waiters.indexOf(waiter)
    if (at < 0) return false
    this.#waiters.splice(at, 1)
    waiter.timer?.cancel()
    return true
  }

  #holdLonger(): void {
    const leaseMs = this.#options.leaseMs ?? this.#delivery().delivery.leaseMs ?? DEFAULT_LEASE_MS
    this.#heldUntilMs = Math.max(this.#heldUntilMs, this.#platform.clock.monotonicMs() + leaseMs)
  }

  #delivery(): { readonly delivery: { readonly leaseMs?: number } } {
    const topic = parseTopicAddress(this.source)
    if (topic === undefined) return this.#broker.queue(this.source.slice('queue:'.length))
    return this.#broker.subscription(topic.name, topic.subscription!)
  }
}
