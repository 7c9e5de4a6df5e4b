import { encodeTable, longValue } from './codec/field-table.ts'
import type { PropertyValues } from './codec/properties.ts'
import { withoutEntries } from './codec/table-view.ts'

/** What the broker says of one delivery, as headers. */
export interface DeliveryHeaders {
  /** How often it was delivered before. */
  readonly deliveryCount?: number
  /** Its place in a stream. */
  readonly streamOffset?: number
}

const names: ReadonlySet<string> = new Set(['x-acquired-count', 'x-delivery-count', 'x-stream-offset'])

/** Whatever the message itself says of them gives way. */
export function withDeliveryHeaders(values: PropertyValues, { deliveryCount, streamOffset }: DeliveryHeaders): PropertyValues {
  const count = deliveryCount === undefined ? undefined : longValue(deliveryCount)
  const added = encodeTable({
    // Since RabbitMQ 4.3 there the first counts each time that a consumer had it, the second those that failed; here each counts.
    'x-acquired-count': count,
    'x-delivery-count': count,
    'x-stream-offset': streamOffset === undefined ? undefined : longValue(streamOffset),
  })
  if (values.headers === undefined) return { ...values, headers: added }
  const kept = withoutEntries(values.headers, names)
  const headers = new Uint8Array(kept.length + added.length)
  headers.set(kept)
  headers.set(added, kept.length)
  return { ...values, headers }
}
