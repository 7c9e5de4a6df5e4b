import { encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { TestBroker, headersOf } from '../../../test/core/harness.ts'
import type { RedriveInfo, RedriveSpec } from '../broker.ts'

const encoder = new TextEncoder()

/** A queue whose messages were all rejected. */
async function withDeadLetters(...values: string[]): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'work', delivery: { deadLetter: 'queue:dead' } })
  await kill(t, 'queue:work', values)
  return t
}

async function kill(t: TestBroker, queue: string, values: string[], reason = 'bad'): Promise<void> {
  const base = t.publish(queue, ...values)
  const consumer = t.consume(queue)
  await t.settle()
  consumer.consumer.settle(0, base, base + values.length - 1, { kind: 'reject', reason })
  consumer.consumer.close()
  await t.settle()
}

async function redrive(t: TestBroker, spec: Partial<RedriveSpec> = {}): Promise<RedriveInfo> {
  const { id } = t.broker.redrive({ source: 'queue:dead', ...spec })
  return await t.platform.until(t.broker.whenRedriven(id))
}

async function contents(t: TestBroker, queue: string): Promise<(string | null)[]> {
  const reader = t.read(`queue:${queue}`, 'earliest')
  await t.settle()
  return reader.values
}

describe('redrive', () => {
  test('moves dead letters back to where they died, marked, and clean of their death', async () => {
    const t = await withDeadLetters('a', 'b', 'c')
    await t.advance(5000)
    const info = await redrive(t)
    expect(info).toMatchObject({ state: 'done', dryRun: false, scanned: 3, moved: 3, left: 0 })
    expect(info.groups).toEqual([{ origin: 'queue:work', reason: 'rejected', moved: 3, left: 0 }])
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.messages.map(({ value, attempt }) => [value, attempt])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ])
    const nowMs = String(t.platform.clock.nowMs())
    expect(headersOf(consumer.messages[0]!.record)).toEqual({ 'millrace-redriven-count': '1', 'millrace-redriven-time': nowMs })
    expect(t.broker.queue('dead')).toMatchObject({ ready: 0, bytes: 0, counters: { delivered: 0, acked: 0, dropped: 0 } })
  })

  test('counts how often', async () => {
    const t = await withDeadLetters('a')
    await redrive(t)
    const consumer = t.consume('queue:work')
    await t.settle()
    consumer.consumer.settle(0, 1, 1, { kind: 'reject' })
    await t.settle()
    await redrive(t, { keepHeaders: true })
    await t.settle()
    const headers = headersOf(consumer.messages[1]!.record)
    expect(headers).toMatchObject({ 'millrace-redriven-count': '2', 'millrace-dead-source': 'queue:work' })
    expect(headers).not.toHaveProperty('millrace-dead-count')
  })

  test('one, by its offset', async () => {
    const t = await withDeadLetters('a', 'b', 'c')
    expect(await redrive(t, { offset: 1 })).toMatchObject({ moved: 1, scanned: 1 })
    expect(await contents(t, 'dead')).toEqual(['a', 'c'])
    expect(() => t.broker.redrive({ source: 'queue:dead', offset: 1 })).toThrow(
      expect.objectContaining({ code: 'offset_out_of_range' }),
    )
    const consumer = t.consume('queue:dead')
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'c#1'])
  })

  test('some, by number and by filter', async () => {
    const t = await withDeadLetters('a', 'b')
    await kill(t, 'queue:work', ['c', 'd', 'e'], 'odd')
    const filter = `"millrace-dead-error" = 'odd'`
    expect(await redrive(t, { filter, dryRun: true })).toMatchObject({ moved: 3, scanned: 5, dryRun: true })
    expect(await contents(t, 'dead')).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(await redrive(t, { filter, max: 2 })).toMatchObject({ moved: 2, scanned: 4 })
    expect(await contents(t, 'dead')).toEqual(['a', 'b', 'e'])
    expect(await contents(t, 'work')).toEqual(['c', 'd'])
    const rest = t.consume('queue:dead')
    await t.settle()
    expect(rest.taken()).toEqual(['a#1', 'b#1', 'e#1'])
  })

  test('what it passes over was not delivered, after a crash either', async () => {
    const t = await withDeadLetters('a', 'b', 'c')
    await redrive(t, { offset: 1 })
    await t.crash()
    const consumer = t.consume('queue:dead')
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'c#1'])
  })

  test('elsewhere, out of any queue, into a topic by key', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'news', partitions: 3 })
    t.publishKeyed(
      'queue:dead',
      0,
      Array.from({ length: 30 }, (_, n) => [`k${n % 7}`, `m${n}`]),
    )
    await t.settle()
    const info = await redrive(t, { to: 'topic:news' })
    expect(info).toMatchObject({ moved: 30, to: 'topic:news', groups: [{ origin: 'unknown', reason: 'unknown', moved: 30 }] })
    const found: string[] = []
    for (let partition = 0; partition < 3; partition++) {
      const reader = t.read('topic:news', 'earliest', partition)
      await t.settle()
      const numbers = reader.values.map((value) => Number(value!.slice(1)))
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      found.push(...reader.values.map(String))
    }
    expect(new Set(found).size).toBe(30)
  })

  test('leaves what died in a subscription, or in a queue that is gone, unless it is told where to', async () => {
    const t = await withDeadLetters('a')
    t.broker.createSubscription({
      topic: (t.broker.createTopic({ name: 'news' }), 'news'),
      name: 'mail',
      delivery: { deadLetter: 'queue:dead' },
    })
    t.publish('topic:news', 'b')
    const consumer = t.consume('topic:news/mail')
    await t.settle()
    consumer.consumer.settle(0, 0, 0, { kind: 'reject' })
    await t.settle()
    t.broker.deleteQueue('work')
    const info = await redrive(t)
    expect(info).toMatchObject({ state: 'done', moved: 0, left: 2 })
    expect(info.groups.map(({ origin, left }) => [origin, left])).toEqual([
      ['queue:work', 1],
      ['topic:news/mail', 1],
    ])
    expect(await contents(t, 'dead')).toEqual(['a', 'b'])
    expect(await redrive(t, { to: 'topic:news' })).toMatchObject({ moved: 2, left: 0 })
    await t.settle()
    expect(consumer.values).toEqual(['b', 'a', 'b'])
  })

  test('does not touch what consumers hold, nor what came after it began', async () => {
    const t = await withDeadLetters('a', 'b', 'c')
    const consumer = t.consume('queue:dead', 1)
    await t.settle()
    const { id } = t.broker.redrive({ source: 'queue:dead', to: 'queue:dead' })
    expect(await t.platform.until(t.broker.whenRedriven(id))).toMatchObject({ moved: 2 })
    expect(await contents(t, 'dead')).toEqual(['a', 'b', 'c'])
    consumer.ack(0)
    consumer.consumer.grant(10)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'b#1', 'c#1'])
  })

  test('at so many messages per second, and can be cancelled', async () => {
    const t = await withDeadLetters(...Array.from({ length: 50 }, (_, n) => `m${n}`))
    const { id } = t.broker.redrive({ source: 'queue:dead', ratePerSecond: 10 })
    await t.advance(999)
    expect(t.broker.redriveInfo(id)).toMatchObject({ state: 'running', moved: 10 })
    await t.advance(1000)
    expect(t.broker.redriveInfo(id)).toMatchObject({ state: 'running', moved: 20 })
    expect(t.broker.cancelRedrive(id)).toBe(true)
    expect(t.broker.cancelRedrive(id)).toBe(false)
    await t.advance(10_000)
    expect(t.broker.redriveInfo(id)).toMatchObject({ state: 'cancelled', moved: 20 })
    expect(t.broker.queue('work').ready).toBe(20)
    expect(t.broker.queue('dead').ready).toBe(30)
    expect(t.broker.redrives()).toEqual([t.broker.redriveInfo(id)])
  })

  test('does not hurry messages whose policy has a time: it counts anew', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'work', delivery: { ttlMs: 1000, deadLetter: 'queue:dead' } })
    t.publish('queue:work', 'a')
    await t.advance(60_000)
    await redrive(t)
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['a'])
  })

  test('keeps the expiry of messages that did not die', async () => {
    const t = await TestBroker.open()
    const nowMs = t.platform.clock.nowMs()
    const headers = [{ key: 'expires-at', value: encoder.encode(String(nowMs + 1000)) }]
    t.broker
      .destination('queue:from', true)
      .publish(0, encodeBatch([{ timestampMs: nowMs, value: encoder.encode('a'), headers }]))
    t.broker.createQueue({ name: 'to' })
    await t.settle()
    expect(await redrive(t, { source: 'queue:from', to: 'queue:to' })).toMatchObject({ moved: 1 })
    await t.advance(1000)
    const consumer = t.consume('queue:to')
    await t.settle()
    expect(consumer.values).toEqual([])
  })

  test('leaves records without a key that a compacted topic would refuse', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'table', cleanup: 'compact' })
    t.publishKeyed('queue:dead', 0, [
      ['k', 'keyed'],
      [null, 'keyless'],
    ])
    await t.settle()
    expect(await redrive(t, { to: 'topic:table' })).toMatchObject({ moved: 1, left: 1 })
    expect(await contents(t, 'dead')).toEqual(['keyless'])
  })

  test('ends when its queue is deleted, and says so', async () => {
    const t = await withDeadLetters('a', 'b')
    const { id } = t.broker.redrive({ source: 'queue:dead', ratePerSecond: 1 })
    await t.settle()
    t.broker.deleteQueue('dead')
    await t.advance(5000)
    expect(t.broker.redriveInfo(id)).toMatchObject({ state: 'failed', error: expect.stringContaining('deleted') })
  })

  test('says what is wrong with what was asked for', async () => {
    const t = await withDeadLetters('a')
    const cases: [RedriveSpec, string][] = [
      [{ source: 'topic:news' }, 'bad_request'],
      [{ source: 'topic:news/mail' }, 'bad_request'],
      [{ source: 'queue:none' }, 'not_found'],
      [{ source: 'queue:dead', to: 'queue:none' }, 'not_found'],
      [{ source: 'queue:dead', to: 'topic:a/b' }, 'bad_request'],
      [{ source: 'queue:dead', filter: 'a = ' }, 'bad_selector'],
      [{ source: 'queue:dead', max: 0 }, 'bad_request'],
      [{ source: 'queue:dead', ratePerSecond: 0 }, 'bad_request'],
      [{ source: 'queue:dead', offset: 7 }, 'offset_out_of_range'],
    ]
    for (const [spec, code] of cases) expect(() => t.broker.redrive(spec)).toThrow(expect.objectContaining({ code }))
    expect(() => t.broker.redriveInfo(99)).toThrow(expect.objectContaining({ code: 'not_found' }))
    await expect(t.broker.whenRedriven(99)).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('purge', () => {
  test('drops what waits, whatever for, and leaves what is held', async () => {
    const t = await TestBroker.open()
    t.publish('queue:work', 'held', 'delayed', 'returned', 'new', 'new too')
    const consumer = t.consume('queue:work', 3)
    await t.settle()
    consumer.nack(1, 1, { delayMs: 60_000 })
    consumer.nack(2)
    await t.settle()
    const { ticket, messages } = t.broker.purgeQueue('work')
    expect(messages).toBe(4)
    await t.platform.until(t.broker.whenCommitted(ticket))
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 1 })
    await t.crash()
    await t.advance(120_000)
    const again = t.consume('queue:work')
    await t.settle()
    expect(again.taken()).toEqual(['held#2'])
    t.publish('queue:work', 'later')
    await t.settle()
    expect(again.taken()).toEqual(['later#1'])
    again.ack(0)
    again.ack(5)
    await t.settle()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0, bytes: 0 })
  })

  test('leaves what is published in the same turn', async () => {
    const t = await TestBroker.open()
    t.publish('queue:work', 'a')
    await t.settle()
    t.publish('queue:work', 'b')
    expect(t.broker.purgeQueue('work').messages).toBe(1)
    await t.settle()
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['b'])
    expect(() => t.broker.purgeQueue('none')).toThrow(expect.objectContaining({ code: 'not_found' }))
  })

  test('up to an end takes what was published before it, of each priority', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'work', priorities: 3 })
    t.publish('queue:work', 'a')
    const end = t.broker.endOfQueue('work')
    await t.settle()
    t.publish('queue:work', 'b')
    await t.settle()
    expect(t.broker.purgeQueue('work', end).messages).toBe(1)
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['b'])
    t.broker.deleteQueue('work')
    t.publish('queue:work', 'of another queue')
    await t.settle()
    expect(t.broker.purgeQueue('work', end).messages).toBe(0)
  })
})
