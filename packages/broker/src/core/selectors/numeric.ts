// hot path
import { unreachable } from '../../base/assert.ts'

/**
 * Arithmetic on exact integers (bigint, or a number that is a safe integer) and approximate numbers (any other number).
 * Integers stay exact while they fit 64 bits; what does not fit goes on as a double and never wraps round.
 */
export type Numeric = number | bigint
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%'

export const INT64_MAX: bigint = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)
const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER)

export function isNumeric(value: unknown): value is Numeric {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** As a number if that is exact. */
export function narrowed(value: bigint): Numeric {
  return value <= SAFE_MAX && value >= -SAFE_MAX ? Number(value) : value
}

/** Compares by value, exactly, also a bigint with a number. */
export function equalNumbers(left: Numeric, right: Numeric): boolean {
  if (typeof left === typeof right) return left === right
  const double = Number(typeof left === 'bigint' ? right : left)
  return Number.isInteger(double) && BigInt(left) === BigInt(right)
}

export function minus(value: Numeric): Numeric {
  return typeof value === 'number' ? -value : fitted(-value)
}

/** undefined where there is no result: division by zero. */
export function calculate(operator: ArithmeticOperator, left: Numeric, right: Numeric): Numeric | undefined {
  if (typeof left === 'number' && typeof right === 'number') {
    const result = onDoubles(operator, left, right)
    if (operator === '/' || Number.isSafeInteger(result) || !isExact(left) || !isExact(right)) return result
  }
  if (!isExact(left) || !isExact(right)) return onDoubles(operator, Number(left), Number(right))
  const [a, b] = [BigInt(left), BigInt(right)]
  switch (operator) {
    case '+':
      return fitted(a + b)
    case '-':
      return fitted(a - b)
    case '*':
      return fitted(a * b)
    case '/':
      if (b === 0n) return undefined
      return a % b === 0n ? fitted(a / b) : Number(a) / Number(b)
    case '%':
      return b === 0n ? undefined : fitted(a % b)
    default:
      return unreachable(operator)
  }
}

function onDoubles(operator: ArithmeticOperator, left: number, right: number): number | undefined {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return right === 0 ? undefined : left / right
    case '%':
      return right === 0 ? undefined : left % right
    default:
      return unreachable(operator)
  }
}

function isExact(value: Numeric): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}

function fitted(value: bigint): Numeric {
  return value <= INT64_MAX && value >= INT64_MIN ? narrowed(value) : Number(value)
}
