import type { DialectRules } from './dialect.ts'
import { matchAt } from './match-at.ts'
import { INT64_MAX, narrowed } from './numeric.ts'
import { selectorError } from './selector-error.ts'

/** A bigint only where a number would not be exact. 2^63 is there for the sign that may stand before it. */
export type NumberLiteral = number | bigint

const HEXADECIMAL = /0[xX][0-9a-fA-F]+/y
const APPROXIMATE = /(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+/y
const SUFFIX = /[fFdD]/y
const DIGITS = /\d+/y
/** More digits than any integer of 64 bits has in any notation. */
const DIGITS_MAX = 64

/**
 * Reads Java's integer and floating-point literals. F and D make no difference: all approximate numbers are doubles.
 * @throws MillraceError `bad_selector`
 */
export function readNumber(
  text: string,
  at: number,
  rules: DialectRules,
): { readonly value: NumberLiteral; readonly end: number } {
  const hexadecimal = rules.javaNumbers ? matchAt(HEXADECIMAL, text, at) : undefined
  if (hexadecimal !== undefined) return exact(text, at, hexadecimal, hexadecimal)
  const approximate = matchAt(APPROXIMATE, text, at)
  const digits = approximate ?? matchAt(DIGITS, text, at)!
  const end = at + digits.length
  const suffixed = rules.javaNumbers && matchAt(SUFFIX, text, end) !== undefined
  if (approximate !== undefined || suffixed) {
    const value = Number(digits)
    if (!Number.isFinite(value)) throw selectorError(text, at, 'this number is beyond the range of a double')
    return { value, end: suffixed ? end + 1 : end }
  }
  if (digits === '0' || !digits.startsWith('0')) return exact(text, at, digits, digits)
  if (!rules.javaNumbers) throw selectorError(text, at, 'write this number without the leading 0')
  if (/[89]/.test(digits)) throw selectorError(text, at, 'a number with a leading 0 is octal and has digits up to 7')
  return exact(text, at, digits, `0o${digits}`)
}

function exact(
  text: string,
  at: number,
  written: string,
  notation: string,
): { readonly value: NumberLiteral; readonly end: number } {
  const value = written.length > DIGITS_MAX ? undefined : BigInt(notation)
  if (value === undefined || value > INT64_MAX + 1n) throw selectorError(text, at, 'this integer needs more than 64 bits')
  const end = at + written.length
  const suffix = text[end] === 'L' || text[end] === 'l' ? 1 : 0
  return { value: narrowed(value), end: end + suffix }
}
