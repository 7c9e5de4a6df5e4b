import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { TestBroker, type TestConsumer } from '../../../test/core/harness.ts'
import type { DeliveryPolicy } from '../broker.ts'

async function withTopic(): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 't', partitions: 3 })
  t.broker.createSubscription({ topic: 't', name: 's', from: 'earliest' })
  return t
}

function restricted(t: TestBroker, priority: number, ...partitions: number[]): TestConsumer {
  const consumer = t.consume('topic:t/s', 0, { priority })
  consumer.consumer.restrict(new Set(partitions))
  consumer.consumer.grant(Infinity)
  return consumer
}

function publishToAll(t: TestBroker): void {
  for (const partition of [0, 1, 2]) t.publishKeyed('topic:t', partition, [[null, `p${partition}`]])
}

describe('a higher priority', () => {
  test('for some partitions holds up nobody who wants the others', async () => {
    const t = await withTopic()
    const first = [restricted(t, 2, 0), restricted(t, 2, 0)]
    const then = restricted(t, 1, 0, 1)
    const last = t.consume('topic:t/s', Infinity, { priority: -1 })
    publishToAll(t)
    publishToAll(t)
    await t.settle()
    expect(first.map(({ values }) => values)).toEqual([['p0'], ['p0']])
    expect(then.values).toEqual(['p1', 'p1'])
    expect(last.values).toEqual(['p2', 'p2'])
  })

  test('for some partitions ends no drain of the others', async () => {
    const t = await withTopic()
    restricted(t, 2, 0)
    publishToAll(t)
    const last = t.consume('topic:t/s', 5, { priority: 1 })
    last.consumer.drain()
    await t.settle()
    expect(new Set(last.values)).toEqual(new Set(['p1', 'p2']))
    expect(last.drainedAfter).toEqual([2])
  })

  test('gets what comes back when it has room again', async () => {
    const t = await TestBroker.open({ limits: { inFlightPerConsumerMax: 2 } })
    const low = t.consume('queue:work', Infinity)
    const high = t.consume('queue:work', Infinity, { create: true, priority: 1 })
    t.publish('queue:work', 'a', 'b', 'c', 'd')
    await t.settle()
    expect([high.taken(), low.taken()]).toEqual([
      ['a#1', 'b#1'],
      ['c#1', 'd#1'],
    ])
    high.ack(0)
    low.nack(2)
    await t.settle()
    expect([high.taken(), low.taken()]).toEqual([['c#2'], []])
  })
})

describe('consumers that left', () => {
  test.each<[string, DeliveryPolicy]>([
    ['shared', {}],
    ['single', { consumers: 'single' }],
  ])('%s: nothing is kept of them while nothing happens', async (_name, delivery) => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'idle', delivery })
    t.consume('queue:idle', Infinity, { priority: 5 })
    const gone: WeakRef<TestConsumer>[] = []
    for (let n = 0; n < 100; n++) {
      gone.push(comeAndGo(t, n % 10))
      await t.settle()
    }
    await collectGarbage()
    expect(gone.filter((each) => each.deref() !== undefined).length).toBeLessThan(5)
    expect(t.broker.queue('idle').consumers).toBe(1)
  })
})

function comeAndGo(t: TestBroker, priority: number): WeakRef<TestConsumer> {
  const consumer = t.consume('queue:idle', 10, { priority })
  consumer.consumer.close()
  return new WeakRef(consumer)
}

/** In a turn of its own: what a WeakRef was asked for in a turn stays until its end. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
}
