/** Batches with all that a message can have: keys, ids, numbers to select by, times to live, retry policies. */
import { encodeBatch, RETRY_HEADER, retryHeader, type RetryPolicy } from '@millrace/wire'
import type { VirtualPlatform } from '../../../sim/virtual-platform.ts'

const encoder = new TextEncoder()

export interface NewMessages {
  readonly batch: Uint8Array
  readonly values: readonly string[]
  readonly ids: readonly (string | undefined)[]
  readonly expiresMs: readonly number[]
  /** The header that says it, if there is one. */
  readonly retries: readonly (string | undefined)[]
  /** Its number; those of the others follow. */
  readonly first: number
}

/** @param withIds whether some have message ids and times to live of their own */
export function newMessages(platform: VirtualPlatform, first: number, count: number, withIds: boolean): NewMessages {
  const nowMs = platform.clock.nowMs()
  const numbers = Array.from({ length: count }, (_, n) => first + n)
  const ids = numbers.map(() => (withIds && platform.below(2) === 0 ? `id${platform.below(20)}` : undefined))
  const expiresMs = numbers.map(() => (withIds && platform.below(8) === 0 ? nowMs + 1 + platform.below(4000) : Infinity))
  const retries = numbers.map(() => retryHeader(anyPolicy(platform))?.value as string | undefined)
  const batch = encodeBatch(
    numbers.map((number, n) => {
      const headers = [textHeader('n', number)]
      if (ids[n] !== undefined) headers.push(textHeader('message-id', ids[n]))
      if (expiresMs[n]! < Infinity) headers.push(textHeader('expires-at', expiresMs[n]!))
      if (retries[n] !== undefined) headers.push(textHeader(RETRY_HEADER, retries[n]))
      const key = platform.below(3) === 0 ? null : encoder.encode(`k${platform.below(4)}`)
      return { timestampMs: nowMs, key, value: encoder.encode(`m${number}`), headers }
    }),
  )
  return { batch, values: numbers.map((number) => `m${number}`), ids, expiresMs, retries, first }
}

function anyPolicy(platform: VirtualPlatform): RetryPolicy {
  const dice = platform.below(12)
  return {
    ...(dice < 2 ? { maxAttempts: 1 + platform.below(4) } : {}),
    ...(dice === 1 || dice === 2
      ? { backoff: { kind: 'exponential', initialMs: 1 + platform.below(800), jitter: 0.5, maxMs: 2000 } }
      : {}),
  }
}

function textHeader(key: string, value: string | number): { readonly key: string; readonly value: Uint8Array } {
  return { key, value: encoder.encode(String(value)) }
}
