import type { JsonObject } from '@millrace/wire'
import type { Body, Message } from '../api.ts'
import { MillraceError } from '../errors.ts'
import type { Link } from '../link.ts'
import { replyAddress } from '../request/reply.ts'
import { HeldMessage } from '../received-message.ts'
import { type BatchOptions, TransactionBatches } from './transaction-batches.ts'
import { TransactionSettles } from './transaction-settles.ts'
import type { tombstone } from './tombstone.ts'
import type { PartitionOptions, Transaction, TransactionMessage, TransactionOptions, TransactionPublishOptions } from './types.ts'

const TIMEOUT_MS = 60_000

/** How a transaction is made for whom. */
export interface TransactionManner {
  /** An answer that nobody waits for any more is left out, instead of failing all of it. */
  readonly dropsAnswers?: boolean
}

/**
 * One transaction: collects, then commits over the link on which its messages came.
 *
 * collecting -> committing -> over
 *         \___________________/
 */
export class ClientTransaction implements Transaction {
  readonly #anyLink: () => Link
  readonly #timeoutMs: number
  readonly #answers: Pick<BatchOptions, 'create' | 'optional'>
  readonly #batches: TransactionBatches
  readonly #settles = new TransactionSettles()
  readonly #cancels: number[] = []
  readonly #abort = new AbortController()
  #state: 'collecting' | 'committing' | 'over' = 'collecting'
  /** Ends what is waited for now. */
  #fail: ((reason: unknown) => void) | undefined
  /** Takes back what was not sent. @returns whether it was sent */
  #forget: (() => boolean) | undefined

  /** @param anyLink gives the one to use when no message decides it */
  constructor(
    anyLink: () => Link,
    { timeoutMs = TIMEOUT_MS, dropsAnswers = false }: TransactionOptions & TransactionManner = {},
  ) {
    const { facts, crc32c } = anyLink()
    this.#anyLink = anyLink
    this.#timeoutMs = timeoutMs
    this.#answers = { create: false, optional: dropsAnswers }
    this.#batches = new TransactionBatches(facts?.batchBytesMax ?? Infinity, crc32c)
  }

  /**
   * Runs `collect`, then commits.
   * @returns what `collect` returned
   * @throws what `collect` throws: then nothing was done; MillraceError
   */
  async run<T>(collect: (transaction: ClientTransaction) => T | PromiseLike<T>, { signal }: TransactionOptions = {}): Promise<T> {
    signal?.throwIfAborted()
    const abort = (): void => {
      if (this.#state === 'collecting') this.#fail?.(signal!.reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
    const stopTimer = this.#anyLink().platform.after(this.#timeoutMs, () => this.#timedOut())
    try {
      const value = await this.#collected(collect)
      await this.#commit()
      return value
    } catch (error) {
      this.#abort.abort(error)
      throw error
    } finally {
      this.#state = 'over'
      stopTimer()
      signal?.removeEventListener('abort', abort)
    }
  }

  // ---- Transaction ----------------------------------------------------------------------------------------------------

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  publish(
    destination: string,
    body: Body | typeof tombstone,
    options: TransactionPublishOptions & PartitionOptions = {},
  ): TransactionMessage {
    this.#checkCollecting()
    return this.#batches.add([destination], body, options, this.#anyLink().platform.nowMs())
  }

  multicast(destinations: readonly string[], body: Body, options: TransactionPublishOptions = {}): TransactionMessage {
    this.#checkCollecting()
    return this.#batches.add(destinations, body, options, this.#anyLink().platform.nowMs())
  }

  reply(message: Message, body: Body, options: Omit<TransactionPublishOptions, 'create'> = {}): TransactionMessage {
    this.#checkCollecting()
    const { destination, headers } = replyAddress(message)
    const answer = { ...options, ...this.#answers, headers: { ...options.headers, ...headers } }
    return this.#batches.add([destination], body, answer, this.#anyLink().platform.nowMs())
  }

  ack(message: Message): void {
    this.#settle(message, 'ack', undefined)
  }

  nack(message: Message, options?: { readonly delayMs?: number; readonly error?: string }): void {
    this.#settle(message, 'nack', options)
  }

  defer(message: Message, options?: { readonly delayMs?: number }): void {
    this.#settle(message, 'nack', { uncounted: true, ...options })
  }

  reject(message: Message, reason?: string): void {
    this.#settle(message, 'reject', reason === undefined ? undefined : { reason })
  }

  cancelScheduled(id: number): void {
    this.#checkCollecting()
    this.#cancels.push(id)
  }

  /** Whether it decides about the message. */
  settles(message: Message): boolean {
    return message instanceof HeldMessage && this.#settles.has(message)
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  #settle(message: Message, kind: 'ack' | 'nack' | 'reject', options: object | undefined): void {
    this.#checkCollecting()
    if (!(message instanceof HeldMessage)) throw new TypeError('Only a message that was received can be settled.')
    this.#settles.add(message, kind, options)
  }

  #checkCollecting(): void {
    if (this.#state === 'collecting') return
    const what = 'This transaction is over: whatever belongs to it is said before its function returns, and awaited.'
    throw new MillraceError('bad_request', what)
  }

  #collected<T>(collect: (transaction: ClientTransaction) => T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#fail = reject
      Promise.resolve(collect(this)).then(resolve, reject)
    })
  }

  #commit(): Promise<void> {
    this.#state = 'committing'
    const settles = this.#settles
    if (this.#batches.length === 0 && settles.size === 0 && this.#cancels.length === 0) return Promise.resolve()
    const link = settles.link() ?? this.#anyLink()
    const { publishes, bytes } = this.#batches.finish()
    const request: JsonObject = { publishes, settles: settles.request(), cancels: this.#cancels }
    checkSize(request, bytes, link.facts?.frameBytesMax ?? Infinity)
    settles.begin()
    return new Promise((resolve, reject) => {
      this.#fail = (error) => {
        settles.end(false)
        reject(error)
      }
      this.#forget = link.transact({
        request,
        batches: bytes,
        settles: settles.size > 0,
        done: (result) => {
          settles.end(true)
          this.#batches.committed(result)
          resolve()
        },
        failed: this.#fail,
      })
    })
  }

  #timedOut(): void {
    const late = `within ${this.#timeoutMs} ms`
    if (this.#state === 'collecting') {
      const what = `The transaction was not ready ${late}: nothing of it was done, and its messages are still held.`
      this.#fail?.(new MillraceError('transaction_timeout', what))
    } else if (this.#forget?.() === true) {
      const what = `The broker did not answer ${late}: the transaction happened as a whole, or not at all.`
      this.#fail?.(new MillraceError('outcome_unknown', what))
    } else {
      const what = `There was no connection for the transaction ${late}: nothing of it was done.`
      this.#fail?.(new MillraceError('transaction_timeout', what))
    }
  }
}

/** What a frame has besides the request and the batches. */
const FRAME_OVERHEAD_BYTES = 16

function checkSize(request: JsonObject, batches: Uint8Array, bytesMax: number): void {
  const bytes = batches.length + new TextEncoder().encode(JSON.stringify(request)).length + FRAME_OVERHEAD_BYTES
  if (bytes <= bytesMax) return
  const what = `The transaction has ${bytes} bytes; this broker takes at most ${bytesMax}. Publish less in one transaction.`
  throw new MillraceError('record_too_large', what)
}
