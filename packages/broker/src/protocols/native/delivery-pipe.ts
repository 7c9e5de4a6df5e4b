// hot path (bench/src/native.ts)
import { BatchCutter, batchOffsets, batchRecordCount, type FrameWriter, writeDeliver } from '@millrace/wire'
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Consumer, Delivery, DeliverySink, Reader } from '../../core/broker.ts'
import { CreditSlice } from '../credit-slice.ts'
import type { ConsumeRequest } from './consume-schemas.ts'
import { GRANT_MAX, limits } from './limits.ts'

interface PipeEvents {
  /** Frames were written. The pipe is given when it can take more credit to the broker. */
  delivered(hungry: DeliveryPipe | undefined): void
  passed(next: number): void
  caughtUp(): void
  closed(pipe: DeliveryPipe, error: MillraceError): void
}

/**
 * One consumer or reader of a session: turns deliveries into frames and meters credit. The client's credit is kept here and
 * passed on to the broker in slices.
 */
export class DeliveryPipe implements DeliverySink {
  readonly number: number
  readonly mode: ConsumeRequest['mode']
  readonly source: string
  /** Whether it waits in the session's list for `pass`. */
  hungry = false
  readonly #writer: FrameWriter
  readonly #events: PipeEvents
  #consumer: Consumer | undefined
  #reader: Reader | undefined
  /** Credit of the client that the broker does not have yet. */
  #held = 0
  readonly #slice = new CreditSlice(limits.assumedMessageBytes)
  #cutter: BatchCutter | undefined
  #closed = false

  constructor(number: number, { mode, source }: ConsumeRequest, writer: FrameWriter, events: PipeEvents) {
    this.number = number
    this.mode = mode
    this.source = source
    this.#writer = writer
    this.#events = events
  }

  attach(handle: Consumer | Reader): void {
    if ('settle' in handle) this.#consumer = handle
    else this.#reader = handle
  }

  /** @throws MillraceError for a reader, which holds nothing */
  get consumer(): Consumer {
    if (this.#consumer === undefined) throw new MillraceError('bad_request', 'A reader has nothing to settle.')
    return this.#consumer
  }

  allow(messages: number): void {
    this.#held = Math.min(this.#held + messages, GRANT_MAX)
  }

  /** Gives the broker the next slice of credit if it has used half of the one before. */
  pass(): void {
    const messages = this.#closed ? 0 : this.#slice.pass(this.#held)
    if (messages === 0) return
    this.#held -= messages
    const handle = this.#consumer ?? this.#reader
    assert(handle !== undefined, 'a pipe gets credit after it was attached')
    handle.grant(messages)
  }

  /** Takes back from the broker what it has not used; the client's credit stays. */
  withhold(): void {
    if (this.#consumer === undefined || this.#slice.passed === 0) return
    this.#consumer.revoke()
    this.#held += this.#slice.takeBack()
  }

  /** Forgets all credit. A reader uses up the slice it has. */
  revoke(): void {
    this.#held = 0
    this.#cutter?.reset()
    if (this.#consumer === undefined) return
    this.#consumer.revoke()
    this.#slice.takeBack()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#consumer?.close()
    this.#reader?.close()
  }

  // ---- DeliverySink ---------------------------------------------------------------------------------------------------

  deliver(delivery: Delivery): void {
    if (this.#closed) return
    const { batch, baseOffset } = delivery
    const firstDelta = delivery.first - baseOffset
    const lastDelta = delivery.last - baseOffset
    const offsets = batchOffsets(batch)
    // Compacted batches have fewer records than offsets.
    const messages = Math.min(lastDelta - firstDelta + 1, batchRecordCount(batch))
    const part = messages * 2 < offsets && batch.length >= limits.cutBatchBytesMin
    const payload = part ? (this.#cutter ??= new BatchCutter()).cut(batch, firstDelta, lastDelta) : batch
    writeDeliver(this.#writer, this.number, delivery.partition, baseOffset, firstDelta, lastDelta, delivery.attempt, payload)

    this.#slice.delivered(messages, payload.length)
    this.#events.delivered(this.#held > 0 ? this : undefined)
  }

  passed(_partition: number, next: number): void {
    if (!this.#closed) this.#events.passed(next)
  }

  caughtUp(): void {
    if (!this.#closed) this.#events.caughtUp()
  }

  closed(error: MillraceError): void {
    if (this.#closed) return
    this.#closed = true
    this.#events.closed(this, error)
  }
}
