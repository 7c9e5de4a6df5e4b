// hot path (packages/broker/test/kafka/throughput.mjs)
import type { QuotaKind } from '../../core/broker.ts'
import { errors, KafkaError } from './errors.ts'
import { type Answer, type Client, Durable, Lent, type Reply } from './served-api.ts'

/** Counts what a request moved. @returns milliseconds for which the client is not listened to any more */
export function throttled(client: Client, kind: QuotaKind, amount: number): number {
  const { broker, principal } = client
  const waitMs = amount === 0 ? 0 : broker.quotas.charge(principal.user, principal.clientId ?? '', kind, amount)
  if (waitMs > 0) client.throttle(waitMs)
  return waitMs
}

/** Counts the time that a request took. @returns its reply, which tells for how long the client is not listened to, if it is not */
export function metered(client: Client, spentMs: number, reply: Reply<object>): Reply<object> {
  const waitMs = throttled(client, 'requests', spentMs)
  if (waitMs === 0 || reply === undefined || reply === 'close') return reply
  if (reply instanceof Promise) return reply.then((later) => telling(later, waitMs))
  return telling(reply, waitMs)
}

function telling(reply: Answer<object>, waitMs: number): Answer<object> {
  if (reply instanceof Durable) return new Durable(reply.ticket, telling(reply.response, waitMs))
  if (reply instanceof Lent) return new Lent(reply.lease, telling(reply.response, waitMs))
  const { throttleTimeMs = 0 } = reply as { readonly throttleTimeMs?: number }
  return { ...reply, throttleTimeMs: Math.max(throttleTimeMs, waitMs) }
}

/**
 * Counts partitions that come to be or go, of one topic after the other (KIP-599): a client that is ahead of its rate is refused them, if it knows of that,
 * and else made to wait afterwards.
 */
export class PartitionChanges {
  readonly #client: Client
  readonly #isRefused: boolean
  /** For the response. */
  throttleTimeMs = 0

  constructor(client: Client, isRefused: boolean) {
    this.#client = client
    this.#isRefused = isRefused
  }

  /** Before anything is changed. @throws KafkaError THROTTLING_QUOTA_EXCEEDED */
  check(): void {
    const waitMs = this.#isRefused ? this.#charge(0) : 0
    if (waitMs === 0) return
    this.throttleTimeMs = waitMs
    throw new KafkaError(errors.THROTTLING_QUOTA_EXCEEDED, `too many partitions were created or deleted: wait for ${waitMs} ms`)
  }

  /** After it was changed. */
  made(partitions: number): void {
    const waitMs = this.#charge(partitions)
    // Who knows of refusals is refused the next time, and not made to wait now.
    if (this.#isRefused || waitMs === 0) return
    this.throttleTimeMs = waitMs
    this.#client.throttle(waitMs)
  }

  #charge(partitions: number): number {
    const { broker, principal } = this.#client
    return broker.quotas.charge(principal.user, principal.clientId ?? '', 'partitions', partitions)
  }
}
