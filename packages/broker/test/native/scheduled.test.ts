import type { MillraceError } from '@millrace/client'
import { testBroker } from 'millrace/testing'
import { describe, expect, it } from 'vitest'

const SECOND = 1000

function rejection(promise: Promise<unknown>): Promise<MillraceError> {
  return promise.then(
    () => {
      throw new Error('it did not reject')
    },
    (error: unknown) => error as MillraceError,
  )
}

describe('messages for later', () => {
  it('appear after their delay or at their time, and not before', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const consumption = client.queue('mail').consume(() => {})
    const delayed = await client.queue('mail').publish('delayed', { delayMs: 90 * SECOND })
    await client.queue('mail').publish('at', { deliverAt: new Date(clock.nowMs + 30 * SECOND) })
    await client.queue('mail').publish('at too', { deliverAt: clock.nowMs + 31 * SECOND })
    expect(delayed).toEqual({ partition: 0, offset: -1, scheduled: expect.any(Number) as number })
    expect(await client.admin.queue('mail')).toMatchObject({ scheduled: 3, ready: 0 })
    expect(broker.published('queue:mail').texts()).toEqual(['delayed', 'at', 'at too'])
    await clock.advance('29s')
    expect(broker.consumed('queue:mail').texts()).toEqual([])
    await clock.advance('2s')
    expect(broker.consumed('queue:mail').texts()).toEqual(['at', 'at too'])
    await clock.advance('59s')
    expect(broker.consumed('queue:mail').texts()).toEqual(['at', 'at too', 'delayed'])
    await consumption.stop()
  })

  it('of a time that is now are ordinary messages; one that has passed is refused as it is stated', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const queue = client.queue('mail')
    expect(await queue.publish('a', { deliverAt: clock.nowMs })).toEqual({ partition: 0, offset: 0 })
    expect(await queue.publish('b', { delayMs: 0 })).toEqual({ partition: 0, offset: 1 })
    const deliverAt = new Date(clock.nowMs - SECOND)
    const past = { code: 'time_in_past', message: expect.stringContaining('To publish the message now, leave it out') as string }
    expect(await rejection(queue.publish('c', { deliverAt }))).toMatchObject(past)
    expect(await rejection(queue.publish('c', { delayMs: -1 }))).toMatchObject(past)
    expect(await rejection(queue.publishBatch([{ body: 'c' }, { body: 'd', deliverAt }]))).toMatchObject(past)
    expect(await rejection(client.exchange('amq.fanout').publish('c', { deliverAt }))).toMatchObject(past)
    const publisher = client.publisher('queue:mail')
    expect(() => publisher.send('c', { deliverAt })).toThrow(expect.objectContaining(past))
    await publisher.close()
    expect((await queue.peek()).map((message) => message.text())).toEqual(['a', 'b'])
  })

  it('that become due while they wait for room or for a connection are published at once', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const publisher = client.publisher('queue:mail', { window: 1 })
    await publisher.publish('first')
    broker.disconnect('1m')
    const deliverAt = clock.nowMs + 10 * SECOND
    const published = [publisher.publish('sent', { deliverAt }), publisher.publish('waits', { deliverAt })]
    const batch = client.queue('mail').publishBatch([{ body: 'batch', deliverAt }])
    await clock.advance('90s')
    await Promise.all([...published, batch])
    expect((await client.queue('mail').peek()).map((message) => message.text()).toSorted()).toEqual([
      'batch',
      'first',
      'sent',
      'waits',
    ])
    expect(await client.admin.queue('mail')).toMatchObject({ scheduled: 0 })
    await publisher.close()
  })

  it('go together when they are due together, among others; each can be cancelled', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const receipts = await client
      .queue('mail')
      .publishBatch([
        { body: 'a', delayMs: 5 * SECOND },
        { body: 'now' },
        { body: 'b', delayMs: 5 * SECOND },
        { body: 'c', delayMs: 6 * SECOND },
      ])
    expect(receipts[1]).toEqual({ partition: 0, offset: 0 })
    expect(receipts[2]!.scheduled).toBe(receipts[0]!.scheduled! + 1)
    expect(await client.cancelScheduled(receipts[2]!.scheduled!)).toBe(true)
    expect(await client.cancelScheduled(receipts[2]!.scheduled!)).toBe(false)
    await clock.advance('10s')
    expect(await client.cancelScheduled(receipts[0]!.scheduled!)).toBe(false)
    expect((await client.queue('mail').peek()).map((message) => message.text())).toEqual(['now', 'a', 'c'])
  })

  it('go through a publisher, and to the partition of their key', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    await client.admin.createTopic({ name: 'events', partitions: 4 })
    const plain = await client.topic('events').publish('plain', { key: 'k' })
    const publisher = client.publisher('topic:events')
    for (let n = 0; n < 100; n++) publisher.send(`m${n}`, { key: 'k', delayMs: n % 2 === 0 ? SECOND : 2 * SECOND })
    await publisher.flush()
    expect(publisher.unconfirmed).toBe(0)
    expect((await client.admin.topic('events')).scheduled).toBe(100)
    await clock.advance('2s')
    const found = await client.topic('events').peek({ partition: plain.partition, max: 200 })
    const evens = Array.from({ length: 50 }, (_, n) => `m${2 * n}`)
    const odds = Array.from({ length: 50 }, (_, n) => `m${2 * n + 1}`)
    expect(found.map((message) => message.text())).toEqual(['plain', ...evens, ...odds])
  })

  it('live so long from when they appear', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    await client.queue('mail').publish('a', { delayMs: 60 * SECOND, ttlMs: 10 * SECOND })
    await clock.advance('65s')
    const [message] = await client.queue('mail').pull()
    expect(message!.text()).toBe('a')
    await message!.ack()
  })

  it('with impossible times are refused, and where they cannot be', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const queue = client.queue('mail')
    for (const options of [
      { delayMs: Number.NaN },
      { deliverAt: new Date('nonsense') },
      { deliverAt: clock.nowMs * 1000 },
      { delayMs: 1, deliverAt: clock.nowMs },
    ]) {
      expect((await rejection(queue.publish('x', options))).code).toBe('bad_request')
    }
    const once = client.publisher('queue:mail', { idempotent: true })
    expect((await rejection(once.publish('x', { delayMs: 5 }))).message).toContain('idempotent')
    const transaction = client.transaction((tx) => tx.publish('queue:mail', 'x', { delayMs: 5 } as object))
    expect((await rejection(transaction)).message).toContain('transaction')
    expect(await queue.peek()).toEqual([])
  })
})
