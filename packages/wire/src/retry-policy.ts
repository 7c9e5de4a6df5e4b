/**
 * How often, and after which waits, a message is delivered again: of a queue or subscription, or of one message. A message states its
 * own by the header `millrace-retry`, JSON of the shape `RetryPolicy`, in at most RETRY_HEADER_BYTES_MAX bytes.
 */
import { RETRY_HEADER } from './message-properties.ts'
import type { HeaderToWrite } from './record-batch.ts'

export const ATTEMPTS_MAX = 1_000_000
/** A year. */
export const BACKOFF_MS_MAX: number = 365 * 24 * 60 * 60_000
export const BACKOFF_FACTOR_MAX = 100
const RETRY_HEADER_BYTES_MAX = 512

/** `fixed`: always `initialMs`. `exponential`: `initialMs` after the first attempt, then `factor` (2) times more each time, up to `maxMs`. */
export interface Backoff {
  readonly kind: 'fixed' | 'exponential'
  readonly initialMs: number
  readonly maxMs?: number
  readonly factor?: number
  /** Share of the wait that chance may take off, from 0 (default) to 1. */
  readonly jitter?: number
}

/** What is left out is as the queue or subscription says. */
export interface RetryPolicy {
  /** Deliveries before the message goes to the dead letters. */
  readonly maxAttempts?: number
  /** How long it waits when it was nacked without a delay, or its lease ran out. */
  readonly backoff?: Backoff
}

/** @param name as the user knows it, for the message @returns what is wrong with it */
export function retryFault(name: string, retry: unknown): string | undefined {
  if (!isObject(retry)) return `${name} must be an object with maxAttempts, backoff or both, not ${JSON.stringify(retry)}`
  const { maxAttempts, backoff } = retry
  return (
    unknownKey(name, retry, ['maxAttempts', 'backoff']) ??
    (maxAttempts === undefined ? undefined : notWhole(`${name}.maxAttempts`, maxAttempts, ATTEMPTS_MAX)) ??
    (backoff === undefined ? undefined : backoffFault(`${name}.backoff`, backoff))
  )
}

/** As `retryFault`. */
export function backoffFault(name: string, backoff: unknown): string | undefined {
  if (!isObject(backoff)) return `${name} must be an object with kind and initialMs, not ${JSON.stringify(backoff)}`
  const { kind, initialMs, maxMs, factor, jitter } = backoff
  return (
    unknownKey(name, backoff, ['kind', 'initialMs', 'maxMs', 'factor', 'jitter']) ??
    (kind === 'fixed' || kind === 'exponential'
      ? undefined
      : `${name}.kind is "fixed" or "exponential", not ${JSON.stringify(kind)}`) ??
    notWhole(`${name}.initialMs`, initialMs, BACKOFF_MS_MAX) ??
    (maxMs === undefined ? undefined : notWhole(`${name}.maxMs`, maxMs, BACKOFF_MS_MAX)) ??
    (factor === undefined ? undefined : notWithin(`${name}.factor`, factor, 1, BACKOFF_FACTOR_MAX)) ??
    (jitter === undefined ? undefined : notWithin(`${name}.jitter`, jitter, 0, 1))
  )
}

/** @param retry without a fault @returns undefined when it states nothing */
export function retryHeader({ maxAttempts, backoff }: RetryPolicy): HeaderToWrite | undefined {
  if (maxAttempts === undefined && backoff === undefined) return undefined
  return {
    key: RETRY_HEADER,
    value: JSON.stringify({ maxAttempts, backoff: backoff === undefined ? undefined : inOrder(backoff) }),
  }
}

/** @param value of the header. Anybody may write one: what is no policy as a whole is none. */
export function readRetry(value: Uint8Array): RetryPolicy | undefined {
  if (value.length > RETRY_HEADER_BYTES_MAX) return undefined
  let retry: unknown
  try {
    retry = JSON.parse(decoder.decode(value))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
  return retryFault('', retry) === undefined ? (retry as RetryPolicy) : undefined
}

const decoder = new TextDecoder()

/** The same policy is the same text. */
function inOrder({ kind, initialMs, maxMs, factor, jitter }: Backoff): object {
  return { kind, initialMs, maxMs, factor, jitter }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unknownKey(name: string, value: object, known: readonly string[]): string | undefined {
  const key = Object.keys(value).find((each) => !known.includes(each))
  return key === undefined ? undefined : `${name} has no setting ${JSON.stringify(key)}; it has ${known.join(', ')}`
}

function notWhole(name: string, value: unknown, max: number): string | undefined {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max) return undefined
  return `${name} must be a whole number from 1 to ${max}, not ${JSON.stringify(value)}`
}

function notWithin(name: string, value: unknown, min: number, max: number): string | undefined {
  if (typeof value === 'number' && value >= min && value <= max) return undefined
  return `${name} must be a number from ${min} to ${max}, not ${JSON.stringify(value)}`
}
