/**
 * The types of field values as RabbitMQ and its clients use them, which differs from the specification's grammar
 * (https://www.rabbitmq.com/amqp-0-9-1-errata.html). All integers are big-endian.
 *
 *   t bool | b i8 | B u8 | s i16 | u u16 | I i32 | i u32 | l i64 | L i64 | f f32 | d f64 | D scale u8, i32 | T u64 seconds
 *   V nothing | S text, x bytes, A array, F table: u32 length and as many bytes
 */
import { AmqpError } from '../amqp-error.ts'

const LENGTH_BYTES = 4

/** Bytes of a value behind its type octet; LENGTH_PREFIXED and UNKNOWN are below 0. */
const LENGTH_PREFIXED = -1
const UNKNOWN = -2
const widths: Int8Array = new Int8Array(256).fill(UNKNOWN)
for (const [type, width] of Object.entries({
  t: 1,
  b: 1,
  B: 1,
  s: 2,
  u: 2,
  I: 4,
  i: 4,
  l: 8,
  L: 8,
  f: 4,
  d: 8,
  D: 5,
  T: 8,
  V: 0,
}))
  widths[type.charCodeAt(0)] = width
for (const type of 'SxAF') widths[type.charCodeAt(0)] = LENGTH_PREFIXED

export function hasLength(type: number): boolean {
  return widths[type] === LENGTH_PREFIXED
}

/** Where the content of the value begins whose type octet is at `at`. */
export function contentAt(bytes: Uint8Array, at: number): number {
  return hasLength(bytes[at]!) ? at + 1 + LENGTH_BYTES : at + 1
}

/** @param at where its type octet is @returns where the value ends @throws AmqpError `syntax-error` when that is behind `end` */
export function endOfValue(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) throw endsEarly()
  const width = widths[bytes[at]!]!
  if (width === UNKNOWN) throw new AmqpError('syntax-error', `a field of unknown type ${bytes[at]}`)
  const lengthEnd = at + 1 + LENGTH_BYTES
  if (width === LENGTH_PREFIXED && lengthEnd > end) throw endsEarly()
  const valueEnd = width === LENGTH_PREFIXED ? lengthEnd + readUint32(bytes, at + 1) : at + 1 + width
  if (valueEnd > end) throw endsEarly()
  return valueEnd
}

/** @param at where the length octet of a name in a table is @returns where the type octet behind it is */
export function endOfName(bytes: Uint8Array, at: number, end: number): number {
  const nameEnd = at + 1 + bytes[at]!
  if (nameEnd > end) throw endsEarly()
  return nameEnd
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

function endsEarly(): AmqpError {
  return new AmqpError('syntax-error', 'a table ends early')
}
