// hot path (packages/broker/test/amqp/codec-throughput.mjs)
/**
 * `basic.publish`, `basic.ack`, `basic.nack` and `basic.reject` without an object per message; `hot-methods.test.ts` proves that they
 * agree with the table. A reader object is filled again and again by `read`.
 */
import { AmqpError } from '../amqp-error.ts'
import { readText } from './argument-reader.ts'
import { readUint32 } from './field-types.ts'
import { FRAME_END, FRAME_METHOD } from './frame-reader.ts'
import type { Output } from './output.ts'

/** Class and method as the four bytes that a method frame begins with. */
export const BASIC_PUBLISH = 0x3c_0028
export const BASIC_ACK = 0x3c_0050
export const BASIC_REJECT = 0x3c_005a
export const BASIC_NACK = 0x3c_0078

/** Class and method of a payload; 0 for one that is too short to have them. */
export function methodCode(bytes: Uint8Array, at: number, end: number): number {
  return end - at < 4 ? 0 : readUint32(bytes, at)
}

const ROUTE_BYTES_MAX = 512
/** Class, method and the reserved short. */
const ROUTE_AT = 6

export class PublishMethod {
  exchange = ''
  routingKey = ''
  mandatory = false
  immediate = false
  /** The two as they were on the wire: their texts are made when these change. */
  readonly #route = new Uint8Array(ROUTE_BYTES_MAX)
  #routeBytes = 0

  /** @returns whether exchange and routing key are those of the message before @throws AmqpError `syntax-error` */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    const routeAt = at + ROUTE_AT
    const length = end - 1 - routeAt
    if (length > 1 && length === this.#routeBytes && isSame(bytes, routeAt, this.#route, length)) {
      this.#readBits(bytes[end - 1]!)
      return true
    }
    this.#readRoute(bytes, routeAt, end)
    return false
  }

  #readRoute(bytes: Uint8Array, at: number, end: number): void {
    this.#routeBytes = 0
    const exchangeEnd = at < end ? at + 1 + bytes[at]! : end
    const keyEnd = exchangeEnd < end ? exchangeEnd + 1 + bytes[exchangeEnd]! : end
    if (keyEnd + 1 !== end) throw publishError(keyEnd < end ? 'bytes are left over behind' : 'arguments end early in')
    this.exchange = readRouteText(bytes, at + 1, exchangeEnd)
    this.routingKey = readRouteText(bytes, exchangeEnd + 1, keyEnd)
    this.#readBits(bytes[keyEnd]!)
    this.#route.set(bytes.subarray(at, keyEnd))
    this.#routeBytes = keyEnd - at
  }

  #readBits(bits: number): void {
    this.mandatory = (bits & 1) !== 0
    this.immediate = (bits & 2) !== 0
  }
}

function readRouteText(bytes: Uint8Array, at: number, end: number): string {
  try {
    return readText(bytes, at, end)
  } catch (error) {
    throw error instanceof AmqpError ? publishError(`${error.message} in`) : error
  }
}

function publishError(what: string): AmqpError {
  const error = new AmqpError('syntax-error', `${what} basic.publish`)
  error.classId = BASIC_PUBLISH >>> 16
  error.methodId = BASIC_PUBLISH & 0xffff
  return error
}

/** Whether `length` bytes at `at` are those that `other` begins with. */
export function isSame(bytes: Uint8Array, at: number, other: Uint8Array, length: number): boolean {
  for (let n = 0; n < length; n++) if (bytes[at + n] !== other[n]) return false
  return true
}

// ---- settling -------------------------------------------------------------------------------------------------------

const SETTLE_BYTES = 13

export class SettleMethod {
  /** BASIC_ACK, BASIC_NACK or BASIC_REJECT. */
  code = 0
  deliveryTag = 0
  /** Everything up to the tag; with tag 0 everything. */
  multiple = false
  requeue = false

  /** @param code `methodCode`, one of the three @throws AmqpError `syntax-error` */
  read(code: number, bytes: Uint8Array, at: number, end: number): void {
    if (end - at !== SETTLE_BYTES) throw settleError(code, end - at)
    const bits = bytes[at + 12]!
    this.code = code
    this.deliveryTag = readUint32(bytes, at + 4) * 4_294_967_296 + readUint32(bytes, at + 8)
    this.multiple = code !== BASIC_REJECT && (bits & 1) !== 0
    this.requeue = code === BASIC_REJECT ? (bits & 1) !== 0 : code === BASIC_NACK && (bits & 2) !== 0
  }
}

function settleError(code: number, length: number): AmqpError {
  const error = new AmqpError('syntax-error', `a delivery is settled in ${length} bytes instead of ${SETTLE_BYTES}`)
  error.classId = code >>> 16
  error.methodId = code & 0xffff
  return error
}

export function writeAck(output: Output, channel: number, deliveryTag: number, multiple: boolean): void {
  writeSettle(output, channel, BASIC_ACK, deliveryTag, multiple ? 1 : 0)
}

export function writeNack(output: Output, channel: number, deliveryTag: number, multiple: boolean, requeue: boolean): void {
  writeSettle(output, channel, BASIC_NACK, deliveryTag, (multiple ? 1 : 0) | (requeue ? 2 : 0))
}

export function writeReject(output: Output, channel: number, deliveryTag: number, requeue: boolean): void {
  writeSettle(output, channel, BASIC_REJECT, deliveryTag, requeue ? 1 : 0)
}

function writeSettle(output: Output, channel: number, code: number, deliveryTag: number, bits: number): void {
  output.reserve(21)
  const { slab } = output
  let { at } = output
  at = writeFrameStart(slab, at, FRAME_METHOD, channel, SETTLE_BYTES)
  at = writeUint32(slab, at, code)
  at = writeUint32(slab, at, Math.floor(deliveryTag / 4_294_967_296))
  at = writeUint32(slab, at, deliveryTag >>> 0)
  slab[at++] = bits
  slab[at++] = FRAME_END
  output.at = at
  output.sealFrame()
}

// ---- pieces ---------------------------------------------------------------------------------------------------------

/** @returns where the payload begins */
export function writeFrameStart(bytes: Uint8Array, at: number, type: number, channel: number, size: number): number {
  bytes[at] = type
  bytes[at + 1] = channel >>> 8
  bytes[at + 2] = channel
  return writeUint32(bytes, at + 3, size)
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
  return at + 4
}
