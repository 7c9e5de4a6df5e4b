import { describe, expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'
import type { DeliveryPolicy } from '../broker.ts'

async function withQueue(delivery: DeliveryPolicy): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'work', delivery })
  await t.settle()
  return t
}

describe('backoff', () => {
  test('a message waits longer after each attempt, unless its consumer says how long', async () => {
    const t = await withQueue({ backoff: { kind: 'exponential', initialMs: 100, maxMs: 300 } })
    const consumer = t.consume('queue:work')
    t.publish('queue:work', 'a')
    const waits: number[] = []
    for (let attempt = 1; attempt <= 4; attempt++) {
      const before = t.platform.clock.nowMs()
      while (consumer.messages.length === 0) await t.advance(10)
      waits.push(t.platform.clock.nowMs() - before)
      expect(consumer.taken()).toEqual([`a#${attempt}`])
      consumer.nack(0)
    }
    expect(waits.map((ms) => Math.floor(ms / 100))).toEqual([0, 1, 2, 3])
    await t.advance(350)
    consumer.nack(0, 0, { delayMs: 5 })
    consumer.taken()
    await t.advance(10)
    expect(consumer.taken()).toEqual(['a#6'])
  })

  test('counts for leases that run out, not for consumers that leave, and survives a crash', async () => {
    const t = await withQueue({ leaseMs: 1000, backoff: { kind: 'fixed', initialMs: 60_000 } })
    t.publish('queue:work', 'a')
    const first = t.consume('queue:work')
    await t.settle()
    first.consumer.close()
    const second = t.consume('queue:work')
    await t.settle()
    expect(second.taken()).toEqual(['a#2'])
    await t.advance(2000)
    expect(second.taken()).toEqual([])
    await t.crash()
    const third = t.consume('queue:work')
    await t.advance(50_000)
    expect(third.taken()).toEqual([])
    await t.advance(12_000)
    expect(third.taken()).toEqual(['a#3'])
  })
})

function keyed(t: TestBroker, ...records: [key: string | null, value: string][]): number {
  return t.publishKeyed('queue:work', 0, records)
}

describe('order by key', () => {
  test('one message of a key is out at a time, other keys and messages without one go on', async () => {
    const t = await withQueue({ order: 'key' })
    const a = t.consume('queue:work')
    const b = t.consume('queue:work')
    keyed(t, ['x', 'x1'], ['x', 'x2'], ['y', 'y1'], [null, 'n1'], ['x', 'x3'], [null, 'n2'])
    await t.settle()
    const out = [...a.taken(), ...b.taken()].toSorted()
    expect(out).toEqual(['n1#1', 'n2#1', 'x1#1', 'y1#1'])
    expect(t.broker.queue('work')).toMatchObject({ ready: 2, inFlight: 4 })
    settleWhoever([a, b], 0)
    await t.settle()
    expect([...a.taken(), ...b.taken()]).toEqual(['x2#1'])
    settleWhoever([a, b], 1)
    await t.settle()
    expect([...a.taken(), ...b.taken()]).toEqual(['x3#1'])
  })

  test('a message that comes back, waits or crashes goes before the later ones of its key', async () => {
    const t = await withQueue({ order: 'key' })
    const a = t.consume('queue:work')
    keyed(t, ['x', 'x1'], ['x', 'x2'], ['y', 'y1'], ['y', 'y2'])
    await t.settle()
    expect(a.taken()).toEqual(['x1#1', 'y1#1'])
    a.nack(0, 0, { delayMs: 5000 })
    a.nack(2)
    await t.settle()
    expect(a.taken()).toEqual(['y1#2'])
    await t.crash()
    const b = t.consume('queue:work')
    await t.settle()
    expect(b.taken()).toEqual(['y1#3'])
    await t.advance(5000)
    expect(b.taken()).toEqual(['x1#2'])
    b.ack(0)
    await t.settle()
    expect(b.taken().map((each) => each.slice(0, 2))).toEqual(['x2'])
    b.ack(2)
    await t.settle()
    expect(b.taken().map((each) => each.slice(0, 2))).toEqual(['y2'])
  })

  test('a dead message makes way', async () => {
    const t = await withQueue({ order: 'key', maxAttempts: 1, deadLetter: 'queue:dead' })
    t.broker.createQueue({ name: 'dead' })
    const a = t.consume('queue:work')
    keyed(t, ['x', 'x1'], ['x', 'x2'])
    await t.settle()
    a.nack(0)
    await t.settle()
    expect(a.taken()).toEqual(['x1#1', 'x2#1'])
    expect(t.broker.queue('dead').ready).toBe(1)
  })

  test('a backlog of one key costs bounded memory, and other keys behind it wait', async () => {
    const t = await withQueue({ order: 'key' })
    for (let n = 0; n < 40; n++) keyed(t, ...Array.from({ length: 500 }, (): [string, string] => ['same', 'm']))
    keyed(t, ['other', 'o'])
    const a = t.consume('queue:work')
    await t.advance(100)
    expect(a.taken()).toHaveLength(1)
    for (let n = 0; n < 20_000; n++) {
      a.ack(n)
      await t.settle()
      if (n % 1000 === 0) await t.advance(1)
    }
    expect(t.broker.queue('work').ready).toBe(0)
  })
})

function settleWhoever(consumers: readonly ReturnType<TestBroker['consume']>[], offset: number): void {
  let settled = 0
  for (const consumer of consumers) {
    try {
      consumer.ack(offset)
      settled++
    } catch {
      // The other one has it.
    }
  }
  expect(settled).toBe(1)
}

describe('strict order', () => {
  test('one consumer at a time, and nothing overtakes a message that waits', async () => {
    const t = await withQueue({ order: 'strict', backoff: { kind: 'fixed', initialMs: 1000 } })
    const a = t.consume('queue:work', 1)
    const b = t.consume('queue:work', 10)
    t.publish('queue:work', 'a', 'b', 'c')
    await t.settle()
    expect([a.taken(), b.taken()]).toEqual([['a#1'], []])
    a.nack(0)
    a.consumer.grant(5)
    await t.settle()
    expect(a.taken()).toEqual([])
    await t.advance(1000)
    expect(a.taken()).toEqual(['a#2', 'b#1', 'c#1'])
    a.consumer.close()
    await t.settle()
    expect(b.taken()).toEqual(['a#3', 'b#2', 'c#2'])
  })
})

describe('consumers', () => {
  test('single: the others stand by; of those the highest priority takes over', async () => {
    const t = await withQueue({ consumers: 'single' })
    const [a, b, c] = [0, 1, 5].map((priority) => {
      const sink = t.consume('queue:work', 0)
      sink.consumer.close()
      const consumer = t.consume('queue:work', 100, { priority })
      return consumer
    }) as [ReturnType<TestBroker['consume']>, ReturnType<TestBroker['consume']>, ReturnType<TestBroker['consume']>]
    t.publish('queue:work', '1', '2')
    await t.settle()
    expect([a.taken(), b.taken(), c.taken()]).toEqual([['1#1', '2#1'], [], []])
    a.ack(0)
    a.consumer.close()
    await t.settle()
    expect([b.taken(), c.taken()]).toEqual([[], ['2#2']])
  })

  test('a higher priority is served first while it has credit', async () => {
    const t = await withQueue({})
    const low = t.consume('queue:work', 10)
    const high = t.consume('queue:work', 2, { priority: 3 })
    t.publish('queue:work', '1')
    t.publish('queue:work', '2')
    t.publish('queue:work', '3')
    await t.settle()
    expect([high.taken(), low.taken()]).toEqual([['1#1', '2#1'], ['3#1']])
  })

  test('an exclusive one is alone', async () => {
    const t = await withQueue({})
    const alone = t.consume('queue:work', 1, { exclusive: true })
    expect(() => t.consume('queue:work')).toThrow(expect.objectContaining({ code: 'in_use' }))
    alone.consumer.close()
    const other = t.consume('queue:work')
    expect(() => t.consume('queue:work', 1, { exclusive: true })).toThrow(expect.objectContaining({ code: 'in_use' }))
    other.consumer.close()
  })

  test('an exclusive one is alone also when others ask now and then', async () => {
    const t = await withQueue({})
    const polling = t.consume('queue:work', 0, { polls: true })
    polling.consumer.checkAdmitted()
    const alone = t.consume('queue:work', 1, { exclusive: true })
    expect(() => polling.consumer.checkAdmitted()).toThrow(expect.objectContaining({ code: 'in_use' }))
    polling.consumer.grant(10)
    t.publish('queue:work', '1')
    t.publish('queue:work', '2')
    await t.settle()
    expect([alone.taken(), polling.taken()]).toEqual([['1#1'], []])
    alone.consumer.close()
    polling.consumer.checkAdmitted()
    polling.consumer.grant(10)
    await t.settle()
    expect(polling.taken()).toEqual(['1#2', '2#1'])
  })
})

describe('pace', () => {
  test('no more than the rate goes out, evenly', async () => {
    const t = await withQueue({ ratePerSecond: 10 })
    t.publish('queue:work', ...Array.from({ length: 50 }, (_, n) => `${n}`))
    const a = t.consume('queue:work')
    const perSecond: number[] = []
    for (let second = 0; second < 4; second++) {
      await t.advance(1000)
      perSecond.push(a.taken().length)
    }
    for (const count of perSecond) expect(Math.abs(count - 10)).toBeLessThanOrEqual(1)
  })

  test('a paused queue hands out nothing, takes settlements, and goes on when it is resumed', async () => {
    const t = await withQueue({})
    t.publish('queue:work', 'a')
    const a = t.consume('queue:work')
    await t.settle()
    t.broker.updateQueue('work', { delivery: { paused: true } })
    t.publish('queue:work', 'b')
    a.ack(0)
    await t.advance(1000)
    expect(a.taken()).toEqual(['a#1'])
    await t.restart()
    const b = t.consume('queue:work')
    await t.advance(1000)
    expect(b.taken()).toEqual([])
    t.broker.updateQueue('work', { delivery: {} })
    await t.settle()
    expect(b.taken()).toEqual(['b#1'])
  })
})

describe('a filter', () => {
  test('shows a subscription only what it matches; the rest is done, also over a crash', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'news' })
    t.broker.createSubscription({ topic: 'news', name: 'mine', from: 'earliest', delivery: { filter: `millrace.key = 'a'` } })
    t.publishKeyed('topic:news', 0, [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ])
    t.publishKeyed('topic:news', 0, [['b', '4']])
    t.publishKeyed('topic:news', 0, [['a', '5']])
    const consumer = t.consume('topic:news/mine')
    await t.settle()
    expect(consumer.taken()).toEqual(['1#1', '3#1', '5#1'])
    consumer.ack(0)
    consumer.ack(2)
    await t.settle()
    await t.crash()
    const again = t.consume('topic:news/mine')
    await t.settle()
    expect(again.taken()).toEqual(['5#2'])
    again.ack(4)
    await t.settle()
    expect(t.broker.subscription('news', 'mine')).toMatchObject({ ready: 0, inFlight: 0 })
  })
})

test('bad policies are refused with what is allowed', async () => {
  const t = await TestBroker.open()
  const refused = (delivery: unknown): string => {
    try {
      t.broker.createQueue({ name: 'q', delivery: delivery as DeliveryPolicy })
    } catch (error) {
      return (error as Error).message
    }
    return 'taken'
  }
  expect(refused({ order: 'random' })).toBe('delivery.order is "none" or "key" or "strict", not "random"')
  expect(refused({ ratePerSecond: 0 })).toMatch(/ratePerSecond must be a number from 0.001/)
  expect(refused({ backoff: { kind: 'linear', initialMs: 1 } })).toMatch(/backoff.kind is "fixed" or "exponential"/)
  expect(refused({ backoff: { kind: 'fixed', initialMs: 0 } })).toMatch(/initialMs must be a whole number from 1/)
  expect(refused({ backoff: { kind: 'fixed', initialMs: 5, jitter: 2 } })).toMatch(/jitter must be a number from 0 to 1/)
  expect(refused({ filter: 'a = 1' })).toMatch(/Filter a subscription/)
  expect(refused({ pause: true })).toMatch(/delivery has no setting "pause"/)
  t.broker.createQueue({ name: 'q', delivery: { order: 'key' } })
  expect(() => t.broker.updateQueue('q', { delivery: {} })).toThrow(/order of queue:q cannot be changed/)
})
