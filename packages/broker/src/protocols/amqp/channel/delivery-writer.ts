// hot path (packages/broker/test/amqp/throughput.mjs)
import type { RecordCursor } from '@millrace/wire'
import type { Client } from '../client.ts'
import { writeContent, writeDelivery, writeGetOk } from '../codec/deliveries.ts'
import type { DeliveryHeaders } from '../delivery-headers.ts'
import { MessagesOut } from '../message-out.ts'

/** Records of one source as frames. Bodies are views of stored batches, which do not change. */
export class DeliveryWriter {
  readonly #client: Client
  readonly #channel: number
  readonly #queue: string
  readonly #tellsCount: boolean
  readonly #messages = new MessagesOut()

  /** @param queue as clients call it @param tellsCount whether messages say how often they were delivered before, as those of quorum queues do */
  constructor(client: Client, channel: number, queue: string, tellsCount: boolean) {
    this.#client = client
    this.#channel = channel
    this.#queue = queue
    this.#tellsCount = tellsCount
  }

  /** @param consumerTag as a short string @param attempt 1 for the first delivery; 0 from a stream @param streamOffset of a stream */
  deliver(consumerTag: Uint8Array, deliveryTag: number, attempt: number, record: RecordCursor, streamOffset?: number): void {
    const { output, frameBytesMax } = this.#client
    const messages = this.#messages
    const isAgain = attempt > 1
    messages.read(record, this.#queue, streamOffset === undefined ? this.#countOf(attempt) : { streamOffset })
    const { batch, valueAt, valueLength } = record
    // A record without a value is an empty message.
    const length = Math.max(0, valueLength)
    writeDelivery(output, this.#channel, consumerTag, deliveryTag, isAgain, messages, batch, valueAt, length, frameBytesMax)
  }

  /** @param messagesLeft in the queue */
  getOk(deliveryTag: number, attempt: number, messagesLeft: number, record: RecordCursor): void {
    const { output, frameBytesMax } = this.#client
    const messages = this.#messages
    messages.read(record, this.#queue, this.#countOf(attempt))
    const { batch, valueAt, valueLength } = record
    writeGetOk(output, this.#channel, deliveryTag, attempt > 1, messagesLeft, messages)
    writeContent(output, this.#channel, messages.properties, batch, valueAt, Math.max(0, valueLength), frameBytesMax)
  }

  #countOf(attempt: number): DeliveryHeaders | undefined {
    return this.#tellsCount && attempt > 1 ? { deliveryCount: attempt - 1 } : undefined
  }
}
