import type { MillraceError } from '../../../base/errors.ts'
import type { AmqpConsumer } from '../directory.ts'
import type { Fed, Feeder } from '../feeder.ts'
import type { DeliveryWriter } from './delivery-writer.ts'
import type { Holder } from './holder.ts'
import type { Unacked } from './unacked.ts'

/** Somebody who gets deliveries on a channel. */
export interface ChannelConsumer extends Fed {
  readonly tag: string
  /** As clients call it. */
  readonly queue: string
  /** Kind of resource that it reads. */
  readonly kind: 'queue' | 'topic'
  view(): AmqpConsumer
  /** Takes back credit beyond what the channel has room for. */
  limit(room: number): void
  /** What was written is given to the connection. */
  wrote(): void
  /** It gets nothing more; what it delivered may still be settled. */
  retire(): void
  /** What it delivered and nobody settled goes back. Idempotent. */
  close(): void
}

/** A channel, as its consumers see it. */
export interface ConsumerHost {
  readonly feeder: Feeder
  readonly unacked: Unacked<Holder>
  /** Since when deliveries wait, on the clock of `Unacked`. */
  readonly nowSeconds: number
  /** Bytes in the output. */
  readonly outputBytes: number
  /** False while the client wants no deliveries. */
  readonly isFlowing: boolean
  /** How many more deliveries all consumers of the channel together may have waiting; Infinity without a limit. */
  readonly sharedRoom: number
  counted(messages: number, isAgain: boolean): void
  sharedDelivered(messages: number, by: ChannelConsumer): void
  sharedSettled(messages: number): void
  nextDeliveryTag(): number
  /** What writes records of a queue. @param queue as clients call it @param tellsCount whether they say how often they were delivered before */
  writerFor(queue: string, tellsCount: boolean): DeliveryWriter
  /** It wrote what is to be settled by itself. */
  wroteUnasked(consumer: ChannelConsumer): void
  /** The broker sent it away. */
  ended(consumer: ChannelConsumer, reason: MillraceError): void
  /** After `retire`: nothing that it delivered waits any more. */
  forget(consumer: ChannelConsumer): void
  wake(): void
}

const encoder = new TextEncoder()

/** A text with its length in front, as frames have it. At most 255 bytes. */
export function shortString(text: string): Uint8Array {
  const bytes = encoder.encode(text)
  const framed = new Uint8Array(bytes.length + 1)
  framed[0] = bytes.length
  framed.set(bytes, 1)
  return framed
}

/** Two of them, one behind the other. */
export function shortStrings(first: string, second: string): Uint8Array {
  const [a, b] = [shortString(first), shortString(second)]
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
