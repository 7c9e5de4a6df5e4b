import type { Client } from '../client.ts'
import { writeDelivery } from '../codec/deliveries.ts'
import { limits } from '../limits.ts'
import { shortString, shortStrings } from './channel-consumer.ts'

/** A message as it came in: to be given on without a queue. */
export interface PassedMessage {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: Uint8Array
  readonly body: Uint8Array
}

/** Who waits for direct replies on a channel. Replies go from connection to connection, and are kept nowhere. */
export class ReplyConsumer {
  readonly tag: string
  /** What stands behind `amq.rabbitmq.reply-to.` in its address. */
  readonly token: string
  readonly #client: Client
  readonly #channel: number
  readonly #tagBytes: Uint8Array
  readonly #nextTag: () => number

  constructor(client: Client, channel: number, tag: string, token: string, nextTag: () => number) {
    this.#client = client
    this.#channel = channel
    this.tag = tag
    this.token = token
    this.#tagBytes = shortString(tag)
    this.#nextTag = nextTag
  }

  /** @returns false when the client does not read, and the reply is lost */
  deliver({ exchange, routingKey, properties, body }: PassedMessage): boolean {
    const client = this.#client
    if (client.backlogBytes > limits.replyBacklogBytesMax) return false
    const address = shortStrings(exchange, routingKey)
    // It belongs to the other connection, whose buffer it is in.
    const copy = body.slice()
    const message = { address, properties }
    writeDelivery(
      client.output,
      this.#channel,
      this.#tagBytes,
      this.#nextTag(),
      false,
      message,
      copy,
      0,
      copy.length,
      client.frameBytesMax,
    )
    client.wake()
    return true
  }
}
