import { replyCodes } from '../amqp-error.ts'
import type { Client } from '../client.ts'
import { writeContent, writeReturn } from '../codec/deliveries.ts'
import { shortStrings } from './channel-consumer.ts'

/** A mandatory message that nothing took. */
export interface Returned {
  readonly exchange: string
  readonly routingKey: string
  /** Flags and properties, as they came. */
  readonly properties: Uint8Array
  readonly body: Uint8Array
}

/** It goes back to its publisher. */
export function writeReturned(
  { output, frameBytesMax }: Client,
  channel: number,
  { exchange, routingKey, properties, body }: Returned,
): void {
  writeReturn(output, channel, replyCodes['no-route'].code, 'NO_ROUTE', shortStrings(exchange, routingKey))
  writeContent(output, channel, properties, body, 0, body.length, frameBytesMax)
}
