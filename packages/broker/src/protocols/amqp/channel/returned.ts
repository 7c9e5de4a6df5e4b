import { replyCodes } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import { writeContent, writeReturn } from '../codec/deliveries.ts'
import { shortStrings } from './channel-consumer.ts'

/** A mandatory message that nothing took goes back to its publisher. */
export function writeReturned(
  { output, frameBytesMax }: Client,
  channel: number,
  exchange: string,
  routingKey: string,
  properties: Uint8Array,
  bytes: Uint8Array,
  at: number,
  length: number,
): void {
  // The body is in the buffer of the connection, and large ones are passed on as they are.
  const body = bytes.slice(at, at + length)
  writeReturn(output, channel, replyCodes['no-route'].code, 'NO_ROUTE', shortStrings(exchange, routingKey))
  writeContent(output, channel, properties, body, 0, length, frameBytesMax)
}
