// hot path (packages/broker/test/amqp/codec-throughput.mjs)
import { AmqpError } from '../amqp-error.ts'
import { limits } from '../limits.ts'

export const FRAME_METHOD = 1
export const FRAME_HEADER = 2
export const FRAME_BODY = 3
export const FRAME_HEARTBEAT = 8
export const FRAME_END = 0xce
/** Type, channel, size; and the end octet behind the payload. */
export const FRAME_HEADER_BYTES = 7
export const FRAME_OVERHEAD_BYTES = 8

/** What a client opens the connection with. */
export type Greeting = '0-9-1' | '1.0' | '1.0-sasl' | '1.0-tls' | 'http' | 'tls' | 'unknown'

const GREETING_BYTES = 8
const EMPTY: Uint8Array = new Uint8Array(0)

/**
 * Cuts a byte stream into frames. A frame that lies whole in a chunk is shown in place; one that spans chunks is gathered in a
 * buffer that is used again, after its size was checked. So the bytes of a frame are borrowed until the following `next()`.
 *
 *     reader.feed(chunk)
 *     while (reader.next()) handle(reader.type, reader.channel, reader.bytes, reader.at, reader.end)
 */
export class FrameReader {
  type = 0
  channel = 0
  /** What holds the payload of the current frame; where it begins, and one past its last byte. */
  bytes: Uint8Array = EMPTY
  at = 0
  end = 0
  /** Largest payload that is taken. As RabbitMQ counts: `frame-max` itself, though that is meant to hold the whole frame. */
  payloadBytesMax: number = limits.frameBytesBeforeLogin

  #chunk: Uint8Array = EMPTY
  #next = 0
  /** Of a frame, or greeting, that spans chunks: what came so far. */
  readonly #start = new Uint8Array(FRAME_OVERHEAD_BYTES)
  #startBytes = 0
  /** Payload and end octet of a frame that spans chunks. */
  #gathered: Uint8Array | undefined
  #gatheredBytes = 0
  #kept: Uint8Array = EMPTY

  /** Gives the next piece of the stream. The one before must be used up: `next()` or `greeting()` came to its end. */
  feed(chunk: Uint8Array): void {
    // Views of a plain Uint8Array are cheaper to make than those of its subclasses (Buffer).
    this.#chunk = chunk.constructor === Uint8Array ? chunk : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
    this.#next = 0
  }

  /** The first thing in a stream: what the client wants to speak, or undefined until that is certain. Then come frames. */
  greeting(): Greeting | undefined {
    while (this.#startBytes < GREETING_BYTES && this.#next < this.#chunk.length) {
      this.#start[this.#startBytes++] = this.#chunk[this.#next++]!
    }
    const greeting = recognize(this.#start.subarray(0, this.#startBytes))
    if (greeting !== undefined) this.#startBytes = 0
    else this.#forgetChunk()
    return greeting
  }

  /** Moves to the next whole frame. @throws AmqpError of the connection */
  next(): boolean {
    if (this.#gathered !== undefined) return this.#gather()
    if (this.#startBytes > 0) return this.#spanningStart()
    const chunk = this.#chunk
    const at = this.#next
    const payloadAt = at + FRAME_HEADER_BYTES
    if (payloadAt > chunk.length) {
      for (let n = at; n < chunk.length; n++) this.#start[this.#startBytes++] = chunk[n]!
      this.#forgetChunk()
      return false
    }
    const size = this.#readStart(chunk, at)
    const end = payloadAt + size
    if (end >= chunk.length) {
      this.#next = payloadAt
      this.#startGathering(size)
      return this.#gather()
    }
    if (chunk[end] !== FRAME_END) throw badEnd(chunk[end]!)
    this.bytes = chunk
    this.at = payloadAt
    this.end = end
    this.#next = end + 1
    return true
  }

  /** Takes back the current frame and all that follows it: a copy of the bytes, as they came, of which nothing counts as read. */
  unread(): Uint8Array {
    const { bytes, at, end } = this
    const size = end - at
    const rest = this.#chunk.subarray(this.#next)
    const copy = new Uint8Array(FRAME_OVERHEAD_BYTES + size + rest.length)
    const view = new DataView(copy.buffer)
    view.setUint8(0, this.type)
    view.setUint16(1, this.channel)
    view.setUint32(3, size)
    copy.set(bytes.subarray(at, end), FRAME_HEADER_BYTES)
    copy[FRAME_HEADER_BYTES + size] = FRAME_END
    copy.set(rest, FRAME_OVERHEAD_BYTES + size)
    this.#forgetChunk()
    return copy
  }

  /** Whether a frame has begun and is not complete. */
  get midFrame(): boolean {
    return this.#gathered !== undefined || this.#startBytes > 0
  }

  /** @returns the size of the payload */
  #readStart(bytes: Uint8Array, at: number): number {
    const type = bytes[at]!
    const channel = (bytes[at + 1]! << 8) | bytes[at + 2]!
    const size = ((bytes[at + 3]! << 24) | (bytes[at + 4]! << 16) | (bytes[at + 5]! << 8) | bytes[at + 6]!) >>> 0
    if (type !== FRAME_METHOD && type !== FRAME_HEADER && type !== FRAME_BODY) checkHeartbeat(type, channel, size)
    if (size > this.payloadBytesMax) {
      throw new AmqpError('frame-error', `a frame with a payload of ${size} bytes, and ${this.payloadBytesMax} are allowed`)
    }
    this.type = type
    this.channel = channel
    return size
  }

  #spanningStart(): boolean {
    while (this.#startBytes < FRAME_HEADER_BYTES && this.#next < this.#chunk.length) {
      this.#start[this.#startBytes++] = this.#chunk[this.#next++]!
    }
    if (this.#startBytes < FRAME_HEADER_BYTES) {
      this.#forgetChunk()
      return false
    }
    this.#startBytes = 0
    this.#startGathering(this.#readStart(this.#start, 0))
    return this.#gather()
  }

  #startGathering(size: number): void {
    const length = size + 1
    this.#gatheredBytes = 0
    if (length > limits.keptFrameBytesMax) {
      this.#gathered = new Uint8Array(length)
      return
    }
    if (this.#kept.length < length) {
      this.#kept = new Uint8Array(Math.max(length, Math.min(2 * this.#kept.length, limits.keptFrameBytesMax)))
    }
    this.#gathered = this.#kept.subarray(0, length)
  }

  #gather(): boolean {
    const gathered = this.#gathered!
    const take = Math.min(gathered.length - this.#gatheredBytes, this.#chunk.length - this.#next)
    gathered.set(this.#chunk.subarray(this.#next, this.#next + take), this.#gatheredBytes)
    this.#gatheredBytes += take
    this.#next += take
    if (this.#gatheredBytes < gathered.length) {
      this.#forgetChunk()
      return false
    }
    const end = gathered.length - 1
    if (gathered[end] !== FRAME_END) throw badEnd(gathered[end]!)
    this.#gathered = undefined
    this.bytes = gathered
    this.at = 0
    this.end = end
    return true
  }

  /** An idle connection must not keep the last chunk alive. */
  #forgetChunk(): void {
    this.#chunk = this.bytes = EMPTY
    this.#next = this.at = this.end = 0
  }
}

function checkHeartbeat(type: number, channel: number, size: number): void {
  if (type !== FRAME_HEARTBEAT) throw new AmqpError('frame-error', `a frame of unknown type ${type}`)
  if (channel !== 0) throw new AmqpError('unexpected-frame', `a heartbeat on channel ${channel}; heartbeats belong to channel 0`)
  if (size !== 0) throw new AmqpError('frame-error', `a heartbeat with a payload of ${size} bytes`)
}

function badEnd(octet: number): AmqpError {
  return new AmqpError('frame-error', `a frame ends with octet ${octet} instead of ${FRAME_END}`)
}

// ---- greeting -------------------------------------------------------------------------------------------------------

const AMQP: readonly number[] = [0x41, 0x4d, 0x51, 0x50]
/** What follows `AMQP`. The second is how clients of 0-9 say it, who speak the same. */
const versions: readonly (readonly [Greeting, readonly number[]])[] = [
  ['0-9-1', [0, 0, 9, 1]],
  ['0-9-1', [1, 1, 0, 9]],
  ['1.0', [0, 1, 0, 0]],
  ['1.0-tls', [2, 1, 0, 0]],
  ['1.0-sasl', [3, 1, 0, 0]],
]
const httpMethods: readonly string[] = ['GET ', 'HEAD', 'POST', 'PUT ', 'DELE', 'OPTI', 'PATC', 'CONN', 'TRAC', 'PRI ']
const TLS_HANDSHAKE = 0x16

/** @param start up to eight bytes @returns undefined while more are needed */
function recognize(start: Uint8Array): Greeting | undefined {
  if (start.length === 0) return undefined
  if (start[0] === TLS_HANDSHAKE) return 'tls'
  if (AMQP.every((octet, n) => n >= start.length || start[n] === octet)) {
    if (start.length < GREETING_BYTES) return undefined
    return versions.find(([, octets]) => octets.every((octet, n) => start[4 + n] === octet))?.[0] ?? 'unknown'
  }
  const text = String.fromCharCode(...start.subarray(0, 4))
  const isHttp = httpMethods.some((method) => method.startsWith(text))
  if (!isHttp) return 'unknown'
  return text.length === 4 ? 'http' : undefined
}
