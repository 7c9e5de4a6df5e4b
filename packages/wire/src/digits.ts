/** Whole numbers in decimal digits, as headers have them. */
// hot path (packages/broker/test/amqp/codec-throughput.mjs)

const ZERO = 48
const LOW_DIGITS = 7
const LOW = 10 ** LOW_DIGITS

/** How many digits a number has. @param value 0 to 2^53 - 1 */
export function digitCount(value: number): number {
  let count = 1
  let limit = 10
  for (; value >= limit; limit *= 10) count++
  return count
}

/** @param value 0 to 2^53 - 1 @param count its `digitCount` @returns where they end */
export function writeDigits(bytes: Uint8Array, at: number, value: number, count: number): number {
  let low = value
  let end = at + count
  if (count > LOW_DIGITS) {
    // Both parts are small integers, which divide fast.
    const high = Math.floor(value / LOW)
    low = value - high * LOW
    for (const start = end - LOW_DIGITS; end > start; low = (low / 10) | 0) bytes[--end] = ZERO + (low % 10)
    low = high
  }
  for (; end > at; low = (low / 10) | 0) bytes[--end] = ZERO + (low % 10)
  return at + count
}

/** @returns NaN for what is no number in decimal digits */
export function readDigits(bytes: Uint8Array, at: number, end: number): number {
  let value = end > at ? 0 : Number.NaN
  for (let n = at; n < end; n++) {
    const digit = bytes[n]! - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}
