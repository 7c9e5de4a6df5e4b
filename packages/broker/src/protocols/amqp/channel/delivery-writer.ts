// hot path (packages/broker/test/amqp/throughput.mjs)
import type { RecordCursor } from '@millrace/wire'
import type { Client } from '../client.ts'
import { writeContent, writeDelivery, writeGetOk } from '../codec/deliveries.ts'
import { MessagesOut } from '../message-out.ts'

/** Records of one source as frames. Bodies are views of stored batches, which do not change. */
export class DeliveryWriter {
  readonly #client: Client
  readonly #channel: number
  readonly #queue: string
  readonly #messages = new MessagesOut()

  /** @param queue as clients call it */
  constructor(client: Client, channel: number, queue: string) {
    this.#client = client
    this.#channel = channel
    this.#queue = queue
  }

  /** @param consumerTag as a short string @param streamOffset of a stream */
  deliver(consumerTag: Uint8Array, deliveryTag: number, isAgain: boolean, record: RecordCursor, streamOffset?: number): void {
    const { output, frameBytesMax } = this.#client
    const messages = this.#messages
    messages.read(record, this.#queue, streamOffset === undefined ? undefined : { streamOffset })
    const { batch, valueAt, valueLength } = record
    // A record without a value is an empty message.
    const length = Math.max(0, valueLength)
    writeDelivery(output, this.#channel, consumerTag, deliveryTag, isAgain, messages, batch, valueAt, length, frameBytesMax)
  }

  /** @param messagesLeft in the queue */
  getOk(deliveryTag: number, isAgain: boolean, messagesLeft: number, record: RecordCursor): void {
    const { output, frameBytesMax } = this.#client
    const messages = this.#messages
    messages.read(record, this.#queue)
    const { batch, valueAt, valueLength } = record
    writeGetOk(output, this.#channel, deliveryTag, isAgain, messagesLeft, messages)
    writeContent(output, this.#channel, messages.properties, batch, valueAt, Math.max(0, valueLength), frameBytesMax)
  }
}
