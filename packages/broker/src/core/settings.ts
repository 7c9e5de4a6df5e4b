/** Checks of single settings. All throw MillraceError `bad_request`. */
import { MillraceError } from '../base/errors.ts'

/** A whole number from 1 to `max`. */
export function positive(what: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  throw new MillraceError('bad_request', `${what} must be a whole number from 1 to ${max}, not ${JSON.stringify(value)}`)
}

/** A whole number from 0 to `max`. */
export function count(what: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new MillraceError('bad_request', `${what} must be a whole number from 0 to ${max}, not ${JSON.stringify(value)}`)
}

/** Any number from `min` to `max`. */
export function within(what: string, value: number, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value
  throw new MillraceError('bad_request', `${what} must be a number from ${min} to ${max}, not ${JSON.stringify(value)}`)
}

export function oneOf<T>(what: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  const names = allowed.map((each) => JSON.stringify(each)).join(' or ')
  throw new MillraceError('bad_request', `${what} is ${names}, not ${JSON.stringify(value)}`)
}

export function checkKeys(what: string, value: object, known: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key))
      throw new MillraceError('bad_request', `${what} has no setting ${JSON.stringify(key)}; it has ${known.join(', ')}`)
  }
}
