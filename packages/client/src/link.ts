// hot path (bench/src/native.ts)
import type { RefusedMessages } from './receipts.ts'
import {
  type Checksum,
  ConfirmFrame,
  DeliverFrame,
  type Frame,
  type FrameReader,
  type JsonObject,
  ProtocolError,
  reasonOf,
  type RecordBatchBuilder,
  writeFrame,
  writePublish,
  writePublishLater,
  type RecordPlace,
} from '@millrace/wire'
import { BytePool } from './byte-pool.ts'
import type { ClientPlatform } from './client-platform.ts'
import { errorOf, MillraceError } from './errors.ts'
import { Fifo } from './fifo.ts'
import type { PublishChannel } from './publish-channel.ts'
import type { SentBatch } from './sent-batch.ts'
import type { SettleGroup } from './settle-group.ts'
import type { Subscriber } from './subscriber.ts'
import { LinkTransactions, type OutgoingTransaction } from './transactions/link-transactions.ts'
import type { Dial } from './transport.ts'
import type { HelloOptions } from './login.ts'
import { type BrokerFacts, type FrameHandler, WireConnection } from './wire-connection.ts'

export interface LinkOptions {
  readonly dial: Dial
  /** For messages: `millrace://localhost:6455`. */
  readonly address: string
  readonly platform: ClientPlatform
  readonly hello: HelloOptions
  /** Of batches; the portable one without it. */
  readonly crc32c: Checksum | undefined
  readonly reconnectDelayMs: { readonly min: number; readonly max: number }
  /** The client's shared publisher of a destination that exists. */
  publisherOfExisting(destination: string): PublishChannel
  onState(link: Link, connected: boolean, cause?: MillraceError): void
}

interface Call {
  readonly method: string
  readonly params: JsonObject
  /** Whether it may be sent again after a connection was lost with the answer under way. */
  readonly repeatable: boolean
  readonly resolve: (result: JsonObject) => void
  readonly reject: (error: MillraceError) => void
}

/** Something that gathers over a turn and writes at its end. */
interface Gatherer {
  flush(): void
}

const ATTEMPT_MS_MAX = 10_000
/** Retrying does not help against these. */
const FINAL_CODES: ReadonlySet<string> = new Set(['unauthorized', 'forbidden', 'unsupported', 'bad_request', 'limit_reached'])

/**
 * One connection that comes back: publishers, subscribers and calls are attached to the link and survive connections.
 * After a reconnect, unconfirmed publishes are sent again in their order, and subscribers subscribe again.
 */
export class Link implements FrameHandler {
  /** Undefined while there is none. */
  connection: WireConnection | undefined
  /** Counts connections: what came on an older one is stale. */
  generation = 0
  facts: BrokerFacts | undefined
  /** For bytes that are kept until they are confirmed. */
  readonly pool: BytePool = new BytePool()
  /** Empty ones: publishers borrow one for each batch, so that few are in use at a time, and those in the processor's cache. */
  readonly builders: RecordBatchBuilder[] = []
  readonly platform: ClientPlatform
  readonly crc32c: Checksum | undefined
  readonly #options: LinkOptions
  readonly #publishers = new Map<number, PublishChannel>()
  #nextPublisher = 0
  readonly #freePublishers: number[] = []
  /** Publishes whose outcome is not known, in the order sent; those that wait for a next connection come before them. */
  readonly #sent = new Fifo<SentBatch>()
  #postponed: SentBatch[] = []
  #publishOrdinal = 0
  readonly #refusals = new Map<number, RefusedMessages[]>()
  readonly #duplicates = new Map<number, readonly RecordPlace[]>()
  readonly #placed = new Map<number, readonly RecordPlace[]>()
  readonly #subscribers = new Map<number, Subscriber>()
  #nextSubscriber = 0
  readonly #settles = new Fifo<{ readonly subscriber: Subscriber; readonly group: SettleGroup }>()
  #settleOrdinal = 0
  readonly #settleFailures = new Map<number, { readonly error: MillraceError; readonly ranges: readonly number[] | undefined }>()
  readonly #calls = new Map<number, Call>()
  readonly #transactions = new LinkTransactions()
  #nextCall = 0
  #dirty: Gatherer[] = []
  #turn = 0
  #turnEnds = false
  #closed: MillraceError | undefined
  readonly #stop = new AbortController()
  readonly #deliver = new DeliverFrame()
  readonly #confirm = new ConfirmFrame()

  constructor(options: LinkOptions) {
    this.#options = options
    this.platform = options.platform
    this.crc32c = options.crc32c
  }

  /** Publishers and subscribers that use it: the pool gives the next one to the link with the fewest. */
  get load(): number {
    return this.#publishers.size + this.#subscribers.size
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  // ---- connecting -----------------------------------------------------------------------------------------------------

  /** @param timeoutMs how long to try; `false`: for ever. @throws MillraceError */
  async connect(timeoutMs: number | false, signal: AbortSignal | undefined): Promise<void> {
    const deadlineMs = timeoutMs === false ? Infinity : this.platform.monotonicMs() + timeoutMs
    const { min, max } = this.#options.reconnectDelayMs
    for (let delayMs = min; ; delayMs = Math.min(max, delayMs * 2)) {
      const leftMs = deadlineMs - this.platform.monotonicMs()
      try {
        return await this.#attempt(Math.max(1, Math.min(ATTEMPT_MS_MAX, leftMs)), signal)
      } catch (error) {
        if (this.#closed !== undefined) throw this.#closed
        signal?.throwIfAborted()
        if (!(error instanceof MillraceError) || FINAL_CODES.has(error.code)) throw error
        const waitMs = delayMs * (0.5 + this.platform.random() / 2)
        if (this.platform.monotonicMs() + waitMs >= deadlineMs) {
          const what = `No broker answered at ${this.#options.address} within ${timeoutMs} ms. The last attempt: ${error.message}`
          throw new MillraceError('timeout', what, { cause: error })
        }
        await this.platform.sleep(waitMs)
      }
    }
  }

  async #attempt(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const limit = new AbortController()
    const cancel = this.platform.after(timeoutMs, () =>
      limit.abort(new MillraceError('timeout', `${this.#options.address} did not answer within ${Math.round(timeoutMs)} ms`)),
    )
    try {
      const signals = [limit.signal, this.#stop.signal, ...(signal === undefined ? [] : [signal])]
      const { dial, hello } = this.#options
      const connection = await WireConnection.open(dial, hello, this, AbortSignal.any(signals), this.platform)
      this.#established(connection)
    } finally {
      cancel()
    }
  }

  #established(connection: WireConnection): void {
    if (this.#closed !== undefined) return connection.close()
    this.connection = connection
    this.facts = connection.facts
    this.generation++
    this.#publishOrdinal = this.#settleOrdinal = 0
    this.#refusals.clear()
    this.#duplicates.clear()
    this.#placed.clear()
    this.#settleFailures.clear()
    for (const publisher of this.#publishers.values()) if (publisher.reopens()) this.#writeOpen(publisher)
    const again = [...this.#postponed, ...this.#sent.takeAll()]
    this.#postponed = []
    for (const batch of again) this.send(batch)
    for (const subscriber of this.#subscribers.values()) subscriber.subscribe()
    for (const [number, call] of this.#calls) this.#writeCall(number, call)
    this.#transactions.connected(connection)
    connection.wake()
    this.#options.onState(this, true)
  }

  async #reconnect(): Promise<void> {
    try {
      await this.connect(false, undefined)
    } catch (error) {
      if (this.#closed === undefined) this.close(error as MillraceError)
    }
  }

  /** Ends it for good. Without an error all that was asked for is known to be done. */
  close(error?: MillraceError): void {
    if (this.#closed !== undefined) return
    this.#closed = error ?? new MillraceError('closed', 'This client is closed.')
    this.#stop.abort(this.#closed)
    this.connection?.close()
    this.connection = undefined
    for (const batch of [...this.#postponed, ...this.#sent.takeAll()])
      batch.publisher.refused(batch, outcomeUnknown(this.#closed))
    this.#postponed = []
    for (const publisher of this.#publishers.values()) publisher.linkClosed(this.#closed)
    this.#transactions.closed(this.#closed)
    for (const subscriber of this.#subscribers.values()) subscriber.close(error)
    for (const { subscriber, group } of this.#settles.takeAll()) {
      subscriber.settled(group, outcomeUnknown(this.#closed), undefined)
      for (const done of group.whenDone) done()
    }
    for (const call of this.#calls.values()) call.reject(this.#closed)
    this.#calls.clear()
    this.#options.onState(this, false, this.#closed)
  }

  // ---- publishers -----------------------------------------------------------------------------------------------------

  /** @returns its number on this link */
  addPublisher(publisher: PublishChannel): number {
    if (this.#closed !== undefined) throw this.#closed
    const number = this.#freePublishers.pop() ?? this.#nextPublisher++
    this.#publishers.set(number, publisher)
    return number
  }

  open(publisher: PublishChannel): void {
    if (this.connection === undefined) return
    this.#writeOpen(publisher)
    this.connection.wake()
  }

  removePublisher(publisher: PublishChannel): void {
    if (!this.#publishers.delete(publisher.number)) return
    this.#freePublishers.push(publisher.number)
    this.release(publisher)
  }

  /** Frees the number on the broker; the publisher may open it again. */
  release(publisher: PublishChannel): void {
    if (this.connection === undefined) return
    writeFrame(this.connection.writer, 'release', { publisher: publisher.number })
    this.connection.wake()
  }

  /** The shared one of a destination that exists, on whatever link. */
  publisherOfExisting(destination: string): PublishChannel {
    return this.#options.publisherOfExisting(destination)
  }

  /** Sends a batch, now or as soon as there is a connection. Its bytes must not change. */
  send(batch: SentBatch): void {
    this.#sent.push(batch)
    if (this.connection === undefined) return
    const { publisher, partition, dueMs, bytes } = batch
    if (dueMs === 0) writePublish(this.connection.writer, publisher.number, partition, bytes)
    else writePublishLater(this.connection.writer, publisher.number, partition, dueMs, bytes)
    this.connection.wake()
  }

  /** Has `flush` called at the end of the turn. */
  dirty(gatherer: Gatherer): void {
    this.#dirty.push(gatherer)
    if (this.#dirty.length === 1) this.platform.endOfTurn(this.#flushDirty)
  }

  readonly #flushDirty = (): void => {
    const dirty = this.#dirty
    this.#dirty = []
    for (const gatherer of dirty) gatherer.flush()
    // This is the end of the turn: what they wrote need not wait for another.
    this.connection?.flush()
  }

  // ---- subscribers ----------------------------------------------------------------------------------------------------

  addSubscriber(subscriber: Subscriber): number {
    if (this.#closed !== undefined) throw this.#closed
    const number = this.#nextSubscriber++
    this.#subscribers.set(number, subscriber)
    return number
  }

  removeSubscriber(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber.number)
  }

  /** Only while there is a connection. */
  sendSettle(subscriber: Subscriber, group: SettleGroup): void {
    const connection = this.connection!
    group.write(connection.writer)
    this.#settles.push({ subscriber, group })
    connection.wake()
  }

  /** Resolves when what was settled so far is durable, or known to be lost. */
  settlesDone(): Promise<void> {
    this.#flushDirty()
    const last = this.#settles.at(this.#settles.length - 1)
    if (last === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      last.group.whenDone.push(resolve)
    })
  }

  // ---- calls ----------------------------------------------------------------------------------------------------------

  /** @throws MillraceError of the broker, or `outcome_unknown` when the connection was lost and it cannot be repeated */
  call(method: string, params: JsonObject, repeatable = true): Promise<JsonObject> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    return new Promise((resolve, reject) => {
      const number = this.#nextCall++ % 0x1_0000_0000
      const call: Call = { method, params, repeatable, resolve, reject }
      this.#calls.set(number, call)
      this.#writeCall(number, call)
    })
  }

  #writeCall(number: number, { method, params }: Call): void {
    if (this.connection === undefined) return
    writeFrame(this.connection.writer, 'call', { call: number, method, params })
    this.connection.wake()
  }

  // ---- transactions ---------------------------------------------------------------------------------------------------

  /** Sends a transaction, now or as soon as there is a connection. @returns what gives it up, and tells whether it was sent */
  transact(transaction: OutgoingTransaction): () => boolean {
    if (this.#closed !== undefined) {
      transaction.failed(this.#closed)
      return () => false
    }
    const number = this.#transactions.add(transaction)
    return () => this.#transactions.forget(number)
  }

  // ---- FrameHandler ---------------------------------------------------------------------------------------------------

  deliver(reader: FrameReader): void {
    const frame = this.#deliver
    frame.read(reader)
    if (!this.#turnEnds) {
      this.#turnEnds = true
      this.#turn++
      queueMicrotask(this.#endTurn)
    }
    this.#subscribers.get(frame.consumer)?.deliver(frame, this.#turn)
  }

  /** Chunks arrive in turns of their own: what comes after this was leased later. */
  readonly #endTurn = (): void => {
    this.#turnEnds = false
  }

  confirm(reader: FrameReader): void {
    const frame = this.#confirm
    frame.read(reader)
    for (let n = 0; n < frame.count; n++) {
      const batch = this.#sent.shift()
      if (batch === undefined) throw new ProtocolError('`confirm` counts more than was published.')
      const ordinal = this.#publishOrdinal++
      const baseOffset = frame.baseOffset(n)
      if (Number.isNaN(baseOffset)) this.#refused(batch, ordinal)
      else {
        this.pool.giveBack(batch.bytes)
        const refused = take(this.#refusals, ordinal)
        batch.publisher.confirmed(batch, baseOffset, take(this.#duplicates, ordinal), take(this.#placed, ordinal), refused)
      }
    }
  }

  control(frame: Frame): void {
    switch (frame.name) {
      case 'opened':
        return this.#publishers.get(frame.publisher)?.opened(frame.partitions)
      case 'openFailed':
        return this.#publishers.get(frame.publisher)?.openFailed(errorOf(reasonOf(frame.reason)))
      case 'refused':
        return this.#noteRefusal(frame.publish, frame.position, frame.reason)
      case 'duplicates':
        this.#duplicates.set(frame.publish, frame.records)
        return
      case 'placed':
        this.#placed.set(frame.publish, frame.runs)
        return
      case 'settled':
        return this.#settled(frame.count)
      case 'settleFailed': {
        const { ranges } = frame.reason
        const failed = Array.isArray(ranges) ? ranges.filter((range) => typeof range === 'number') : undefined
        this.#settleFailures.set(frame.settle, { error: errorOf(reasonOf(frame.reason)), ranges: failed })
        return
      }
      case 'ended':
        return this.#subscribers.get(frame.consumer)?.endedByBroker(reasonOf(frame.reason))
      case 'passed':
        return this.#subscribers.get(frame.consumer)?.passed(frame.next)
      case 'caughtUp':
        return this.#subscribers.get(frame.consumer)?.caughtUp()
      case 'revoked':
        return this.#subscribers.get(frame.consumer)?.revoked()
      case 'reply':
        return this.#answered(frame.call)?.resolve(frame.result)
      case 'failure':
        return this.#answered(frame.call)?.reject(errorOf(reasonOf(frame.reason)))
      case 'transacted':
        return this.#transactions.transacted(frame)
      case 'transactFailed':
        return this.#transactions.transactFailed(frame)
      case 'consuming':
        return
      default:
        throw new ProtocolError(`\`${frame.name}\` is not for brokers to send.`)
    }
  }

  lost(error: MillraceError): void {
    this.connection = undefined
    this.generation++
    const settles = this.#settles.takeAll()
    for (const subscriber of this.#subscribers.values()) subscriber.lost(error)
    for (const { subscriber, group } of settles) {
      subscriber.settled(group, outcomeUnknown(error), undefined)
      for (const done of group.whenDone) done()
    }
    for (const [number, call] of this.#calls) {
      if (call.repeatable) continue
      this.#calls.delete(number)
      call.reject(outcomeUnknown(error))
    }
    this.#transactions.lost(error)
    if (FINAL_CODES.has(error.code)) return this.close(error)
    this.#options.onState(this, false, error)
    void this.#reconnect()
  }

  #noteRefusal(ordinal: number, position: number, reason: JsonObject): void {
    const { records } = reason
    const count = typeof records === 'number' ? records : Infinity
    const refused = this.#refusals.get(ordinal) ?? []
    refused.push({ position, count, error: errorOf(reasonOf(reason)) })
    this.#refusals.set(ordinal, refused)
  }

  #refused(batch: SentBatch, ordinal: number): void {
    const error =
      take(this.#refusals, ordinal)?.[0]?.error ??
      new MillraceError('outcome_unknown', 'The broker refused this without a reason.')
    // The broker is going away: this was not stored, and goes to the next one in its place in the order.
    if (error.code === 'draining') this.#postponed.push(batch)
    else batch.publisher.refused(batch, error)
  }

  #settled(count: number): void {
    for (let n = 0; n < count; n++) {
      const entry = this.#settles.shift()
      if (entry === undefined) throw new ProtocolError('`settled` counts more than was settled.')
      const ordinal = this.#settleOrdinal++
      const failure = this.#settleFailures.get(ordinal)
      this.#settleFailures.delete(ordinal)
      entry.subscriber.settled(entry.group, failure?.error, failure?.ranges)
      for (const done of entry.group.whenDone) done()
    }
  }

  #answered(number: number): Call | undefined {
    const call = this.#calls.get(number)
    this.#calls.delete(number)
    return call
  }

  #writeOpen(publisher: PublishChannel): void {
    const { number, destination, create } = publisher
    writeFrame(this.connection!.writer, 'open', { publisher: number, create: create ? 1 : 0, destination })
  }
}

function take<Value>(told: Map<number, Value>, ordinal: number): Value | undefined {
  if (told.size === 0) return undefined
  const taken = told.get(ordinal)
  told.delete(ordinal)
  return taken
}

function outcomeUnknown(cause: MillraceError): MillraceError {
  return new MillraceError('outcome_unknown', `The connection was lost before the broker answered: ${cause.message}`, { cause })
}
