import { describe, expect, test } from 'vitest'
import { TestBroker } from '../../test/core/harness.ts'
import { checkName, parseAddress } from './names.ts'

const illegal = expect.objectContaining({ code: 'illegal_name' })

const odd = [
  'a b',
  'a/b',
  'a:b',
  'queue:x',
  '::x',
  'a,b',
  '*',
  '%41',
  'ä€😀',
  '...',
  '"',
  "it's",
  ' ',
  '/',
  '#',
  '?',
  '\u0085',
  '한',
]

describe('queues have any text as their name', () => {
  test.each(odd)('%s', async (name) => {
    expect(parseAddress(`queue:${name}`)).toEqual({ kind: 'queue', name, subscription: undefined })
    const t = await TestBroker.open()
    t.broker.createQueue({ name: `dead ${name}` })
    t.broker.createQueue({ name, delivery: { deadLetter: `queue:dead ${name}`, maxAttempts: 1 } })
    t.publish(`queue:${name}`, 'm')
    await t.settle()
    await t.crash()
    expect(t.broker.queue(name)).toMatchObject({ name, ready: 1 })
    const consumer = t.consume(`queue:${name}`)
    await t.settle()
    consumer.nack(0)
    await t.settle()
    expect(t.broker.queue(`dead ${name}`).ready).toBe(1)
    const { id } = t.broker.redrive({ source: `queue:dead ${name}` })
    await t.platform.until(t.broker.whenRedriven(id))
    expect(t.broker.redriveInfo(id)).toMatchObject({ moved: 1, groups: [{ origin: `queue:${name}` }] })
    await t.settle()
    expect(consumer.values).toEqual(['m', 'm'])
  })

  test('of 1 to 255 bytes, without control characters', () => {
    for (const name of ['ä'.repeat(127) + 'x', 'x'.repeat(255)]) expect(() => checkName(name, 'queue')).not.toThrow()
    const wrong = [
      '',
      '.',
      '..',
      'x'.repeat(256),
      'ä'.repeat(128),
      '\u0000',
      'a\nb',
      'a\tb',
      '\u007f',
      '\ud800',
      'x\udc00',
      7 as never,
    ]
    for (const name of wrong) expect(() => checkName(name, 'queue')).toThrow(illegal)
  })

  test('a queue whose name begins with that of another has dead letters there', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'a' })
    t.broker.createQueue({ name: 'a/b', delivery: { deadLetter: 'queue:a' } })
    expect(() => t.broker.createQueue({ name: 'c/d', delivery: { deadLetter: 'queue:c/d' } })).toThrow('where they come from')
  })
})

describe('topics have the name of a virtual host before theirs', () => {
  test.each([
    ['prod::events', 'topic:prod::events'],
    ['/prod::events', 'topic:%2Fprod::events'],
    ['50% off/ä::events', 'topic:50%25 off%2Fä::events'],
  ])('%s', async (name, address) => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name })
    t.broker.createSubscription({ topic: name, name: 's', delivery: { deadLetter: 'queue:dead', maxAttempts: 1 } })
    t.broker.router.createExchange({ name: 'x', type: 'fanout' })
    t.broker.router.bind({ source: 'x', destination: address, key: '' })
    t.publish('exchange:x', 'm')
    t.publish(address, 'n')
    await t.settle()
    await t.crash()
    expect(parseAddress(`${address}/s`)).toEqual({ kind: 'topic', name, subscription: 's' })
    expect(t.broker.topic(name)).toMatchObject({ name, subscriptions: ['s'], partitionInfo: [{ start: 0, end: 2 }] })
    const consumer = t.consume(`${address}/s`)
    await t.settle()
    expect(consumer.values).toEqual(['m', 'n'])
    expect(t.broker.router.bindings()).toMatchObject([{ source: 'x', destination: address }])
  })

  test.each([
    '/::events',
    '::events',
    'a::b::c',
    'a::b c',
    'a::',
    'a:::b',
    'a\n::b',
    '\ud800::b',
    `${'v'.repeat(10)}::${'x'.repeat(250)}`,
    `${'v'.repeat(250)}::events`,
  ])('but not %j', (name) => {
    expect(() => checkName(name, 'topic')).toThrow(illegal)
  })

  test.each(['topic:%2fprod::events', 'topic:%::events', 'topic:/prod::events'])(
    'written in one way alone, not %s',
    (address) => {
      expect(() => parseAddress(address)).toThrow(expect.objectContaining({ name: 'MillraceError' }))
    },
  )

  test('an address that is not written so is not bound', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: '/prod::events' })
    t.broker.router.createExchange({ name: 'x', type: 'fanout' })
    const bind = (): unknown => t.broker.router.bind({ source: 'x', destination: 'topic:%2fprod::events', key: '' })
    expect(bind).toThrow(expect.objectContaining({ code: 'not_found' }))
  })
})

test.each(odd.filter((name) => name !== '...'))('topics and subscriptions do not: %s', async (name) => {
  const t = await TestBroker.open()
  expect(() => t.broker.createTopic({ name })).toThrow(illegal)
  t.broker.createTopic({ name: 't' })
  expect(() => t.broker.createSubscription({ topic: 't', name })).toThrow(illegal)
})
