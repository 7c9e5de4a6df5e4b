import { decodeBatch, encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'

const encoder = new TextEncoder()

/** One batch; `id:value`, or a value alone. */
function batchOf(t: TestBroker, ...records: string[]): Uint8Array {
  return encodeBatch(
    records.map((record) => {
      const [id, value] = record.includes(':') ? record.split(':') : [undefined, record]
      const headers = id === undefined ? [] : [{ key: 'message-id', value: encoder.encode(id) }]
      return { timestampMs: t.platform.clock.nowMs(), value: encoder.encode(value), headers }
    }),
  )
}

/** @returns the base offset, and where the originals of duplicates are */
function publish(t: TestBroker, ...records: string[]): [number, ...string[]] {
  const destination = t.broker.destination('queue:once', false)
  const base = destination.publish(-1, batchOf(t, ...records))
  return [base, ...(destination.duplicates ?? []).map(({ position, partition, offset }) => `${position}=${partition}/${offset}`)]
}

async function stored(t: TestBroker, source = 'queue:once'): Promise<(string | null)[]> {
  const reader = t.read(source, 'earliest')
  await t.settle()
  reader.reader.close()
  return reader.values
}

async function open(dedup: { windowMs: number; entriesMax?: number } = { windowMs: 1000 }): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'once', dedup })
  await t.settle()
  return t
}

test('a message is stored once inside the window, and again after it', async () => {
  const t = await open()
  expect(publish(t, 'a:1', 'b:2', 'plain')).toEqual([0])
  expect(publish(t, 'a:1', 'c:3', 'b:2', 'plain')).toEqual([3, '0=0/0', '2=0/1'])
  await t.advance(600)
  expect(publish(t, 'c:3')).toEqual([3, '0=0/3'])
  expect(await stored(t)).toEqual(['1', '2', 'plain', '3', 'plain'])
  await t.advance(400)
  expect(publish(t, 'a:again')).toEqual([5])
  expect(publish(t, 'a:no', ':empty', ':empty')).toEqual([6, '0=0/5'])
  expect((await stored(t)).slice(5)).toEqual(['again', 'empty', 'empty'])
})

test('an id counts once in one batch', async () => {
  const t = await open()
  publish(t, 'before')
  expect(publish(t, 'a:1', 'a:2', 'b:3', 'a:4')).toEqual([1, '1=0/1', '3=0/1'])
  expect(await stored(t)).toEqual(['before', '1', '3'])
})

test('consumers never see a duplicate, and counters do not count it', async () => {
  const t = await open()
  const consumer = t.consume('queue:once')
  publish(t, 'a:1', 'b:2')
  publish(t, 'b:2', 'c:3', 'a:1')
  publish(t, 'a:1')
  await t.settle()
  expect(consumer.taken()).toEqual(['1#1', '2#1', '3#1'])
  consumer.ack(0, 2)
  await t.settle()
  publish(t, 'a:1', 'b:2', 'c:3')
  await t.settle()
  expect(consumer.taken()).toEqual([])
  expect(t.broker.queue('once')).toMatchObject({ ready: 0, bytes: 0, counters: { published: 3 } })
  expect(t.broker.stats().publishedMessages).toBe(3)
})

test('a duplicate has a ticket that comes, not before that of the first', async () => {
  const t = await open()
  publish(t, 'a:1')
  t.platform.runTurn()
  expect(publish(t, 'a:1')).toEqual([0, '0=0/0'])
  const ticket = t.broker.ticket()
  expect(t.broker.committedTicket).toBeLessThan(ticket)
  await t.platform.until(t.broker.whenCommitted(ticket))
  expect(await stored(t)).toEqual(['1'])
  // Nothing else is going on.
  publish(t, 'a:1')
  await t.platform.until(t.broker.whenCommitted(t.broker.ticket()))
})

test('what was lost in a crash is not remembered, and what was kept is', async () => {
  const t = await open()
  publish(t, 'a:1')
  await t.settle()
  publish(t, 'b:2')
  await t.crash()
  expect(publish(t, 'b:2', 'a:1')).toEqual([1, '1=0/0'])
  await t.advance(600)
  await t.restart()
  expect(publish(t, 'b:2', 'a:1')).toEqual([1, '0=0/1', '1=0/0'])
  await t.advance(400)
  await t.crash()
  expect(publish(t, 'b:2', 'a:1')).toEqual([2])
})

test('the oldest are forgotten beyond entriesMax', async () => {
  const t = await open({ windowMs: 60_000, entriesMax: 3 })
  for (const id of ['a', 'b', 'c', 'd', 'e']) publish(t, `${id}:1`)
  await t.settle()
  expect(publish(t, 'e:1', 'd:1', 'c:1')).toEqual([4, '0=0/4', '1=0/3', '2=0/2'])
  await t.crash()
  expect(publish(t, 'b:1')).toEqual([5])
  expect(publish(t, 'c:1')).toEqual([6])
  expect(publish(t, 'e:1')).toEqual([4, '0=0/4'])
})

test('an id counts for all partitions of a topic', async () => {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 'log', partitions: 3, dedup: { windowMs: 5000 } })
  const topic = t.broker.destination('topic:log', false)
  topic.publish(2, batchOf(t, 'x', 'a:1'))
  topic.publish(0, batchOf(t, 'a:1'))
  expect(topic.duplicates).toEqual([{ position: 0, partition: 2, offset: 1 }])
  expect(await stored(t, 'topic:log')).toEqual([])
  expect(t.broker.topic('log').dedup).toEqual({ windowMs: 5000, entriesMax: 1_000_000 })
})

test('is switched on, changed and off while running', async () => {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'once' })
  expect(t.broker.queue('once').dedup).toBeUndefined()
  publish(t, 'a:1')
  expect(publish(t, 'a:1')).toEqual([1])
  const logs = t.store.logs().length
  t.broker.updateQueue('once', { dedup: { windowMs: 1000 } })
  publish(t, 'a:1')
  await t.settle()
  expect(publish(t, 'a:1')).toEqual([2, '0=0/2'])
  t.broker.updateQueue('once', { delivery: { leaseMs: 5 } })
  t.broker.updateQueue('once', { dedup: { windowMs: 100_000, entriesMax: 10 } })
  await t.settle()
  await t.advance(5000)
  await t.crash()
  expect(t.broker.queue('once').dedup).toEqual({ windowMs: 100_000, entriesMax: 10 })
  expect(publish(t, 'a:1')).toEqual([2, '0=0/2'])
  t.broker.updateQueue('once', { dedup: { windowMs: 0 } })
  publish(t, 'b:1')
  expect(publish(t, 'b:1')).toEqual([4])
  await t.restart()
  expect(t.store.logs()).toHaveLength(logs)
  expect(publish(t, 'b:1')).toEqual([5])
})

test('goes away with its destination', async () => {
  const t = await open()
  publish(t, 'a:1')
  await t.settle()
  t.broker.deleteQueue('once')
  t.broker.createQueue({ name: 'once', dedup: { windowMs: 1000 } })
  expect(publish(t, 'a:1')).toEqual([0])
  await t.restart()
  expect(publish(t, 'a:1')).toEqual([0, '0=0/0'])
  t.broker.deleteQueue('once')
  await t.restart()
  expect(t.store.logs()).toHaveLength(1)
})

test('a clock that is set does not move the window', async () => {
  const t = await open({ windowMs: 10_000 })
  publish(t, 'a:1')
  t.platform.stepWallClock(60_000)
  expect(publish(t, 'a:1')).toEqual([0, '0=0/0'])
  await t.settle()
  t.platform.stepWallClock(-120_000)
  expect(publish(t, 'a:1')).toEqual([0, '0=0/0'])
  await t.restart()
  await t.advance(9000)
  expect(publish(t, 'a:1')).toEqual([0, '0=0/0'])
  await t.advance(1000)
  expect(publish(t, 'a:1')).toEqual([1])
})

test('ids leave memory and disk when nothing is published any more', async () => {
  const t = await open({ windowMs: 1000 })
  const [, , ids] = t.store.logs()
  for (let n = 0; n < 50; n++) {
    publish(t, ...Array.from({ length: 100 }, (_, m) => `${n}-${m}:x`))
    await t.settle()
  }
  expect(t.store.bounds(ids!)).toMatchObject({ start: 0, end: 5000 })
  expect(t.store.bounds(ids!).bytes).toBeLessThan(5000 * 36)
  await t.advance(60_000)
  expect(t.store.bounds(ids!)).toMatchObject({ start: 5000, end: 5000, bytes: 0 })
  expect(t.platform.clock.monotonicMs()).toBeGreaterThan(0)
})

test('a batch of very many ids is stored with all of them', async () => {
  const t = await open()
  const ids = Array.from({ length: 60_000 }, (_, n) => `${n}:`)
  expect(publish(t, ...ids)).toEqual([0])
  await t.settle()
  await t.crash()
  expect(publish(t, ...ids)).toHaveLength(60_001)
  expect(publish(t, 'new:1')).toEqual([60_000])
})

test('holds in transactions, for each destination by itself', async () => {
  const t = await open()
  t.broker.createQueue({ name: 'plain' })
  publish(t, 'a:1')
  const [once, plain] = ['queue:once', 'queue:plain'].map((name) => t.broker.destination(name, false))
  t.broker.transact([
    { kind: 'multicast', to: [once!, plain!], batch: batchOf(t, 'a:1', 'b:2') },
    { kind: 'publish', to: once!, partition: -1, batch: batchOf(t, 'b:2') },
  ])
  await t.settle()
  expect(await stored(t)).toEqual(['1', '2'])
  expect(await stored(t, 'queue:plain')).toEqual(['1', '2'])
  await t.crash()
  expect(publish(t, 'b:2')).toEqual([1, '0=0/1'])
})

test('a queue that is full still tells what it has', async () => {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'once', dedup: { windowMs: 1000 }, limits: { messages: 2, overflow: 'reject' } })
  publish(t, 'a:1', 'b:2')
  await t.settle()
  expect(() => publish(t, 'c:3')).toThrow(expect.objectContaining({ code: 'queue_full' }) as Error)
  expect(() => publish(t, 'a:1', 'c:3')).toThrow(/full/)
  expect(publish(t, 'b:2', 'a:1')).toEqual([1, '0=0/1', '1=0/0'])
  expect(await stored(t)).toEqual(['1', '2'])
})

test('settings are checked', async () => {
  const t = await open()
  const create = (dedup: object) => () => t.broker.createQueue({ name: 'x', dedup: dedup as { windowMs: number } })
  expect(create({ windowMs: -1 })).toThrow(/dedup.windowMs must be a whole number from 1/)
  expect(create({})).toThrow(/needs windowMs/)
  expect(create({ windowMs: 5, entriesMax: 0 })).toThrow(/dedup.entriesMax/)
  expect(create({ windowMs: 5, window: 1 })).toThrow(/no setting "window"/)
  expect(() => t.broker.createQueue({ name: 'once', dedup: { windowMs: 1000 } })).not.toThrow()
  expect(() => t.broker.createQueue({ name: 'once', dedup: { windowMs: 1001 } })).toThrow(/other settings/)
  expect(() => t.broker.createQueue({ name: 'once' })).toThrow(/other settings/)
})

test('the stored batch is the rest of what came', async () => {
  const t = await open()
  publish(t, 'b:2')
  publish(t, 'a:1', 'b:2', 'c:3')
  const reader = t.read('queue:once', 'earliest')
  await t.settle()
  const { batch, baseOffset } = reader.deliveries.at(-1)!
  expect(decodeBatch(batch, baseOffset).map(({ offset, value }) => [offset, new TextDecoder().decode(value!)])).toEqual([
    [1, '1'],
    [2, '3'],
  ])
})
