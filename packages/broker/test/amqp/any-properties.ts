import fc from 'fast-check'
import { encodeTable } from '../../src/protocols/amqp/codec/field-table.ts'
import type { PropertyValues } from '../../src/protocols/amqp/codec/properties.ts'
import { anyTable, anyText } from './any-method.ts'

const octet = fc.nat({ max: 255 })
const text = anyText(255)

/** Of all kinds; the expiration is any text. */
export const anyProperties: fc.Arbitrary<PropertyValues> = fc.record(
  {
    contentType: text,
    contentEncoding: text,
    headers: anyTable.map((table) => encodeTable(table)),
    deliveryMode: octet,
    priority: octet,
    correlationId: text,
    replyTo: text,
    expiration: text,
    messageId: text,
    timestamp: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    type: text,
    userId: text,
    appId: text,
    clusterId: text,
  },
  { requiredKeys: [] },
)
