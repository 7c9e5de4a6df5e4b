import { expect, test } from 'vitest'
import { parseAddress, parseDestination, parseName, parseSubscription } from './address.ts'

test('addresses', () => {
  expect(parseAddress('queue:mail')).toEqual({ kind: 'queue', name: 'mail' })
  expect(parseAddress('topic:events')).toEqual({ kind: 'topic', name: 'events' })
  expect(parseAddress('topic:events/audit')).toEqual({ kind: 'subscription', topic: 'events', name: 'audit' })
  expect(parseAddress('topic:%2Fprod::events/audit')).toEqual({ kind: 'subscription', topic: '/prod::events', name: 'audit' })
  expect(parseName('topic', 'topic:%2Fprod::events')).toBe('/prod::events')
  expect(parseName('topic', '/prod::events')).toBe('/prod::events')
  expect(parseSubscription('%2Fprod::events/audit')).toMatchObject({ topic: '/prod::events', name: 'audit' })
  expect(parseAddress('queue:a/b')).toEqual({ kind: 'queue', name: 'a/b' })
})

test('what is not an address is answered with how to write one', () => {
  expect(() => parseAddress('mail')).toThrow("'mail' is not an address. Write queue:mail or topic:mail.")
  expect(() => parseAddress('queue:')).toThrow('Write queue:NAME or topic:NAME.')
  expect(() => parseAddress('exchange:x')).toThrow('Write queue:x or topic:x.')
  expect(() => parseAddress('topic:events/')).toThrow('Write TOPIC/NAME.')
  expect(() => parseDestination('topic:events/audit')).toThrow('Publish to its topic: topic:events.')
})

test('names may carry their prefix', () => {
  expect([parseName('queue', 'mail'), parseName('queue', 'queue:mail')]).toEqual(['mail', 'mail'])
  expect(() => parseName('topic', 'topic:')).toThrow('The name of the topic is missing.')
  expect(parseSubscription('topic:events/audit')).toEqual(parseSubscription('events/audit'))
  for (const bad of ['events', '/audit', 'events/', '']) expect(() => parseSubscription(bad)).toThrow('Write TOPIC/NAME.')
})
