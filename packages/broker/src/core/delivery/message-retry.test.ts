import { encodeBatch, encodeText, RETRY_HEADER, retryHeader, type RetryPolicy } from '@millrace/wire'
import { expect, test } from 'vitest'
import { headersOf, TestBroker } from '../../../test/core/harness.ts'
import type { DeliveryPolicy } from '../broker.ts'

const once: RetryPolicy = { maxAttempts: 1 }
const fixed = (initialMs: number): RetryPolicy => ({ backoff: { kind: 'fixed', initialMs } })

async function withQueue(delivery: DeliveryPolicy = {}): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'dead' })
  t.broker.createQueue({ name: 'work', delivery: { deadLetter: 'queue:dead', ...delivery } })
  await t.settle()
  return t
}

/** One batch; a text is the header as it is. */
function publish(t: TestBroker, ...messages: (readonly [value: string, retry?: RetryPolicy | string])[]): number {
  const batch = encodeBatch(
    messages.map(([value, retry]) => {
      const header = typeof retry === 'string' ? { key: RETRY_HEADER, value: retry } : retryHeader(retry ?? {})
      return { timestampMs: t.platform.clock.nowMs(), value: encodeText(value), headers: header === undefined ? [] : [header] }
    }),
  )
  return t.broker.destination('queue:work', true).publish(-1, batch)
}

async function dead(t: TestBroker): Promise<(string | null)[]> {
  const reader = t.read('queue:dead', 'earliest')
  await t.settle()
  return reader.values
}

test('its attempts count more than those of the queue, both ways', async () => {
  const t = await withQueue({ maxAttempts: 2 })
  publish(t, ['less', once], ['plain'], ['more', { maxAttempts: 3 }], ['plain too'])
  const consumer = t.consume('queue:work')
  await t.settle()
  expect(consumer.taken()).toEqual(['less#1', 'plain#1', 'more#1', 'plain too#1'])
  consumer.nack(0, 3)
  await t.settle()
  expect(consumer.taken()).toEqual(['plain#2', 'more#2', 'plain too#2'])
  consumer.nack(1, 3)
  await t.settle()
  expect(consumer.taken()).toEqual(['more#3'])
  consumer.nack(2)
  await t.settle()
  expect(consumer.taken()).toEqual([])
  expect(await dead(t)).toEqual(['less', 'plain', 'plain too', 'more'])
})

test('they are set where the queue sets none, and count for leases and for consumers that go away', async () => {
  const t = await withQueue({ leaseMs: 1000 })
  publish(t, ['lease', once], ['leaves', { maxAttempts: 2 }], ['stays'])
  const first = t.consume('queue:work')
  await t.settle()
  await t.advance(1100)
  expect(await dead(t)).toEqual(['lease'])
  first.consumer.close()
  expect(await dead(t)).toEqual(['lease', 'leaves'])
  const second = t.consume('queue:work')
  await t.settle()
  expect(second.taken()).toEqual(['stays#3'])
})

test('attempts and the wait survive a crash, and the policy is read again', async () => {
  const t = await withQueue({ maxAttempts: 10 })
  publish(t, ['a', { maxAttempts: 3, backoff: { kind: 'fixed', initialMs: 5000 } }])
  const first = t.consume('queue:work')
  await t.settle()
  first.nack(0)
  await t.settle()
  await t.crash()
  const second = t.consume('queue:work')
  await t.advance(4500)
  expect(second.taken()).toEqual([])
  await t.advance(600)
  expect(second.taken()).toEqual(['a#2'])
  await t.crash()
  const third = t.consume('queue:work')
  await t.settle()
  expect(third.taken()).toEqual(['a#3'])
  third.nack(0)
  expect(await dead(t)).toEqual(['a'])
})

test('its backoff counts more than that of the queue, and less than what the consumer says', async () => {
  const t = await withQueue({ leaseMs: 1000, backoff: { kind: 'fixed', initialMs: 60_000 } })
  publish(t, ['a', fixed(200)], ['b', { maxAttempts: 9 }])
  const consumer = t.consume('queue:work')
  await t.settle()
  consumer.taken()
  consumer.nack(0, 1)
  await t.advance(250)
  expect(consumer.taken()).toEqual(['a#2'])
  consumer.nack(0, 0, { delayMs: 5 })
  await t.advance(10)
  expect(consumer.taken()).toEqual(['a#3'])
  await t.advance(1100)
  expect(consumer.taken()).toEqual([])
  await t.advance(200)
  expect(consumer.taken()).toEqual(['a#4'])
  consumer.consumer.settle(0, 0, 0, { kind: 'nack', fallbackDelayMs: 3000 })
  await t.advance(250)
  expect(consumer.taken()).toEqual(['a#5'])
  consumer.nack(0, 0, { uncounted: true })
  await t.settle()
  expect(consumer.taken()).toEqual(['a#5'])
  await t.advance(60_000)
  expect(consumer.taken()).toContain('b#2')
})

test.each(['', 'many', '{"maxAttempts":0}', '{"maxAttempts":1,"extra":2}', '{"backoff":{"kind":"fixed"}}', '[1]'])(
  'the header %j is no policy: that of the queue counts',
  async (header) => {
    const t = await withQueue({ maxAttempts: 2 })
    publish(t, ['a', header])
    const consumer = t.consume('queue:work')
    await t.settle()
    consumer.nack(0)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'a#2'])
    consumer.nack(0)
    expect(await dead(t)).toEqual(['a'])
  },
)

test('messages with one policy share a range, of whichever batch they are', async () => {
  const t = await withQueue()
  for (let n = 0; n < 20; n++) publish(t, [`m${n}`, once], [`n${n}`, once])
  const consumer = t.consume('queue:work')
  await t.settle()
  expect(consumer.messages).toHaveLength(40)
  consumer.nack(10, 29)
  expect(await dead(t)).toHaveLength(20)
  expect(t.broker.queue('work')).toMatchObject({ inFlight: 20, ready: 0 })
  consumer.consumer.close()
  expect(await dead(t)).toHaveLength(40)
})

test('an extended or divided delivery keeps it', async () => {
  const t = await withQueue({ leaseMs: 1000 })
  publish(t, ['a', once], ['b', once], ['c', once], ['d', once])
  const consumer = t.consume('queue:work')
  await t.advance(800)
  consumer.consumer.extend(0, 1, 1)
  consumer.ack(2)
  await t.advance(400)
  expect(await dead(t)).toEqual(['a', 'd'])
  consumer.nack(1)
  expect(await dead(t)).toEqual(['a', 'd', 'b'])
})

test('neighbours whose deliveries end together go each its own way', async () => {
  const t = await withQueue({ leaseMs: 1000 })
  publish(t, ['a', once], ['b', fixed(300)], ['c'], ['d', { maxAttempts: 2 }], ['e', once])
  const consumer = t.consume('queue:work')
  await t.advance(800)
  consumer.consumer.extend(0, 0, 4)
  await t.advance(900)
  expect(consumer.taken()).toEqual(['a#1', 'b#1', 'c#1', 'd#1', 'e#1'])
  expect(await dead(t)).toEqual([])
  await t.advance(200)
  expect(await dead(t)).toEqual(['a', 'e'])
  expect(consumer.taken()).toEqual(['c#2', 'd#2'])
  await t.advance(300)
  expect(consumer.taken()).toEqual(['b#2'])
})

test.each(['strict', 'key'] as const)('order %s waits for its next attempt', async (order) => {
  const t = await withQueue({ order })
  const keyed = (value: string, retry: RetryPolicy): void => {
    const header = retryHeader(retry)
    const record = {
      timestampMs: 1,
      key: encodeText('k'),
      value: encodeText(value),
      headers: header === undefined ? [] : [header],
    }
    t.broker.destination('queue:work', true).publish(-1, encodeBatch([record]))
  }
  keyed('a', { ...fixed(500), maxAttempts: 2 })
  keyed('b', {})
  const consumer = t.consume('queue:work', 1)
  await t.settle()
  consumer.nack(0)
  consumer.consumer.grant(5)
  await t.advance(400)
  expect(consumer.taken()).toEqual(['a#1'])
  await t.advance(200)
  expect(consumer.taken()[0]).toBe('a#2')
  consumer.nack(0)
  await t.settle()
  expect(await dead(t)).toEqual(['a'])
})

test('it does not count for a dead letter, and does again for what is redriven, from the first attempt on', async () => {
  const t = await withQueue()
  publish(t, ['a', once])
  const consumer = t.consume('queue:work')
  await t.settle()
  consumer.nack(0)
  await t.settle()
  const undertaker = t.consume('queue:dead')
  await t.settle()
  for (let n = 0; n < 3; n++) {
    undertaker.nack(0)
    await t.settle()
  }
  expect(undertaker.messages.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4])
  const { 'millrace-dead-retry': kept, ...headers } = headersOf(undertaker.messages[0]!.record)
  expect([kept, headers[RETRY_HEADER]]).toEqual(['{"maxAttempts":1}', undefined])
  undertaker.consumer.close()
  await t.settle()
  consumer.taken()
  for (const keepHeaders of [true, false]) {
    const { id } = t.broker.redrive({ source: 'queue:dead', keepHeaders })
    expect(await t.platform.until(t.broker.whenRedriven(id))).toMatchObject({ moved: 1 })
    await t.settle()
    const [again] = consumer.messages.splice(0)
    expect([again!.value, again!.attempt]).toEqual(['a', 1])
    expect(headersOf(again!.record)).toMatchObject({ [RETRY_HEADER]: '{"maxAttempts":1}' })
    expect(headersOf(again!.record)).not.toHaveProperty('millrace-dead-retry')
    consumer.nack(again!.offset)
    expect(await dead(t)).toEqual(['a'])
  }
})

test('subscriptions, levels of priority and what was scheduled obey it', async () => {
  const t = await withQueue()
  t.broker.createQueue({ name: 'levels', priorities: 10, delivery: { deadLetter: 'queue:dead' } })
  t.broker.createTopic({ name: 'news' })
  t.broker.createSubscription({ topic: 'news', name: 's', from: 'earliest', delivery: { deadLetter: 'queue:dead' } })
  const header = retryHeader(once)!
  const batch = (value: string): Uint8Array =>
    encodeBatch([
      { timestampMs: 1, value: encodeText(`${value} low`), headers: [header] },
      { timestampMs: 1, value: encodeText(`${value} high`), headers: [header, { key: 'priority', value: '7' }] },
    ])
  t.broker.destination('queue:levels', true).publish(-1, batch('levels'))
  t.broker.destination('topic:news', true).publish(-1, batch('news'))
  t.broker.destination('queue:work', true).publishLater(-1, batch('later'), t.platform.clock.nowMs() + 1000)
  const consumers = ['queue:levels', 'topic:news/s', 'queue:work'].map((source) => t.consume(source))
  await t.advance(1100)
  for (const consumer of consumers) consumer.consumer.close()
  expect(new Set(await dead(t))).toEqual(
    new Set(['later high', 'later low', 'levels high', 'levels low', 'news high', 'news low']),
  )
})
