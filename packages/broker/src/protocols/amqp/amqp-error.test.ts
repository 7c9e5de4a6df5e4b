import { expect, test } from 'vitest'
import { AmqpError } from './amqp-error.ts'

test('a reply text begins with the name of its code, as clients expect', () => {
  const error = new AmqpError('not-found', "no queue 'q' in vhost '/'")
  expect([error.code, error.scope, error.replyText]).toEqual([404, 'channel', "NOT_FOUND - no queue 'q' in vhost '/'"])
})

test.each(['x', 'ä', '😀', 'a😀'])('a long reply text of %s fits a short string, and ends between characters', (unit) => {
  for (let length = 235; length < 300; length++) {
    const text = new AmqpError('precondition-failed', unit.repeat(length)).replyText
    const bytes = new TextEncoder().encode(text)
    expect(bytes.length).toBeLessThanOrEqual(255)
    expect(bytes.length).toBeGreaterThan(251)
    expect(text).not.toContain('\u{fffd}')
    expect(text).not.toMatch(/\p{Surrogate}/u)
  }
})

test('who knows better says what is closed', () => {
  expect(new AmqpError('access-refused', 'no', 'connection').scope).toBe('connection')
})
