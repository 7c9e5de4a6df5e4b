import { expect, test } from 'vitest'
import { destinationAddress, parseTopicAddress, topicAddress } from './topic-address.ts'

test.each([
  ['orders', undefined, 'topic:orders'],
  ['orders', 'audit', 'topic:orders/audit'],
  ['prod::orders', 'audit', 'topic:prod::orders/audit'],
  ['/a%2Fb::orders', 'audit', 'topic:%2Fa%252Fb::orders/audit'],
])('topic %j with subscription %j is written %s', (name, subscription, address) => {
  expect(topicAddress(name, subscription)).toBe(address)
  expect(parseTopicAddress(address)).toEqual({ name, subscription })
})

test('other addresses are none of topics', () => {
  expect(parseTopicAddress('queue:topic:orders')).toBeUndefined()
  expect(parseTopicAddress('topic')).toBeUndefined()
})

test('each kind of destination is written in its way', () => {
  const written = (['queue', 'topic', 'exchange'] as const).map((kind) => destinationAddress(kind, 'a/b%'))
  expect(written).toEqual(['queue:a/b%', 'topic:a%2Fb%25', 'exchange:a%2Fb%25'])
})
