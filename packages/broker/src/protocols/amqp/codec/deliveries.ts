// hot path (packages/broker/test/amqp/codec-throughput.mjs)
/** A message on its way to a consumer: `basic.deliver`, content header and body frames, from parts that are encoded already. */
import { FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD, FRAME_OVERHEAD_BYTES } from './frame-reader.ts'
import { writeFrameStart, writeUint32 } from './hot-methods.ts'
import { type Output, PASS_THROUGH_BYTES_MIN } from './output.ts'
import { CONTENT_CLASS, PROPERTIES_AT } from './properties.ts'

const BASIC_DELIVER = 0x3c_003c
const BASIC_RETURN = 0x3c_0032
const BASIC_GET_OK = 0x3c_0047
/** Below this a loop is faster than the call of set(). */
const SHORT_BYTES = 32

/** What is said of the message, as on the wire. */
export interface EncodedMessage {
  /** Exchange and routing key, as short strings. */
  readonly address: Uint8Array
  /** Property flags and properties. */
  readonly properties: Uint8Array
}

/**
 * Writes a delivery. A large body is passed on as a view: then its bytes must not change any more.
 * @param consumerTag as a short string, with its length
 * @param at where in `bytes` the body is
 */
export function writeDelivery(
  output: Output,
  channel: number,
  consumerTag: Uint8Array,
  deliveryTag: number,
  redelivered: boolean,
  message: EncodedMessage,
  bytes: Uint8Array,
  at: number,
  length: number,
  frameBytesMax: number,
): void {
  const { address } = message
  const size = 4 + consumerTag.length + 9 + address.length
  output.reserve(size + FRAME_OVERHEAD_BYTES)
  const { slab } = output
  let to = writeFrameStart(slab, output.at, FRAME_METHOD, channel, size)
  to = writeUint32(slab, to, BASIC_DELIVER)
  to = copy(slab, to, consumerTag, 0, consumerTag.length)
  to = writeUint32(slab, to, Math.floor(deliveryTag / 4_294_967_296))
  to = writeUint32(slab, to, deliveryTag >>> 0)
  slab[to++] = redelivered ? 1 : 0
  to = copy(slab, to, address, 0, address.length)
  slab[to++] = FRAME_END
  output.at = to
  output.sealFrame()
  writeContent(output, channel, message.properties, bytes, at, length, frameBytesMax)
}

/** The answer to `basic.get`. @param messageCount how many are left */
export function writeGetOk(
  output: Output,
  channel: number,
  deliveryTag: number,
  redelivered: boolean,
  messageCount: number,
  { address }: EncodedMessage,
): void {
  output.beginMethod(channel, BASIC_GET_OK >>> 16, BASIC_GET_OK & 0xffff)
  output.u64(deliveryTag)
  output.u8(redelivered ? 1 : 0)
  output.copy(address)
  output.u32(messageCount)
  output.end()
}

/** A message that goes back to its publisher. `writeContent` follows. */
export function writeReturn(output: Output, channel: number, replyCode: number, replyText: string, address: Uint8Array): void {
  output.beginMethod(channel, BASIC_RETURN >>> 16, BASIC_RETURN & 0xffff)
  output.u16(replyCode)
  output.shortString(replyText)
  output.copy(address)
  output.end()
}

/** Content header and body frames. A body of 0 bytes has no frame. */
export function writeContent(
  output: Output,
  channel: number,
  properties: Uint8Array,
  bytes: Uint8Array,
  at: number,
  length: number,
  frameBytesMax: number,
): void {
  const size = PROPERTIES_AT + properties.length
  const inOne = length > 0 && length < PASS_THROUGH_BYTES_MIN && length <= frameBytesMax - FRAME_OVERHEAD_BYTES
  output.reserve(size + FRAME_OVERHEAD_BYTES + (inOne ? length + FRAME_OVERHEAD_BYTES : 0))
  const { slab } = output
  let to = writeFrameStart(slab, output.at, FRAME_HEADER, channel, size)
  to = writeUint32(slab, to, CONTENT_CLASS << 16)
  to = writeUint32(slab, to, Math.floor(length / 4_294_967_296))
  to = writeUint32(slab, to, length)
  to = copy(slab, to, properties, 0, properties.length)
  slab[to++] = FRAME_END
  if (inOne) {
    to = writeFrameStart(slab, to, FRAME_BODY, channel, length)
    to = copy(slab, to, bytes, at, length)
    slab[to++] = FRAME_END
  }
  output.at = to
  output.sealFrame()
  if (!inOne && length > 0) output.body(channel, bytes, at, length, frameBytesMax)
}

function copy(to: Uint8Array, toAt: number, bytes: Uint8Array, at: number, length: number): number {
  if (length < SHORT_BYTES) for (let n = 0; n < length; n++) to[toAt + n] = bytes[at + n]!
  else to.set(length === bytes.length ? bytes : bytes.subarray(at, at + length), toAt)
  return toAt + length
}
