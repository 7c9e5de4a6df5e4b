import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TestBroker, headersOf } from '../../../test/core/harness.ts'

async function open(...values: string[]): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 'a' })
  t.broker.createTopic({ name: 'b' })
  if (values.length > 0) t.publish('topic:a', ...values)
  await t.settle()
  return t
}

describe('settings', () => {
  test('are those of subscriptions that exist and of those that come, and outlive a crash', async () => {
    const t = await open('old')
    const groups = (): typeof t.broker.subscriptionGroups => t.broker.subscriptionGroups
    t.broker.createSubscription({ topic: 'a', name: 's', delivery: { leaseMs: 1000, ttlMs: 5000 } })
    const settings = { from: 'earliest', delivery: { leaseMs: 2000, maxAttempts: 3 }, labels: { note: 'x' } } as const
    groups().configure('s', settings)
    expect(t.broker.subscription('a', 's').delivery).toEqual({ leaseMs: 2000, maxAttempts: 3, ttlMs: 5000 })
    await t.settle()
    await t.crash()
    expect(groups().settings('s')).toEqual(settings)
    expect(groups().configured()).toEqual(['s'])
    expect(groups().subscribe('b', 's', { leaseMs: 9 })).toBe(true)
    expect(groups().subscribe('b', 's', { leaseMs: 9 })).toBe(false)
    expect(t.broker.subscription('b', 's').delivery).toEqual({ leaseMs: 2000, maxAttempts: 3 })
    expect(groups().topics('s')).toEqual(['a', 'b'])
    expect(groups().names()).toEqual(['s'])
    groups().configure('s', undefined)
    expect(t.broker.subscription('a', 's').delivery).toEqual({ leaseMs: 60_000, ttlMs: 5000 })
    await t.settle()
    await t.crash()
    expect(groups().settings('s')).toBeUndefined()
    expect(groups().subscribe('a', 'other', { leaseMs: 9 })).toBe(true)
    expect(t.broker.subscription('a', 'other').delivery).toEqual({ leaseMs: 9 })
  })

  test('that cannot be are refused, and change nothing', async () => {
    const t = await open()
    t.broker.createSubscription({ topic: 'a', name: 's' })
    t.broker.createSubscription({ topic: 'b', name: 's' })
    const configure = (delivery: object): void => void t.broker.subscriptionGroups.configure('s', { delivery })
    // A topic cannot have the dead letters of its own subscription.
    expect(() => configure({ deadLetter: 'topic:b' })).toThrow(expect.objectContaining({ code: 'bad_request' }))
    expect(() => configure({ leaseMs: 0 })).toThrow(expect.objectContaining({ code: 'bad_request' }))
    expect(t.broker.subscription('a', 's').delivery).toEqual({ leaseMs: 60_000 })
    expect(t.broker.subscriptionGroups.settings('s')).toBeUndefined()
    expect(() => t.broker.subscriptionGroups.configure('no name', {})).toThrow(expect.objectContaining({ code: 'illegal_name' }))
  })

  test('nothing is created where that is not allowed', async () => {
    const t = await TestBroker.open({ autoCreate: { subscriptions: false } })
    t.broker.createTopic({ name: 'a' })
    const subscribe = (): boolean => t.broker.subscriptionGroups.subscribe('a', 's', {})
    expect(subscribe).toThrow(expect.objectContaining({ code: 'not_found' }))
    t.broker.createSubscription({ topic: 'a', name: 's' })
    expect(subscribe()).toBe(false)
  })

  test('a start by age', async () => {
    const t = await open('old')
    await t.advance(10_000)
    t.publish('topic:a', 'new')
    await t.settle()
    t.broker.subscriptionGroups.configure('s', { from: { ageMs: 5000 } })
    t.broker.subscriptionGroups.subscribe('a', 's', {})
    const consumer = t.consume('topic:a/s')
    await t.settle()
    expect(consumer.values).toEqual(['new'])
  })
})

describe('seek', () => {
  test('from a place on all is delivered, and nothing before it, whatever was settled and whatever crashes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('ack', 'nack', 'later', 'leave'), { minLength: 10, maxLength: 10 }),
        fc.integer({ min: 0, max: 12 }),
        fc.boolean(),
        async (fates, place, crashes) => {
          const values = Array.from({ length: 12 }, (_, n) => String(n))
          const t = await open(...values)
          t.broker.createSubscription({ topic: 'a', name: 's', from: 'earliest' })
          const before = t.consume('topic:a/s', fates.length)
          await t.settle()
          fates.forEach((fate, offset) => {
            if (fate === 'ack') before.ack(offset)
            else if (fate !== 'leave') before.nack(offset, offset, fate === 'later' ? { delayMs: 60_000 } : {})
          })
          expect(() => t.broker.subscriptionGroups.seek('a', 's', 0, place)).toThrow(expect.objectContaining({ code: 'in_use' }))
          before.consumer.close()
          t.broker.subscriptionGroups.seek('a', 's', 0, place)
          await t.settle()
          expect(t.broker.subscriptionGroups.progress('a', 's')).toEqual([{ floor: place, unsettled: 12 - place }])
          if (crashes) await t.crash()
          const after = t.consume('topic:a/s')
          await t.advance(60_000)
          expect([...new Set(after.values)].toSorted((a, b) => Number(a) - Number(b))).toEqual(values.slice(place))
        },
      ),
      { numRuns: 40 },
    )
  })

  test('of what is not there is refused', async () => {
    const t = await open()
    t.broker.createSubscription({ topic: 'a', name: 's' })
    for (const [topic, partition] of [
      ['a', 1],
      ['b', 0],
    ] as const) {
      expect(() => t.broker.subscriptionGroups.seek(topic, 's', partition, 0)).toThrow(
        expect.objectContaining({ code: 'not_found' }),
      )
    }
  })
})

test('a consumer that closes uncounted gives back what it holds as if it had not had it', async () => {
  const t = await open('x')
  t.broker.createSubscription({ topic: 'a', name: 's', from: 'earliest', delivery: { maxAttempts: 2 } })
  for (let round = 0; round < 3; round++) {
    const consumer = t.consume('topic:a/s')
    await t.settle()
    expect(consumer.taken()).toEqual(['x#1'])
    consumer.consumer.close(true)
    await t.settle()
    if (round === 1) await t.crash()
  }
  expect(t.broker.subscription('a', 's')).toMatchObject({ ready: 1, counters: { dropped: 0 } })
})

describe('consumers of some partitions', () => {
  test('get nothing of others, and hold up nobody', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'p', partitions: 3 })
    const consumers = [0, 1].map((partition) => {
      const consumer = t.consume('topic:p/s', 0)
      consumer.consumer.restrict(new Set([partition]))
      consumer.consumer.grant(Infinity)
      return consumer
    })
    await t.settle()
    for (let round = 0; round < 4; round++) for (let n = 0; n < 3; n++) t.publishKeyed('topic:p', n, [[null, `${n}`]])
    await t.settle()
    expect(consumers.map(({ values }) => values.join(''))).toEqual(['0000', '1111'])
    expect(t.broker.subscription('p', 's').ready).toBe(4)
    consumers[1]!.consumer.restrict(new Set([1, 2]))
    await t.settle()
    expect(consumers[1]!.values.join('')).toBe('11112222')
  })
})

describe('the form of dead letters', () => {
  test('headers that others look for, with or without the message', async () => {
    for (const deadLetterContent of ['copy', 'headers'] as const) {
      const t = await open()
      const deadLetterHeaders = {
        from: 'origin',
        group: 'subscription',
        at: 'offset',
        in: 'partition',
        times: 'attempts',
        why: 'reason',
      } as const
      const delivery = { deadLetter: 'queue:dead', deadLetterContent, deadLetterHeaders }
      t.broker.createSubscription({ topic: 'a', name: 's', from: 'earliest', delivery })
      t.publish('topic:a', 'x')
      const consumer = t.consume('topic:a/s')
      await t.settle()
      consumer.consumer.settle(0, 0, 0, { kind: 'reject', reason: 'bad' })
      await t.settle()
      const dead = t.read('queue:dead', 'earliest')
      await t.settle()
      expect(dead.values).toEqual([deadLetterContent === 'copy' ? 'x' : null])
      expect(headersOf(dead.messages[0]!.record)).toMatchObject({
        'millrace-dead-reason': 'rejected',
        from: 'a',
        group: 's',
        at: '0',
        in: '0',
        times: '1',
        why: 'bad',
      })
    }
  })

  test('what cannot be is refused', async () => {
    const t = await open()
    for (const delivery of [
      { deadLetterContent: 'headers' as const },
      { deadLetterHeaders: { '': 'origin' as const } },
      { deadLetterHeaders: { x: 'weather' as never } },
    ]) {
      expect(() => t.broker.createQueue({ name: 'q', delivery })).toThrow(expect.objectContaining({ code: 'bad_request' }))
    }
  })
})
