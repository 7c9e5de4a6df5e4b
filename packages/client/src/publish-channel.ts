// hot path (bench/src/native.ts)
import { encodeText, type HeaderToWrite, partitionOfKey, RecordBatchBuilder, type RecordPlace } from '@millrace/wire'
import type { Body, OutgoingMessage, Publisher, PublisherOptions, PublishOptions, Receipt } from './api.ts'
import { callUser } from './call-user.ts'
import { checkDestination } from './destination.ts'
import { MillraceError } from './errors.ts'
import { Fifo } from './fifo.ts'
import type { Link } from './link.ts'
import { encodeBody, encodeHeaders, messageHeaders, tooLarge, weightOf } from './outgoing.ts'
import { type EarlyMessage, type Gathering, newGathering, type QueuedMessage } from './gathering.ts'
import { IdempotentProducer } from './idempotent-producer.ts'
import { checkDueTime, dueTimeMs } from './due-time.ts'
import type { SentBatch } from './sent-batch.ts'
import { unlessAborted } from './unless-aborted.ts'
import {
  NONE_REFUSED,
  ReceiptCollector,
  SingleReceipt,
  takenMessages,
  tellReceipts,
  tellScheduled,
  type ReceiptWaiter,
  type RefusedMessages,
  takenWaiters,
} from './receipts.ts'

const WINDOW = 65_536
const WINDOW_BYTES = 32 * 1024 * 1024
const BATCH_BYTES = 65_536
/** Larger builders are not kept for the next batch. */
const BUILDER_BYTES_MAX: number = 256 * 1024
/** Messages of one turn that get the same time. */
const TIMED_MESSAGES_MAX = 16
/** Nor are more of them, after many partitions were filled in one turn. */
const BUILDERS_MAX = 64

/**
 * A publisher: gathers messages into one batch per partition, keeps a bounded number unconfirmed, and tells outcomes in order.
 *
 * idle -> opening -> open. A refused `open` fails what was waiting and goes back to idle: the next message tries again.
 */
export class PublishChannel implements Publisher {
  readonly destination: string
  /** Whether the broker creates the destination when it does not exist. */
  readonly create: boolean
  readonly number: number
  unconfirmed = 0
  readonly #link: Link
  /** A queue has one partition, and so has an exchange, whatever the broker answers. */
  readonly #isOne: boolean
  readonly #window: number
  readonly #windowBytes: number
  readonly #batchBytes: number
  readonly #lingerMs: number
  #clockMs = 0
  #timedMessages = 0
  readonly #producer: IdempotentProducer | undefined
  readonly #onConfirm: PublisherOptions['onConfirm']
  readonly #onError: PublisherOptions['onError']
  #state: 'idle' | 'opening' | 'open' | 'closed' = 'idle'
  #partitions = 1
  /** Where messages without a key go: one partition per batch, in turn. */
  #stickyPartition = 0
  /** By partition; and those of them that hold something. */
  readonly #gatherings: (Gathering | undefined)[] = []
  #filled: Gathering[] = []
  /** Of messages for later, by partition and time. */
  readonly #later = new Map<string, Gathering>()
  #early: EarlyMessage[] = []
  #unconfirmedBytes = 0
  #flushScheduled = false
  #cancelLinger: (() => void) | undefined
  /** Messages taken and finished so far: `flush` waits for the second to reach the first. */
  #taken = 0
  #finished = 0
  #firstError: Error | undefined
  #flushes: { readonly target: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  readonly #queued = new Fifo<QueuedMessage>()
  #readyPromise: Promise<void> | undefined
  #becomeReady: (() => void) | undefined

  constructor(link: Link, destination: string, options: PublisherOptions = {}) {
    checkDestination(destination)
    this.destination = destination
    this.create = options.create ?? true
    this.#isOne = !destination.startsWith('topic:')
    this.#link = link
    this.#window = options.window ?? WINDOW
    this.#windowBytes = options.windowBytes ?? WINDOW_BYTES
    this.#batchBytes = options.batchBytes ?? BATCH_BYTES
    this.#lingerMs = options.lingerMs ?? 0
    this.#onConfirm = options.onConfirm
    this.#onError = options.onError
    if (!(this.#window >= 1)) throw new MillraceError('bad_request', `\`window\` must be at least 1, not ${this.#window}.`)
    const { idempotent = false } = options
    if (idempotent !== false)
      this.#producer = new IdempotentProducer(link, this, idempotent === true ? undefined : idempotent.producer)
    this.number = link.addPublisher(this)
  }

  // ---- Publisher ------------------------------------------------------------------------------------------------------

  send(body: Body, options?: Omit<PublishOptions, 'signal'>): boolean {
    if (this.#state === 'closed') throw this.#closedError()
    if (this.#full) {
      throw new MillraceError(
        'overloaded',
        `The window of ${this.#window} unconfirmed messages is full: wait for ready() when send() returned false.`,
      )
    }
    if (options !== undefined) checkDueTime(options, this.#link.platform)
    this.#take(body, options, undefined)
    return !this.#full
  }

  ready(): Promise<void> {
    if (!this.#full || this.#state === 'closed') return Promise.resolve()
    this.#readyPromise ??= new Promise((resolve) => {
      this.#becomeReady = resolve
    })
    return this.#readyPromise
  }

  publish(body: Body, options: PublishOptions = {}): Promise<Receipt> {
    const { signal } = options
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    if (this.#state === 'closed') return Promise.reject(this.#closedError())
    const published = new Promise<Receipt>((resolve, reject) => {
      checkDueTime(options, this.#link.platform)
      // Those that wait for room go first.
      if (this.#full || this.#queued.length > 0) this.#queued.push({ body, options, resolve, reject })
      else this.#take(body, options, new SingleReceipt(resolve, reject))
    })
    return signal === undefined ? published : unlessAborted(published, signal)
  }

  /** All of them in as few batches as possible. */
  publishAll(messages: readonly OutgoingMessage[]): Promise<readonly Receipt[]> {
    const collector = new ReceiptCollector(messages.length)
    let n = 0
    try {
      // All of them before any is taken: what comes with the rest was not sent by half.
      for (const message of messages) checkDueTime(message, this.#link.platform)
      for (; n < messages.length && !this.#full; n++) this.#takeOne(messages[n]!, collector, n)
    } catch (error) {
      return Promise.reject(error)
    }
    this.flushGathered()
    return n === messages.length ? collector.promise : this.#publishRest(messages, n, collector)
  }

  /** Those for which the window had no room. */
  async #publishRest(
    messages: readonly OutgoingMessage[],
    from: number,
    collector: ReceiptCollector,
  ): Promise<readonly Receipt[]> {
    for (let n = from; n < messages.length; n++) {
      if (this.#full) this.flushGathered()
      while (this.#full) await this.ready()
      this.#takeOne(messages[n]!, collector, n)
    }
    this.flushGathered()
    return collector.promise
  }

  #takeOne(message: OutgoingMessage, collector: ReceiptCollector, position: number): void {
    if (this.#state === 'closed') throw this.#closedError()
    this.#take(message.body, message, collector.waiter(position))
  }

  flush(): Promise<void> {
    this.flushGathered()
    if (this.#finished === this.#taken && this.#queued.length === 0) return this.#flushed()
    return new Promise((resolve, reject) => {
      this.#flushes.push({ target: this.#taken + this.#queued.length, resolve, reject })
    })
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    try {
      await this.flush()
    } finally {
      this.#state = 'closed'
      this.#link.removePublisher(this)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** On a new connection. @returns whether the broker must know its number there: also for what is sent again, to be refused again */
  reopens(): boolean {
    if (this.#state === 'idle' && this.unconfirmed > 0) this.#state = 'opening'
    return this.#state === 'opening' || this.#state === 'open'
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** Whether nothing is under way. */
  get idle(): boolean {
    return this.unconfirmed === 0 && this.#queued.length === 0
  }

  // ---- for the link ---------------------------------------------------------------------------------------------------

  opened(partitions: number): void {
    this.#partitions = partitions
    if (this.#state !== 'opening') return
    this.#state = 'open'
    const early = this.#early
    this.#early = []
    for (const message of early)
      this.#gather(
        message.key,
        message.value,
        message.headers,
        message.timestampMs,
        message.dueMs,
        message.weight,
        message.waiter,
      )
    this.flushGathered()
  }

  openFailed(error: MillraceError): void {
    if (this.#state === 'closed') return
    // The broker refuses what was sent meanwhile, and what is gathered.
    this.flushGathered()
    this.#state = 'idle'
    this.#link.release(this)
    const early = this.#early
    this.#early = []
    if (early.length === 0) return
    for (const message of early) {
      this.#unconfirmedBytes -= message.weight
      message.waiter?.failed(error)
    }
    const told = early.every((message) => message.waiter !== undefined)
    this.#fail(error, early.length, told)
  }

  /**
   * @param duplicates its messages that were published before
   * @param placed where the others are, unless side by side from the base offset on
   * @param refused those for which a queue had no room, or an exchange no way, in order
   */
  confirmed(
    batch: SentBatch,
    baseOffset: number,
    duplicates?: readonly RecordPlace[],
    placed?: readonly RecordPlace[],
    refused: readonly RefusedMessages[] = NONE_REFUSED,
  ): void {
    const { waiters: awaited, partition } = batch
    const waiters = takenWaiters(awaited, refused)
    const messages = takenMessages(batch.messages, refused)
    this.#producer?.confirmed()
    if (waiters !== undefined && batch.dueMs !== 0) tellScheduled(waiters, partition, baseOffset)
    else if (waiters !== undefined && (duplicates !== undefined || placed !== undefined || baseOffset < 0)) {
      tellReceipts(waiters, placed ?? [{ position: 0, partition, offset: baseOffset }], duplicates ?? [])
    } else if (waiters !== undefined) {
      for (let n = 0; n < waiters.length; n++) waiters[n]?.confirmed({ partition, offset: baseOffset + n })
    }
    this.unconfirmed -= messages
    this.#unconfirmedBytes -= batch.weight
    this.#finished += messages
    callUser(this.#onConfirm, messages)
    if (refused.length === 0) return this.#roomMade()
    for (const { position, count, error } of refused) {
      this.#tellRefused(awaited?.slice(position, position + count), Math.min(count, batch.messages - position), error)
    }
  }

  refused(batch: SentBatch, error: MillraceError): void {
    if (this.#producer?.refused(batch, error) !== true) this.#refuse(batch, error)
  }

  /** Of an idempotent publisher, that cannot go on. */
  failed(batches: readonly SentBatch[], error: MillraceError): void {
    for (const batch of batches) this.#refuse(batch, error)
  }

  #refuse(batch: SentBatch, error: MillraceError): void {
    this.#unconfirmedBytes -= batch.weight
    this.#tellRefused(batch.waiters, batch.messages, error)
  }

  #tellRefused(waiters: SentBatch['waiters'], messages: number, error: MillraceError): void {
    let told = 0
    for (const waiter of waiters ?? []) {
      if (waiter === undefined) continue
      waiter.failed(error)
      told++
    }
    this.#fail(error, messages, told === messages)
  }

  /** Nothing can be sent any more. @param error why */
  linkClosed(error: MillraceError): void {
    if (this.#state === 'closed' && this.unconfirmed === 0) return
    this.#state = 'closed'
    const unknown = new MillraceError('outcome_unknown', `The client was closed before the broker confirmed: ${error.message}`, {
      cause: error,
    })
    for (const message of this.#early) message.waiter?.failed(unknown)
    for (const { waiters } of this.#producer?.takeHeld() ?? []) for (const waiter of waiters ?? []) waiter?.failed(unknown)
    for (const { waiters } of this.#filled) for (const waiter of waiters ?? []) waiter?.failed(unknown)
    for (const queued of this.#queued.takeAll()) queued.reject(error)
    this.#early = []
    this.#filled = []
    this.#gatherings.length = 0
    this.#later.clear()
    if (this.unconfirmed > 0) this.#fail(unknown, this.unconfirmed, false)
    this.#becomeReady?.()
  }

  /** Sends what was gathered in this turn. */
  flushGathered(): void {
    this.#cancelLinger?.()
    this.#cancelLinger = undefined
    const filled = this.#filled
    if (filled.length === 0) return
    this.#filled = []
    for (let n = 0; n < filled.length; n++) {
      const { builder } = filled[n]!
      if (builder !== undefined) this.#cut(filled[n]!, builder)
    }
  }

  readonly #gatherer = {
    flush: (): void => {
      this.#flushScheduled = false
      this.flushGathered()
    },
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  get #full(): boolean {
    return this.unconfirmed >= this.#window || this.#unconfirmedBytes >= this.#windowBytes
  }

  /** @throws MillraceError `record_too_large`, TypeError for a body that cannot be sent */
  #take(body: Body, options: Omit<PublishOptions, 'signal'> | undefined, waiter: ReceiptWaiter | undefined): void {
    const value = encodeBody(body)
    const key = options?.key ?? null
    const timestampMs = options?.timestampMs ?? this.#nowMs()
    const dueMs = options === undefined ? 0 : dueTimeMs(options, this.#link.platform, this.#producer === undefined)
    const headers =
      options === undefined ? encodeHeaders(body, undefined) : messageHeaders(body, options, Math.max(timestampMs, dueMs))
    const weight = weightOf(value, key, headers)
    const bytesMax = this.#link.facts?.batchBytesMax ?? Infinity
    if (weight > bytesMax) {
      throw new MillraceError('record_too_large', tooLarge(weight, bytesMax))
    }
    this.unconfirmed++
    this.#unconfirmedBytes += weight
    this.#taken++
    if (this.#state === 'idle') {
      this.#state = 'opening'
      this.#link.open(this)
    }
    if (this.#state === 'open' || this.#isOne) return this.#gather(key, value, headers, timestampMs, dueMs, weight, waiter)
    // Bytes of the caller's are only borrowed.
    this.#early.push({
      key: key?.slice() ?? null,
      value: value === body ? value.slice() : value,
      headers: headers.map((header) => ({ key: header.key, value: header.value?.slice() ?? null })),
      timestampMs,
      dueMs,
      weight,
      waiter,
    })
  }

  #gather(
    key: string | Uint8Array | null,
    value: Uint8Array,
    headers: readonly HeaderToWrite[],
    timestampMs: number,
    dueMs: number,
    weight: number,
    waiter: ReceiptWaiter | undefined,
  ): void {
    const partition = this.#isOne ? 0 : key === null ? this.#stickyPartition : this.#partitionOf(key)
    const gathering =
      dueMs === 0 ? (this.#gatherings[partition] ??= newGathering(partition, 0)) : this.#gatheringFor(partition, dueMs)
    const bytesMax = this.#link.facts?.batchBytesMax ?? Infinity
    if (gathering.builder !== undefined && gathering.builder.bytes + weight > bytesMax) this.#cut(gathering, gathering.builder)
    if (gathering.builder === undefined) this.#filled.push(gathering)
    const builder = (gathering.builder ??= this.#link.builders.pop() ?? new RecordBatchBuilder(undefined, this.#link.crc32c))
    if (waiter !== undefined) (gathering.waiters ??= [])[builder.records] = waiter
    builder.append(timestampMs, key, value, headers)
    gathering.weight += weight
    if (builder.bytes >= this.#batchBytes) this.#cut(gathering, builder)
    else this.#scheduleFlush()
  }

  #partitionOf(key: string | Uint8Array): number {
    return this.#partitions === 1 ? 0 : partitionOfKey(typeof key === 'string' ? encodeText(key) : key, this.#partitions)
  }

  #gatheringFor(partition: number, dueMs: number): Gathering {
    const place = `${partition} ${dueMs}`
    const gathering = this.#later.get(place) ?? newGathering(partition, dueMs)
    this.#later.set(place, gathering)
    return gathering
  }

  #cut(gathering: Gathering, builder: RecordBatchBuilder): void {
    const { partition, dueMs, weight, waiters } = gathering
    if (dueMs !== 0) this.#later.delete(`${partition} ${dueMs}`)
    const messages = builder.records
    // The builder's bytes are used again; these stay until they are confirmed.
    const sequence = this.#producer === undefined ? -1 : this.#producer.stamp(builder, partition)
    const bytes = this.#link.pool.copy(builder.finish())
    const { builders } = this.#link
    if (builder.capacityBytes <= BUILDER_BYTES_MAX && builders.length < BUILDERS_MAX) builders.push(builder)
    gathering.builder = undefined
    gathering.weight = 0
    gathering.waiters = undefined
    if (partition === this.#stickyPartition) this.#stickyPartition = (this.#stickyPartition + 1) % this.#partitions
    const batch: SentBatch = { publisher: this, partition, bytes, messages, weight, dueMs, waiters, sequence }
    if (this.#producer === undefined) this.#link.send(batch)
    else this.#producer.send(batch)
  }

  /** One look at the clock for several messages that are sent in one go. */
  #nowMs(): number {
    if (!this.#flushScheduled || ++this.#timedMessages === TIMED_MESSAGES_MAX) {
      this.#clockMs = this.#link.platform.nowMs()
      this.#timedMessages = 0
    }
    return this.#clockMs
  }

  #scheduleFlush(): void {
    if (this.#lingerMs > 0) this.#cancelLinger ??= this.#link.platform.after(this.#lingerMs, () => this.flushGathered())
    else if (!this.#flushScheduled) {
      this.#flushScheduled = true
      this.#link.dirty(this.#gatherer)
    }
  }

  /** @param told whether everybody concerned has a promise that rejected */
  #fail(error: Error, messages: number, told: boolean): void {
    this.unconfirmed -= messages
    this.#finished += messages
    if (!told) this.#firstError ??= error
    callUser(this.#onError, error, messages)
    this.#roomMade()
  }

  #roomMade(): void {
    while (this.#queued.length > 0 && !this.#full) {
      const { body, options, resolve, reject } = this.#queued.shift()!
      if (options.signal?.aborted === true) continue
      try {
        this.#take(body, options, new SingleReceipt(resolve, reject))
      } catch (error) {
        reject(error)
      }
    }
    if (this.#becomeReady !== undefined && !this.#full) {
      this.#becomeReady()
      this.#becomeReady = this.#readyPromise = undefined
    }
    while (this.#flushes.length > 0 && (this.#finished >= this.#flushes[0]!.target || this.idle)) {
      const { resolve, reject } = this.#flushes.shift()!
      this.#flushed().then(resolve, reject)
    }
  }

  /** The outcome since the flush before. */
  #flushed(): Promise<void> {
    const error = this.#firstError
    this.#firstError = undefined
    return error === undefined ? Promise.resolve() : Promise.reject(error)
  }

  #closedError(): MillraceError {
    return new MillraceError('closed', 'This publisher is closed.')
  }
}
