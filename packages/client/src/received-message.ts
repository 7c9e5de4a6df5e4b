// hot path (bench/src/native.ts)
import { priorityOf, readHeaders, type RecordCursor } from '@millrace/wire'
import type { Body, Message, PublishOptions, Receipt, StoredMessage } from './api.ts'
import type { Link } from './link.ts'
import { askerGone, replyAddress } from './request/reply.ts'

const decoder = new TextDecoder()

/** A message as it lies in the batch it came in. Parts are decoded when they are looked at; they keep the batch alive. */
export class ReceivedMessage implements StoredMessage {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly #batch: Uint8Array
  readonly #keyAt: number
  readonly #keyLength: number
  readonly #valueAt: number
  readonly #valueLength: number
  readonly #headersAt: number
  readonly #end: number

  constructor(partition: number, baseOffset: number, record: RecordCursor) {
    this.partition = partition
    this.offset = baseOffset + record.offsetDelta
    this.timestampMs = record.timestampMs
    this.#batch = record.batch
    this.#keyAt = record.keyAt
    this.#keyLength = record.keyLength
    this.#valueAt = record.valueAt
    this.#valueLength = record.valueLength
    this.#headersAt = record.headersAt
    this.#end = record.end
  }

  get key(): Uint8Array | null {
    return part(this.#batch, this.#keyAt, this.#keyLength)
  }

  get value(): Uint8Array | null {
    return part(this.#batch, this.#valueAt, this.#valueLength)
  }

  get headers(): Readonly<Record<string, Uint8Array | null>> {
    // No prototype: names are the sender's.
    const headers = Object.create(null) as Record<string, Uint8Array | null>
    for (const header of readHeaders(this.#batch, this.#headersAt, this.#end)) headers[header.key] = header.value
    return headers
  }

  get priority(): number {
    return priorityOf(readHeaders(this.#batch, this.#headersAt, this.#end)) ?? 0
  }

  text(): string {
    const value = this.value
    return value === null ? '' : decoder.decode(value)
  }

  json(): unknown {
    return JSON.parse(this.text())
  }
}

export type SettleKind = 'ack' | 'nack' | 'reject' | 'extend'

/** Who settles messages: the subscriber that received them. */
export interface Settler {
  /** Its number on the link on which its messages come. */
  readonly number: number
  readonly link: Link
  settle(message: HeldMessage, kind: SettleKind, options?: object, waiter?: SettleWaiter): void
  /** Why the message cannot be settled, if so. */
  staleness(message: HeldMessage): string | undefined
  /** Gives credit back for messages that were settled otherwise. */
  free(messages: number): void
}

/** The promise that somebody has for the outcome of one settle. */
export class SettleWaiter {
  readonly promise: Promise<void>
  resolve!: () => void
  #reject!: (error: Error) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.#reject = reject
    })
  }

  fail(error: Error): void {
    // Nobody has to await it: the consumption's `onError` hears of it too.
    void silence(this.promise)
    this.#reject(error)
  }
}

/** A message that this client holds until it is settled. */
export class HeldMessage extends ReceivedMessage implements Message {
  readonly attempt: number
  /** Number of the connection it came on, and of the chunk within it: messages of one chunk have the same lease. */
  readonly generation: number
  readonly turn: number
  /** Whether an outcome was decided here. Extending the lease decides nothing. */
  settled = false
  readonly settler: Settler

  constructor(
    partition: number,
    baseOffset: number,
    record: RecordCursor,
    attempt: number,
    generation: number,
    turn: number,
    settler: Settler,
  ) {
    super(partition, baseOffset, record)
    this.attempt = attempt
    this.generation = generation
    this.turn = turn
    this.settler = settler
  }

  ack(): Promise<void> {
    return this.#settle('ack')
  }

  nack(options?: { readonly delayMs?: number; readonly error?: string }): Promise<void> {
    return this.#settle('nack', options)
  }

  defer(options?: { readonly delayMs?: number }): Promise<void> {
    return this.#settle('nack', { uncounted: true, ...options })
  }

  reject(reason?: string): Promise<void> {
    return this.#settle('reject', reason === undefined ? undefined : { reason })
  }

  extend(): Promise<void> {
    return this.#settle('extend')
  }

  async reply(body: Body, options: PublishOptions = {}): Promise<Receipt> {
    const { destination, headers } = replyAddress(this)
    const publisher = this.settler.link.publisherOfExisting(destination)
    try {
      return await publisher.publish(body, { ...options, headers: { ...options.headers, ...headers } })
    } catch (error) {
      throw askerGone(error, destination) ?? error
    }
  }

  #settle(kind: SettleKind, options?: object): Promise<void> {
    const waiter = new SettleWaiter()
    this.settler.settle(this, kind, options, waiter)
    return waiter.promise
  }
}

async function silence(promise: Promise<void>): Promise<void> {
  try {
    await promise
  } catch {
    // Told elsewhere.
  }
}

function part(batch: Uint8Array, at: number, length: number): Uint8Array | null {
  // A plain view: the batch may be a Node Buffer's memory, and users compare constructors.
  return length < 0 ? null : new Uint8Array(batch.buffer, batch.byteOffset + at, length)
}
