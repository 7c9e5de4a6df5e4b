import { encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { TestBroker, headersOf } from '../../../test/core/harness.ts'

const encoder = new TextEncoder()

/** Publishes one batch; each message expires after so many milliseconds, or never. */
function publishExpiring(t: TestBroker, destination: string, messages: readonly (readonly [string, number | undefined])[]): void {
  const timestampMs = t.platform.clock.nowMs()
  const batch = encodeBatch(
    messages.map(([value, ttlMs]) => ({
      timestampMs,
      value: encoder.encode(value),
      headers: ttlMs === undefined ? [] : [{ key: 'expires-at', value: encoder.encode(String(timestampMs + ttlMs)) }],
    })),
  )
  t.broker.destination(destination, true).publish(0, batch)
}

async function open(delivery: object): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'work', delivery })
  await t.settle()
  return t
}

describe('a policy with ttlMs', () => {
  test('sends what is older to the dead letters, from the millisecond on that it is', async () => {
    const t = await open({ ttlMs: 1000, deadLetter: 'queue:dead' })
    t.publish('queue:work', 'a', 'b')
    await t.advance(400)
    t.publish('queue:work', 'c')
    await t.advance(599)
    const consumer = t.consume('queue:work', 1)
    await t.settle()
    expect(consumer.values).toEqual(['a'])
    await t.advance(1)
    consumer.consumer.grant(10)
    await t.settle()
    expect(consumer.values).toEqual(['a', 'c'])
    const dead = t.read('queue:dead', 'earliest')
    await t.settle()
    expect(dead.values).toEqual(['b'])
    expect(headersOf(dead.messages[0]!.record)).toMatchObject({
      'millrace-dead-reason': 'expired',
      'millrace-dead-attempts': '0',
      'millrace-dead-source': 'queue:work',
      'millrace-dead-count': '1',
    })
  })

  test('counts each message by its own timestamp, in whatever order they are in a batch', async () => {
    const t = await open({ ttlMs: 1000 })
    const nowMs = t.platform.clock.nowMs()
    const batch = encodeBatch(
      [0, -2000, 0, -3000].map((ageMs, n) => ({ timestampMs: nowMs + ageMs, value: encoder.encode(`m${n}`) })),
    )
    t.broker.destination('queue:work', false).publish(0, batch)
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['m0', 'm2'])
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 2, counters: { dropped: 2 } })
  })

  test('holds for what comes back, too, with the attempts that were made', async () => {
    const t = await open({ ttlMs: 1000, deadLetter: 'queue:dead', leaseMs: 600_000 })
    t.publish('queue:work', 'a')
    const consumer = t.consume('queue:work')
    await t.settle()
    await t.advance(2000)
    expect(consumer.values).toEqual(['a'])
    consumer.nack(0)
    await t.settle()
    expect(consumer.values).toEqual(['a'])
    const dead = t.read('queue:dead', 'earliest')
    await t.settle()
    expect(headersOf(dead.messages[0]!.record)).toMatchObject({
      'millrace-dead-reason': 'expired',
      'millrace-dead-attempts': '1',
    })
  })

  test('can be set later', async () => {
    const t = await open({})
    t.publish('queue:work', 'a')
    await t.advance(60_000)
    expect(t.broker.queue('work').ready).toBe(1)
    t.broker.updateQueue('work', { delivery: { ttlMs: 1000 } })
    await t.advance(20_000)
    expect(t.broker.queue('work').ready).toBe(0)
  })

  test('holds for subscriptions, each by its own', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'news', partitions: 2 })
    t.broker.createSubscription({ topic: 'news', name: 'short', delivery: { ttlMs: 1000, deadLetter: 'queue:dead' } })
    t.broker.createSubscription({ topic: 'news', name: 'long' })
    t.publishKeyed('topic:news', 0, [[null, 'a']])
    t.publishKeyed('topic:news', 1, [[null, 'b']])
    await t.advance(20_000)
    const long = t.consume('topic:news/long')
    const short = t.consume('topic:news/short')
    const dead = t.read('queue:dead', 'earliest')
    await t.settle()
    expect(new Set(long.values)).toEqual(new Set(['a', 'b']))
    expect(short.values).toEqual([])
    expect(new Set(dead.values)).toEqual(new Set(['a', 'b']))
  })

  test('is refused when it is no time', async () => {
    const t = await TestBroker.open()
    for (const ttlMs of [-1, 1.5, Number.NaN])
      expect(() => t.broker.createQueue({ name: 'q', delivery: { ttlMs } })).toThrow(
        expect.objectContaining({ code: 'bad_request' }),
      )
  })
})

describe('a message with a time of its own', () => {
  test('is not delivered after it; others are', async () => {
    const t = await open({})
    publishExpiring(t, 'queue:work', [
      ['a', 1000],
      ['b', undefined],
      ['c', 1000],
      ['d', 5000],
    ])
    await t.advance(1000)
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['b', 'd'])
  })

  test('goes by the earlier of its own time and the policy', async () => {
    const t = await open({ ttlMs: 2000 })
    publishExpiring(t, 'queue:work', [
      ['a', 1000],
      ['b', 100_000],
      ['c', undefined],
    ])
    await t.advance(1500)
    const early = t.consume('queue:work', 1)
    await t.settle()
    expect(early.values).toEqual(['b'])
    await t.advance(500)
    early.consumer.grant(10)
    await t.settle()
    expect(early.values).toEqual(['b'])
  })

  test('does not expire by a header that is no time, nor as a dead letter', async () => {
    const t = await open({ deadLetter: 'queue:dead' })
    const headers = [{ key: 'expires-at', value: encoder.encode('tomorrow') }]
    const batch = encodeBatch([{ timestampMs: t.platform.clock.nowMs(), value: encoder.encode('odd'), headers }])
    t.broker.destination('queue:work', false).publish(0, batch)
    publishExpiring(t, 'queue:work', [['a', 1000]])
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['odd', 'a'])
    consumer.consumer.settle(0, 1, 1, { kind: 'reject' })
    await t.advance(3_600_000)
    const dead = t.consume('queue:dead')
    await t.settle()
    expect(dead.values).toEqual(['a'])
  })
})

describe('without consumers', () => {
  test('space comes back, after a restart too', async () => {
    const t = await open({})
    for (let n = 0; n < 20; n++)
      publishExpiring(
        t,
        'queue:work',
        Array.from({ length: 50 }, (_, m) => [`${n}.${m} ${'x'.repeat(100)}`, 5000]),
      )
    await t.settle()
    expect(t.broker.queue('work').bytes).toBeGreaterThan(100_000)
    await t.crash()
    await t.advance(30_000)
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, bytes: 0 })
  })

  test('many small batches go as fast as they come', async () => {
    const t = await open({ ttlMs: 1000, deadLetter: 'queue:dead' })
    for (let n = 0; n < 3000; n++) t.publish('queue:work', `m${n}`)
    await t.advance(3000)
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, bytes: 0, counters: { deadLettered: 3000 } })
    expect(t.broker.queue('dead').ready).toBe(3000)
  })

  test('what the filter of a subscription does not take does not die of age there', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'news' })
    const delivery = { ttlMs: 1000, deadLetter: 'queue:dead', filter: `"millrace.key" = 'wanted'` }
    t.broker.createSubscription({ topic: 'news', name: 'some', delivery })
    t.publishKeyed('topic:news', 0, [
      ['other', 'a'],
      ['wanted', 'b'],
    ])
    await t.advance(20_000)
    const consumer = t.consume('topic:news/some')
    const dead = t.read('queue:dead', 'earliest')
    await t.settle()
    expect(consumer.values).toEqual([])
    expect(dead.values).toEqual(['b'])
  })

  test('a message that does not expire holds up those behind it, but they are not delivered', async () => {
    const t = await open({})
    publishExpiring(t, 'queue:work', [['stays', undefined]])
    publishExpiring(t, 'queue:work', [['goes', 1000]])
    await t.advance(30_000)
    expect(t.broker.queue('work').ready).toBe(2)
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['stays'])
    expect(t.broker.queue('work').ready).toBe(0)
  })

  test('what expires later is not taken', async () => {
    const t = await open({ ttlMs: 60_000 })
    t.publish('queue:work', 'a')
    await t.advance(59_000)
    t.publish('queue:work', 'b')
    await t.advance(5000)
    expect(t.broker.queue('work').ready).toBe(1)
  })
})

describe('expired, but the dead letters do not exist any more', () => {
  test('it is kept undelivered until they do', async () => {
    const t = await open({ ttlMs: 1000, deadLetter: 'queue:dead' })
    t.broker.deleteQueue('dead')
    t.publish('queue:work', 'a', 'b')
    await t.advance(30_000)
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual([])
    expect(t.broker.queue('work').ready).toBe(2)
    expect(t.warnings.filter((warning) => warning.includes('queue:dead does not exist'))).toHaveLength(1)
    await t.crash()
    await t.advance(30_000)
    expect(t.broker.queue('work').ready).toBe(2)
    t.broker.createQueue({ name: 'dead' })
    await t.settle()
    const dead = t.read('queue:dead', 'earliest')
    await t.settle()
    expect(dead.values).toEqual(['a', 'b'])
    expect(t.broker.queue('work').ready).toBe(0)
  })
})

test('a million expired messages do not keep others from their turn', async () => {
  const t = await open({ ttlMs: 1000 })
  for (let n = 0; n < 300; n++) t.publish('queue:work', `old ${n}`)
  await t.advance(999)
  const consumer = t.consume('queue:work', 0)
  await t.platform.advance(1)
  t.publish('queue:work', 'new')
  consumer.consumer.grant(1000)
  await t.settle()
  expect(consumer.values).toEqual(['new'])
  expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 1 })
})
