import { expect, test } from 'vitest'
import { AmqpBroker } from '../../../test/amqp/amqp-peer.ts'
import { decodeTable, type FieldTable, longValue } from './codec/field-table.ts'
import { Properties, PROPERTY } from './codec/properties.ts'

const declaration = { queue: 'q', passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false }
const consumption = { queue: 'q', noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }

test.each([
  ['quorum', [undefined, 1, 2]],
  ['classic', [undefined, undefined, undefined]],
])('redeliveries of a %s queue tell how often they came before: %j', async (type, counts) => {
  const broker = await AmqpBroker.open()
  const peer = await broker.opened()
  await peer.call(1, 'queue.declare', { ...declaration, arguments: { 'x-queue-type': type } })
  peer.publish(1, '', 'q', 'a')
  await peer.call(1, 'basic.consume', { ...consumption, consumerTag: 't' })
  const told: unknown[] = []
  for (let tag = 1; tag <= counts.length; tag++) {
    expect(peer.take('basic.deliver')).toMatchObject({ deliveryTag: tag, redelivered: tag > 1 })
    const headers = headersOf(peer.take('header')['properties'] as Uint8Array)
    told.push(headers?.get('x-delivery-count'))
    expect(headers?.get('x-acquired-count')).toEqual(headers?.get('x-delivery-count'))
    peer.take('body')
    peer.send(1, 'basic.nack', { deliveryTag: tag, multiple: false, requeue: true })
    await peer.settle()
  }
  expect(told).toEqual(counts.map((count) => (count === undefined ? undefined : longValue(count))))
})

function headersOf(bytes: Uint8Array): FieldTable | undefined {
  const properties = new Properties()
  properties.read(bytes, 0, bytes.length)
  if (!properties.has(PROPERTY.headers)) return undefined
  return decodeTable(bytes, properties.at(PROPERTY.headers), properties.end(PROPERTY.headers))
}
