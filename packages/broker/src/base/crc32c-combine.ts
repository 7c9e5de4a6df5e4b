// hot path (bench/src/peers/compare-kafka.ts, pipelined)

/** CRC-32C's polynomial, as all here: the highest power of x is the lowest bit. */
const POLYNOMIAL = 0x82f63b78
const ONE = 0x80000000
const X = 0x40000000

/** x to the power of 2^n. Powers repeat after so many. */
const squares: Int32Array = powersOfTwo(32)

let lastBytes = 0
let lastShift: number = ONE

/**
 * The CRC-32C of two byte ranges, one behind the other, from that of each: a checksum of `first` is multiplied by x for each bit that
 * comes after it (G. Castagnoli's code is linear; zlib's `crc32_combine` does the same for CRC-32).
 * @param secondBytes how long the second range is
 */
export function combinedCrc32c(first: number, second: number, secondBytes: number): number {
  if (secondBytes !== lastBytes) {
    lastShift = powerOfX(secondBytes)
    lastBytes = secondBytes
  }
  return (product(lastShift, first) ^ second) >>> 0
}

/** x^(8 * bytes) */
function powerOfX(bytes: number): number {
  let power = ONE
  // Eight bits per byte: three squarings.
  for (let rest = bytes, n = 3; rest > 0; rest = Math.floor(rest / 2), n++) {
    if (rest % 2 === 1) power = product(squares[n % squares.length]!, power)
  }
  return power
}

/** a * b modulo the polynomial. */
function product(a: number, b: number): number {
  let sum = 0
  let term = b
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) sum ^= term
    term = (term & 1) === 0 ? term >>> 1 : (term >>> 1) ^ POLYNOMIAL
  }
  return sum
}

function powersOfTwo(count: number): Int32Array {
  const powers = new Int32Array(count)
  powers[0] = X
  for (let n = 1; n < count; n++) powers[n] = product(powers[n - 1]!, powers[n - 1]!)
  return powers
}
