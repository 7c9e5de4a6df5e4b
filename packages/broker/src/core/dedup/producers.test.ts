import { encodeBatch, setBatchProducer } from '@millrace/wire'
import { expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'
import type { ProducerIdentity } from '../broker.ts'
import { PRODUCERS_MAX } from './limits.ts'
import { UNKNOWN_OFFSET } from './producer.ts'

const encoder = new TextEncoder()
const WEEK_MS = 7 * 24 * 3_600_000

/** @returns the base offset; for a duplicate `=` and that of the original */
function publish(
  t: TestBroker,
  { producerId, epoch }: ProducerIdentity,
  sequence: number,
  count = 1,
  to = 'queue:q',
  partition = 0,
): number | string {
  const values = Array.from({ length: count }, (_, n) => `${sequence + n}`)
  const batch = encodeBatch(values.map((value) => ({ timestampMs: t.platform.clock.nowMs(), value: encoder.encode(value) })))
  setBatchProducer(batch, producerId, epoch, sequence)
  const destination = t.broker.destination(to, true)
  const base = destination.publish(partition, batch)
  const { duplicates } = destination
  if (duplicates === undefined) return base
  expect(duplicates.map(({ position }) => position)).toEqual(values.map((_, n) => n))
  expect(Math.max(0, duplicates[0]!.offset)).toBe(base)
  return `=${duplicates[0]!.offset}`
}

async function stored(t: TestBroker, source = 'queue:q'): Promise<(string | null)[]> {
  const reader = t.read(source, 'earliest')
  await t.settle()
  reader.reader.close()
  return reader.values
}

const outOfOrder = expect.objectContaining({ code: 'out_of_order_sequence' }) as Error
const fenced = expect.objectContaining({ code: 'fenced' }) as Error

test('a batch is stored once, however often it comes', async () => {
  const t = await TestBroker.open()
  const producer = t.broker.openProducer()
  expect(producer.epoch).toBe(0)
  expect([publish(t, producer, 0, 3), publish(t, producer, 0, 3), publish(t, producer, 3, 2)]).toEqual([0, '=0', 3])
  await t.settle()
  expect([publish(t, producer, 3, 2), publish(t, producer, 0, 3), publish(t, producer, 5)]).toEqual(['=3', '=0', 5])
  expect(await stored(t)).toEqual(['0', '1', '2', '3', '4', '5'])
})

test('gaps and overlaps are refused, and nothing of them is stored', async () => {
  const t = await TestBroker.open()
  const producer = t.broker.openProducer()
  publish(t, producer, 0, 5)
  for (const [sequence, count] of [
    [6, 1],
    [4, 2],
    [2 ** 31 - 1, 1],
  ] as const) {
    expect(() => publish(t, producer, sequence, count)).toThrow(outOfOrder)
  }
  expect(publish(t, producer, 5)).toBe(5)
  expect(await stored(t)).toHaveLength(6)
})

test('each partition has sequences of its own, and so has each destination', async () => {
  const t = await TestBroker.open()
  t.broker.createTopic({ name: 'log', partitions: 2 })
  const producer = t.broker.openProducer()
  expect(publish(t, producer, 0, 2, 'topic:log', 0)).toBe(0)
  expect(publish(t, producer, 0, 3, 'topic:log', 1)).toBe(0)
  expect(publish(t, producer, 2, 1, 'topic:log', 0)).toBe(2)
  expect(publish(t, producer, 0, 3, 'topic:log', 1)).toBe('=0')
  expect(publish(t, producer, 0, 1, 'queue:q')).toBe(0)
  expect(() => publish(t, producer, 3, 1, 'topic:log', -1)).toThrow(/must name its partition/)
})

test('originals are known for the last batches among those of others, and duplicates for ever', async () => {
  const t = await TestBroker.open()
  const producers = [t.broker.openProducer(), t.broker.openProducer()]
  for (let n = 0; n < 8; n++) for (const producer of producers) publish(t, producer, n)
  await t.settle()
  const again = [0, 2, 3, 7].map((sequence) => publish(t, producers[0]!, sequence))
  expect(again).toEqual([`=${UNKNOWN_OFFSET}`, `=${UNKNOWN_OFFSET}`, '=6', '=14'])
  await t.restart()
  expect([0, 2, 3, 7].map((sequence) => publish(t, producers[0]!, sequence))).toEqual(again)
  expect(await stored(t)).toHaveLength(16)
})

test('sequences begin again after 2^31 - 1', async () => {
  const t = await TestBroker.open()
  const producer = t.broker.openProducer()
  expect(publish(t, producer, 2 ** 31 - 3, 2)).toBe(0)
  expect(publish(t, producer, 2 ** 31 - 1, 4)).toBe(2)
  expect(publish(t, producer, 3, 1)).toBe(6)
  expect(publish(t, producer, 2 ** 31 - 1, 4)).toBe('=2')
  await t.settle()
  await t.crash()
  expect(publish(t, producer, 2 ** 31 - 3, 2)).toBe('=0')
  expect(publish(t, producer, 4)).toBe(7)
})

test('whoever opens a name fences those before', async () => {
  const t = await TestBroker.open()
  const first = t.broker.openProducer('orders')
  publish(t, first, 0, 2)
  const second = t.broker.openProducer('orders')
  expect(second).toEqual({ producerId: first.producerId, epoch: 1 })
  expect(() => publish(t, first, 2)).toThrow(fenced)
  expect(() => publish(t, first, 0, 2)).toThrow(/epoch 0 of producer \d+ is over: epoch 1 was opened since/)
  expect(publish(t, second, 0)).toBe(2)
  expect(() => publish(t, { ...second, epoch: 2 }, 0)).toThrow(/never opened/)
  expect(t.broker.openProducer('others').producerId).not.toBe(first.producerId)
  await t.settle()
  await t.crash()
  expect(() => publish(t, first, 2)).toThrow(fenced)
  expect(publish(t, second, 0)).toBe('=2')
  expect(t.broker.openProducer('orders').epoch).toBe(2)
})

test('goes on in a new epoch, unless somebody else did', async () => {
  const t = await TestBroker.open()
  const first = t.broker.openProducer('orders')
  const next = t.broker.openProducer('orders', first)
  expect(next.epoch).toBe(1)
  expect(() => t.broker.openProducer('orders', first)).toThrow(fenced)
  expect(() => t.broker.openProducer('never', first)).toThrow(fenced)
  expect(() => t.broker.openProducer('')).toThrow(/1 to 1024 bytes/)
})

test('an anonymous producer may begin a new epoch by itself, with sequence 0', async () => {
  const t = await TestBroker.open()
  const producer = t.broker.openProducer()
  publish(t, producer, 0)
  expect(() => publish(t, { ...producer, epoch: 1 }, 1)).toThrow(outOfOrder)
  expect(publish(t, { ...producer, epoch: 1 }, 0)).toBe(1)
  expect(() => publish(t, producer, 1)).toThrow(fenced)
  await t.settle()
  await t.crash()
  expect(() => publish(t, producer, 1)).toThrow(fenced)
  expect(publish(t, { ...producer, epoch: 1 }, 0)).toBe('=1')
})

test('epochs that are used up go on under a new id', async () => {
  const t = await TestBroker.open()
  let last = t.broker.openProducer('orders')
  const first = last
  for (let n = 0; n < 32_768; n++) last = t.broker.openProducer('orders')
  expect(last.epoch).toBe(0)
  expect(last.producerId).not.toBe(first.producerId)
  expect(() => publish(t, { ...first, epoch: 32_767 }, 0)).toThrow(fenced)
  await t.restart()
  expect(publish(t, last, 0)).toBe(0)
})

test('a batch that a crash took is taken again, one that was kept is not', async () => {
  const t = await TestBroker.open()
  const producer = t.broker.openProducer()
  publish(t, producer, 0, 2)
  await t.settle()
  publish(t, producer, 2)
  await t.crash()
  expect([publish(t, producer, 0, 2), publish(t, producer, 2)]).toEqual(['=0', 2])
  expect(() => publish(t, producer, 4)).toThrow(outOfOrder)
})

test('producers that nobody uses are forgotten after a week', async () => {
  const t = await TestBroker.open()
  const named = t.broker.openProducer('orders')
  const anonymous = t.broker.openProducer()
  const busy = t.broker.openProducer('busy')
  for (const producer of [named, anonymous, busy]) publish(t, producer, 0)
  for (let n = 1; n < 9; n++) {
    await t.advance(WEEK_MS / 7)
    publish(t, busy, n)
    if (n === 3) await t.restart()
  }
  expect(() => publish(t, named, 1)).toThrow(/is not known/)
  // An anonymous one goes on where it was.
  expect(publish(t, anonymous, 1)).toBe(11)
  expect(publish(t, anonymous, 1)).toBe('=11')
  expect(publish(t, busy, 8)).toBe('=10')
  await t.restart()
  expect(() => publish(t, named, 1)).toThrow(fenced)
  expect(t.broker.openProducer('orders').producerId).not.toBe(named.producerId)
})

test('beyond their number, those unused for longest are forgotten', async () => {
  const t = await TestBroker.open()
  const [first, anonymous] = [t.broker.openProducer('first'), t.broker.openProducer()]
  await t.advance(60_000)
  publish(t, anonymous, 0)
  for (let n = 2; n < PRODUCERS_MAX; n++) t.broker.openProducer(`${n}`)
  await t.settle()
  expect(publish(t, first, 0)).toBe(1)
  const old = t.broker.openProducer('2')
  await t.advance(60_000)
  publish(t, first, 1)
  const added = t.broker.openProducer('one more')
  expect(() => publish(t, old, 0)).toThrow(fenced)
  expect([publish(t, first, 1), publish(t, added, 0)]).toEqual(['=2', 3])
  await t.settle()
  await t.crash()
  expect(() => publish(t, old, 0)).toThrow(fenced)
  expect([publish(t, first, 1), publish(t, added, 0)]).toEqual(['=2', '=3'])
})

test('the log of producers stays short', async () => {
  const t = await TestBroker.open()
  const producer = t.broker.openProducer('busy')
  const other = t.broker.openProducer('other')
  publish(t, other, 0)
  for (let n = 0; n < 6000; n++) {
    publish(t, producer, n)
    if (n % 2 === 0) await t.settle()
  }
  await t.settle()
  const [, log] = t.store.logs()
  expect(t.store.bounds(log!).bytes).toBeLessThan(300_000)
  await t.crash()
  expect(publish(t, producer, 5999)).toBe('=6000')
  expect(publish(t, other, 0)).toBe('=0')
})

test('nonsense in the header is refused', async () => {
  const t = await TestBroker.open()
  expect(() => publish(t, { producerId: 2 ** 60, epoch: 0 }, 0)).toThrow(expect.objectContaining({ code: 'bad_batch' }))
  expect(() => publish(t, { producerId: 5, epoch: -1 }, 0)).toThrow(expect.objectContaining({ code: 'bad_batch' }))
  expect(() => publish(t, { producerId: 5, epoch: 0 }, -1)).toThrow(expect.objectContaining({ code: 'bad_batch' }))
  expect(() => publish(t, { producerId: 6, epoch: 0 }, 0)).toThrow(fenced)
})
