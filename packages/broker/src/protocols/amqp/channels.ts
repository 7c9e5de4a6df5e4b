// hot path (packages/broker/test/amqp/throughput.mjs)
import { MillraceError } from '../../base/errors.ts'
import type { Ticket } from '../commit-waiters.ts'
import { AmqpError } from './amqp-error.ts'
import { Channel } from './channel/channel.ts'
import type { Client } from './client.ts'
import { FRAME_METHOD, type FrameReader } from './codec/frame-reader.ts'
import { methodCode } from './codec/hot-methods.ts'
import { writeMethod } from './codec/method-codec.ts'
import { Queues } from './definitions/queues.ts'
import { amqpError, withMethod } from './errors.ts'

const CHANNEL_OPEN = 0x14_000a
const BASIC_CLASS = 0x3c

/** The channels of one connection. */
export class Channels {
  readonly #client: Client
  readonly #max: number
  readonly #channels = new Map<number, Channel>()
  /** Those with something to do at the end of the turn. */
  #busy = new Set<Channel>()
  /** Numbers that were closed: what the client sent before it knew is passed over. */
  readonly #gone = new Set<number>()
  #last: Channel | undefined
  #publishedBytes = 0
  #isClosed = false

  constructor(client: Client, max: number) {
    this.#client = client
    this.#max = max
  }

  // ---- frames -----------------------------------------------------------------------------------------------------------

  /** A frame of a channel. @throws AmqpError of the connection */
  frame({ type, channel: number, bytes, at, end }: FrameReader): void {
    const channel = this.#last?.number === number ? this.#last : this.#channels.get(number)
    if (channel === undefined) return this.#withoutChannel(type, number, bytes, at, end)
    this.#last = channel
    this.#busy.add(channel)
    try {
      channel.frame(type, bytes, at, end)
      if (channel.state === 'closed') this.#forget(channel)
    } catch (error) {
      this.#failed(channel, error, type === FRAME_METHOD ? methodCode(bytes, at, end) : PUBLISH)
    }
  }

  /** Whether a frame, while the disk has no room, should wait: one that publishes, or would overtake what waits already. */
  needsRoom({ type, channel: number, bytes, at, end }: FrameReader): boolean {
    if (this.isWaitingForRoom) return true
    return type === FRAME_METHOD && this.#channels.get(number)?.needsRoom(methodCode(bytes, at, end)) === true
  }

  /** Whether something was published that there is no room for. */
  get isWaitingForRoom(): boolean {
    for (const channel of this.#busy) if (channel.publishing.isWaiting) return true
    return false
  }

  #withoutChannel(type: number, number: number, bytes: Uint8Array, at: number, end: number): void {
    const code = type === FRAME_METHOD ? methodCode(bytes, at, end) : 0
    if (code === CHANNEL_OPEN) return this.#open(number)
    // Late acknowledgements and publishes.
    if (this.#gone.has(number) && (type !== FRAME_METHOD || code >>> 16 === BASIC_CLASS)) return
    throw withMethod(new AmqpError('channel-error', `expected 'channel.open'`), code)
  }

  #open(number: number): void {
    if (number > this.#max || this.#channels.size >= this.#max) {
      throw new AmqpError(
        'not-allowed',
        `number of channels opened (${this.#channels.size}) has reached the negotiated channel_max (${this.#max})`,
      )
    }
    this.#checkLimit()
    this.#gone.delete(number)
    this.#channels.set(number, new Channel(this.#client, number))
    writeMethod(this.#client.output, number, 'channel.open-ok', {})
    this.#client.wake()
  }

  /** @throws AmqpError 530 */
  #checkLimit(): void {
    const { door, principal } = this.#client
    try {
      door.administration.userLimits.checkChannel(principal.user)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      throw new AmqpError('not-allowed', error.message)
    }
  }

  /** An error of the channel ends it; one of the connection goes on. */
  #failed(channel: Channel, thrown: unknown, code: number): void {
    const error = withMethod(amqpError(thrown), code)
    // What came before it counts.
    if (this.#applied(channel) && error.scope === 'channel') channel.fail(error)
    else throw error
  }

  #applied(channel: Channel): boolean {
    try {
      channel.endInput()
      return true
    } catch (thrown) {
      const error = amqpError(thrown)
      if (error.scope === 'connection') throw error
      channel.fail(error)
      return true
    }
  }

  // ---- turns --------------------------------------------------------------------------------------------------------------

  /** After a call of `receive`. What one channel says does not keep the others from publishing. @throws AmqpError of the connection */
  endInput(): void {
    let failure: unknown
    for (const channel of this.#busy) {
      try {
        this.#endInputOf(channel)
      } catch (error) {
        failure ??= error
      }
      this.#publishedBytes += channel.publishing.publishedBytes
      channel.publishing.publishedBytes = 0
    }
    if (failure !== undefined) throw failure
  }

  #endInputOf(channel: Channel): void {
    if (channel.state !== 'open' && !channel.publishing.isWaiting) return
    try {
      channel.endInput()
    } catch (error) {
      this.#failed(channel, error, PUBLISH)
    }
  }

  /** Bytes of messages that came in since it was asked. */
  takePublishedBytes(): number {
    const bytes = this.#publishedBytes
    this.#publishedBytes = 0
    return bytes
  }

  /** Tells what became durable. */
  tell(committed: Ticket): void {
    if (this.#busy.size === 0) return
    const busy = this.#busy
    this.#busy = new Set()
    for (const channel of busy) {
      channel.tell(committed)
      if (channel.state === 'closed') this.#forget(channel)
      else if (channel.isBusy) this.#busy.add(channel)
    }
  }

  /** Whether something waits for a commit. */
  get waiting(): boolean {
    for (const channel of this.#busy) if (channel.isWaiting) return true
    return false
  }

  /** Whether a channel has so many answers to come that nothing more should be asked. */
  get isFull(): boolean {
    for (const channel of this.#busy) if (channel.isFull) return true
    return false
  }

  feed(room: number): void {
    this.#client.feeder.feed(room, this.#written)
  }

  readonly #written = (): number => this.#client.output.bytes

  /** What was written is given to the connection. */
  wrote(): void {
    for (const channel of this.#channels.values()) channel.consuming.wrote()
  }

  tick(): void {
    for (const channel of this.#channels.values()) {
      try {
        channel.tick()
      } catch (error) {
        this.#busy.add(channel)
        this.#failed(channel, error, 0)
      }
    }
  }

  reviewAccess(): void {
    for (const channel of this.#channels.values()) channel.consuming.reviewAccess()
  }

  all(): Iterable<Channel> {
    return this.#channels.values()
  }

  // ---- end ----------------------------------------------------------------------------------------------------------------

  /** Nothing more is delivered, and nothing more comes in. */
  stop(): void {
    for (const channel of this.#channels.values()) {
      channel.stop()
      this.#busy.add(channel)
    }
  }

  /** What waits for room is given up. */
  forgetWaiting(): void {
    for (const channel of this.#busy) channel.publishing.forgetWaiting()
  }

  /** All that belonged to the connection goes. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.stop()
    this.forgetWaiting()
    this.#client.feeder.stop()
    new Queues(this.#client).deleteOwned()
  }

  #forget(channel: Channel): void {
    this.#channels.delete(channel.number)
    this.#busy.delete(channel)
    this.#gone.add(channel.number)
    if (this.#last === channel) this.#last = undefined
  }
}

const PUBLISH = 0x3c_0028
