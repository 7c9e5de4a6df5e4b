// hot path
import { INT64_MAX, narrowed, type Numeric } from './numeric.ts'
import type { ValueKind } from './selector-message.ts'

/** Any double and any integer of 64 bits can be written within this. */
const NUMBER_CHARACTERS_MAX = 64
/** So many digits make a safe integer whatever they are. */
const SAFE_DIGITS = 15
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const INTEGER = /^[+-]?\d+$/

/** A text without a type as what the selector wants: the number or boolean that it says, if it says one; else the text. */
export function textAs(text: string, wanted: ValueKind): string | Numeric | boolean {
  if (wanted === 'number') return numberIn(text) ?? text
  if (wanted === 'boolean') return booleanIn(text) ?? text
  return text
}

/** A decimal number with nothing around it. Beyond 2^53 integers of 64 bits are bigints, so that they stay exact. */
export function numberIn(text: string): Numeric | undefined {
  const length = text.length
  if (length === 0 || length > NUMBER_CHARACTERS_MAX) return undefined
  if (length <= SAFE_DIGITS) {
    let value = 0
    let at = 0
    for (; at < length; at++) {
      const digit = text.charCodeAt(at) - 48
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    if (at === length) return value
  }
  if (!NUMBER.test(text)) return undefined
  const value = Number(text)
  if (!Number.isFinite(value)) return undefined
  if (Number.isSafeInteger(value) || !INTEGER.test(text)) return value
  const exact = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return exact <= INT64_MAX && exact >= -INT64_MAX - 1n ? narrowed(exact) : value
}

/** `true` and `false` in any letter case. */
function booleanIn(text: string): boolean | undefined {
  if (text.length !== 4 && text.length !== 5) return undefined
  const lower = text.toLowerCase()
  if (lower === 'true') return true
  return lower === 'false' ? false : undefined
}
