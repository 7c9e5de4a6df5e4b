import { expect, test } from 'vitest'
import { headersOf, TestBroker } from '../../../test/core/harness.ts'
import type { QueueSpec } from '../broker.ts'

/** A queue whose messages expire unless somebody takes them at once: `ttlMs: 0`. */
async function open(spec: Omit<QueueSpec, 'name'> = {}): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'q', ...spec, delivery: { ...spec.delivery, ttlMs: 0, deadLetter: 'queue:dead' } })
  await t.settle()
  return t
}

async function dead(t: TestBroker): Promise<(string | null)[]> {
  await t.settle()
  const reader = t.read('queue:dead', 'earliest')
  await t.settle()
  reader.reader.close()
  return reader.values
}

test('without a consumer a message expires as soon as it is committed', async () => {
  const t = await open()
  t.publish('queue:q', 'a', 'b')
  expect(await dead(t)).toEqual(['a', 'b'])
  expect(t.broker.queue('q')).toMatchObject({ ready: 0, bytes: 0, counters: { deadLettered: 2, delivered: 0 } })
  const reader = t.read('queue:dead', 'earliest')
  await t.settle()
  expect(headersOf(reader.messages[0]!.record)['millrace-dead-reason']).toBe('expired')
})

test('a consumer with credit gets it, whatever its timestamp; what is more than its credit expires', async () => {
  const t = await open()
  const consumer = t.consume('queue:q', 3)
  await t.advance(100_000)
  t.publish('queue:q', 'a')
  await t.settle()
  t.publish('queue:q', 'b', 'c', 'd', 'e')
  await t.settle()
  expect(consumer.values).toEqual(['a', 'b', 'c'])
  expect(await dead(t)).toEqual(['d', 'e'])
  consumer.ack(0, 2)
  t.publish('queue:q', 'f')
  expect(await dead(t)).toEqual(['d', 'e', 'f'])
})

test('nothing of a burst is lost to a consumer that takes all', async () => {
  for (const priorities of [1, 4]) {
    const t = await open({ priorities })
    const consumer = t.consume('queue:q')
    for (let n = 0; n < 300; n++) t.publish('queue:q', ...Array.from({ length: 20 }, (_, k) => `${n}.${k}`))
    await t.settle()
    expect(consumer.messages).toHaveLength(6000)
    expect(t.broker.queue('q').counters.deadLettered).toBe(0)
  }
})

test('one that is given back goes to whoever takes it at once, or expires', async () => {
  const t = await open()
  const consumer = t.consume('queue:q', 1)
  t.publish('queue:q', 'a')
  await t.settle()
  consumer.consumer.grant(1)
  consumer.nack(0)
  await t.settle()
  expect(consumer.taken()).toEqual(['a#1', 'a#2'])
  consumer.nack(0)
  expect(await dead(t)).toEqual(['a'])
  expect(consumer.taken()).toEqual([])
})

test('a pause is no consumer; an update and a restart end what waits', async () => {
  const t = await open({ delivery: { paused: true } })
  t.consume('queue:q')
  t.publish('queue:q', 'a')
  expect(await dead(t)).toEqual(['a'])
  t.broker.updateQueue('q', { delivery: { deadLetter: 'queue:dead' } })
  t.publish('queue:q', 'b')
  await t.settle()
  await t.crash()
  expect(t.broker.queue('q').ready).toBe(1)
  t.broker.updateQueue('q', { delivery: { deadLetter: 'queue:dead', ttlMs: 0 } })
  expect(await dead(t)).toEqual(['a', 'b'])
  await t.crash()
  expect(t.broker.queue('q')).toMatchObject({ ready: 0, delivery: { ttlMs: 0 } })
})

test('what was held at a crash expires then', async () => {
  const t = await open()
  t.consume('queue:q', 1)
  t.publish('queue:q', 'a')
  await t.settle()
  await t.crash()
  expect(await dead(t)).toEqual(['a'])
})

test('holds for subscriptions', async () => {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 't', partitions: 2 })
  t.broker.createSubscription({ topic: 't', name: 's', delivery: { ttlMs: 0 } })
  t.publishKeyed('topic:t', 1, [[null, 'a']])
  await t.settle()
  expect(t.broker.subscription('t', 's')).toMatchObject({ ready: 0, counters: { dropped: 1 } })
  const consumer = t.consume('topic:t/s')
  t.publishKeyed('topic:t', 0, [[null, 'b']])
  await t.settle()
  expect(consumer.values).toEqual(['b'])
})
