// hot path (packages/broker/test/kafka/throughput.mjs)
import type { QuotaKind } from '../../core/broker.ts'
import type { Client } from './served-api.ts'

/** Counts what a request moved. @returns milliseconds for which the client is not listened to any more */
export function throttled(client: Client, kind: QuotaKind, bytes: number): number {
  const { broker, principal } = client
  const waitMs = bytes === 0 ? 0 : broker.quotas.charge(principal.user, principal.clientId ?? '', kind, bytes)
  if (waitMs > 0) client.throttle(waitMs)
  return waitMs
}
