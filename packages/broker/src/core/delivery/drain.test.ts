import { encodeBatch, priorityHeader } from '@millrace/wire'
import { expect, test } from 'vitest'
import { TestBroker, type TestConsumer } from '../../../test/core/harness.ts'
import type { QueueSpec } from '../broker.ts'

const encoder = new TextEncoder()

async function open(spec: Omit<QueueSpec, 'name'> = {}): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'q', ...spec })
  await t.settle()
  return t
}

/** Asks for so many and drains. Nothing may be told before `drain` returns. */
function drained(t: TestBroker, credit: number, consumer: TestConsumer = t.consume('queue:q', 0)): TestConsumer {
  consumer.consumer.grant(credit)
  const told = consumer.drainedAfter.length
  consumer.consumer.drain()
  expect(consumer.drainedAfter).toHaveLength(told)
  return consumer
}

test('of an empty queue is over at once; what comes later is not for it', async () => {
  const t = await open()
  const consumer = drained(t, 5)
  await t.settle()
  expect(consumer.drainedAfter).toEqual([0])
  t.publish('queue:q', 'a')
  await t.settle()
  expect(consumer.values).toEqual([])
  drained(t, 5, consumer)
  await t.settle()
  expect([consumer.values, consumer.drainedAfter]).toEqual([['a'], [0, 1]])
})

test('gives what is committed, as far as credit goes, also from the disk, and tells after it', async () => {
  for (const again of ['crash', 'restart', undefined] as const) {
    const t = await open()
    for (let n = 0; n < 500; n++) t.publish('queue:q', `a${n}`, `b${n}`)
    await t.settle()
    if (again !== undefined) await t[again]()
    const some = drained(t, 3)
    await t.settle()
    expect([some.values, some.drainedAfter]).toEqual([['a0', 'b0', 'a1'], [3]])
    const rest = drained(t, Infinity)
    await t.settle()
    expect(rest.messages).toHaveLength(997)
    expect(rest.drainedAfter).toEqual([997])
    t.publish('queue:q', 'late')
    await t.settle()
    expect([some.messages.length, rest.messages.length]).toEqual([3, 997])
  }
})

test('waits for the commit of what was published before, not for what comes meanwhile', async () => {
  const t = await open({ priorities: 3 })
  const other = t.consume('queue:q', 1)
  publishAt(t, 1, 'a')
  publishAt(t, 0, 'b')
  publishAt(t, 2, 'c')
  const consumer = drained(t, 10)
  await t.settle()
  expect(new Set([...other.values, ...consumer.values])).toEqual(new Set(['a', 'b', 'c']))
  expect(consumer.drainedAfter).toEqual([2])
  // Others go on to publish and to consume: there is an end all the same.
  let left = 200
  other.deliver = (): void => {
    other.consumer.grant(1)
    if (left-- > 0) t.platform.scheduler.endOfTurn(() => publishAt(t, 0, 'more'))
  }
  other.consumer.grant(1)
  publishAt(t, 0, 'more')
  const late = drained(t, 10)
  const leftThen: number[] = []
  late.drained = (): void => void leftThen.push(left)
  await t.settle()
  expect(leftThen[0]).toBeGreaterThan(150)
})

test('does not wait for delays, or for a pause or rate', async () => {
  const t = await open()
  t.publish('queue:q', 'delayed', 'x')
  const holder = t.consume('queue:q', 1)
  await t.settle()
  holder.nack(0, 0, { delayMs: 60_000 })
  await t.settle()
  const consumer = drained(t, 10)
  await t.settle()
  expect([consumer.values, consumer.drainedAfter]).toEqual([['x'], [1]])
  await t.advance(61_000)
  expect(consumer.values).toEqual(['x'])
  drained(t, 1, consumer)
  await t.settle()
  expect(consumer.values).toEqual(['x', 'delayed'])

  t.publish('queue:q', 'b', 'c', 'd')
  await t.settle()
  t.broker.updateQueue('q', { delivery: { paused: true } })
  drained(t, 2, consumer)
  await t.settle()
  expect([consumer.messages.length, consumer.drainedAfter.length]).toEqual([2, 3])
  t.broker.updateQueue('q', { delivery: { ratePerSecond: 1 } })
  drained(t, 2, consumer)
  await t.settle()
  expect([consumer.messages.length, consumer.drainedAfter.length]).toEqual([3, 4])
  await t.advance(10_000)
  expect(consumer.messages).toHaveLength(3)
})

test('an order by key or a strict one keeps what waits for others', async () => {
  for (const order of ['key', 'strict'] as const) {
    const t = await open({ delivery: { order } })
    t.publishKeyed('queue:q', 0, [
      ['k', 'k1'],
      ['k', 'k2'],
      ['l', 'l1'],
    ])
    await t.settle()
    const consumer = drained(t, 10)
    await t.settle()
    expect(consumer.values).toEqual(order === 'key' ? ['k1', 'l1'] : ['k1', 'k2', 'l1'])
    expect(consumer.drainedAfter).toHaveLength(1)
    consumer.nack(0, 0, { delayMs: 60_000 })
    drained(t, 10, consumer)
    await t.settle()
    expect(consumer.drainedAfter).toHaveLength(2)
    t.publishKeyed('queue:q', 0, [['m', 'm1']])
    await t.settle()
    consumer.taken()
    drained(t, 10, consumer)
    await t.settle()
    expect(consumer.drainedAfter).toHaveLength(3)
    expect(consumer.values).toEqual(order === 'key' ? ['m1'] : [])
  }
})

test('takes all levels of priority, the highest first, from the disk too', async () => {
  const t = await open({ priorities: 10 })
  for (let n = 0; n < 300; n++) publishAt(t, n % 10, `${n % 10}`)
  await t.settle()
  await t.crash()
  const some = drained(t, 35)
  await t.settle()
  expect(some.values.join('')).toBe('9'.repeat(30) + '8'.repeat(5))
  const rest = drained(t, 1000)
  await t.settle()
  expect([rest.messages.length, rest.drainedAfter]).toEqual([265, [265]])
})

test('others that compete neither keep it from an end nor get less', async () => {
  const t = await open()
  for (let n = 0; n < 200; n++) t.publish('queue:q', ...Array.from({ length: 10 }, (_, k) => `${n}.${k}`))
  await t.settle()
  await t.crash()
  const other = t.consume('queue:q', 700)
  const consumer = drained(t, 700)
  const behind = t.consume('queue:q', 0, { priority: -1 })
  drained(t, 10, behind)
  await t.settle()
  expect(consumer.drainedAfter).toEqual([700])
  expect(other.messages).toHaveLength(700)
  expect(behind.drainedAfter).toHaveLength(1)
  const greedy = t.consume('queue:q', Infinity, { priority: 1 })
  const late = drained(t, 10)
  await t.settle()
  expect(late.drainedAfter).toEqual([0])
  expect(greedy.messages.length + behind.messages.length).toBe(600)
})

test('whoever is not the active consumer gets nothing', async () => {
  const t = await open({ delivery: { consumers: 'single' } })
  t.publish('queue:q', 'a', 'b')
  await t.settle()
  const active = t.consume('queue:q', 0)
  const waiting = drained(t, 5)
  await t.settle()
  expect(waiting.drainedAfter).toEqual([0])
  drained(t, 5, active)
  await t.settle()
  expect([active.values, active.drainedAfter]).toEqual([['a', 'b'], [2]])
  active.consumer.close(true)
  await t.settle()
  expect(waiting.values).toEqual([])
  drained(t, 5, waiting)
  await t.settle()
  expect([waiting.values, waiting.drainedAfter]).toEqual([
    ['a', 'b'],
    [0, 2],
  ])
})

test('of partitions it is restricted to, of a subscription, and not of the others', async () => {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 't', partitions: 3 })
  t.broker.createSubscription({ topic: 't', name: 's', from: 'earliest' })
  for (const partition of [0, 1, 2]) t.publishKeyed('topic:t', partition, [[null, `p${partition}`]])
  await t.settle()
  await t.crash()
  const consumer = t.consume('topic:t/s', 0)
  consumer.consumer.restrict(new Set([1]))
  drained(t, 5, consumer)
  await t.settle()
  expect([consumer.values, consumer.drainedAfter]).toEqual([['p1'], [1]])
  drained(t, 5, consumer)
  await t.settle()
  expect(consumer.drainedAfter).toEqual([1, 1])
})

test('a consumer that closes, revokes or is sent away meanwhile', async () => {
  const t = await open()
  const closed = drained(t, 5)
  closed.consumer.close()
  closed.consumer.drain()
  const revoked = drained(t, 5)
  revoked.consumer.revoke()
  await t.settle()
  expect([closed.drainedAfter, revoked.drainedAfter]).toEqual([[], [0]])
  const sent = drained(t, 5)
  t.broker.deleteQueue('q')
  await t.settle()
  expect([sent.drainedAfter, sent.reason?.code]).toEqual([[], 'not_found'])
})

test('what it gets in one drain can be asked for again after it was given back', async () => {
  const t = await open()
  t.publish('queue:q', 'a')
  await t.settle()
  const consumer = drained(t, 1)
  await t.settle()
  consumer.nack(0)
  drained(t, 1, consumer)
  await t.settle()
  expect(consumer.taken()).toEqual(['a#1', 'a#2'])
  expect(consumer.drainedAfter).toHaveLength(2)
})

function publishAt(t: TestBroker, priority: number, value: string): void {
  const record = { timestampMs: t.platform.clock.nowMs(), key: null, value: encoder.encode(value) }
  t.broker.destination('queue:q', false).publish(-1, encodeBatch([{ ...record, headers: [priorityHeader(priority)] }]))
}
