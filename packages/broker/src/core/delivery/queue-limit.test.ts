import { encodeBatch, encodeText, RecordBatchBuilder } from '@millrace/wire'
import { expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'
import type { QueueLimits } from '../broker.ts'

async function withQueue(limits: QueueLimits): Promise<TestBroker> {
  const t = await TestBroker.open({ storage: { entryBytesMax: 200 } })
  t.broker.createQueue({ name: 'dead' })
  t.broker.createQueue({ name: 'work', limits, delivery: { deadLetter: 'queue:dead' } })
  await t.settle()
  return t
}

test('a full queue refuses what is too much, as a whole, until there is room', async () => {
  const t = await withQueue({ messages: 3 })
  t.publish('queue:work', 'a', 'b')
  expect(() => t.publish('queue:work', 'c', 'd')).toThrow(expect.objectContaining({ code: 'queue_full' }))
  t.publish('queue:work', 'c')
  await t.settle()
  const consumer = t.consume('queue:work', 1)
  await t.settle()
  expect(() => t.publish('queue:work', 'd')).toThrow(expect.objectContaining({ code: 'queue_full' }))
  consumer.ack(0)
  t.publish('queue:work', 'd')
  await t.crash()
  expect(() => {
    t.publish('queue:work', 'e')
    t.publish('queue:work', 'f')
    t.publish('queue:work', 'g')
  }).toThrow(expect.objectContaining({ code: 'queue_full' }))
})

test('bytes count too', async () => {
  const t = await withQueue({ bytes: 2000 })
  const text = 'x'.repeat(300)
  let published = 0
  for (; published < 100; published++) {
    try {
      t.publish('queue:work', text)
    } catch (error) {
      expect(error).toMatchObject({ code: 'queue_full' })
      break
    }
    if (published % 2 === 0) await t.settle()
  }
  expect(published).toBeGreaterThanOrEqual(4)
  expect(published).toBeLessThanOrEqual(6)
})

test.each([
  ['messages', { messages: 3 }, {}, 3],
  ['bytes', { bytes: 460 }, {}, 3],
  ['messages of a queue with priorities', { messages: 3 }, { priorities: 5 }, 3],
  ['messages of a queue that leaves out duplicates', { messages: 3 }, { dedup: { windowMs: 1000 } }, 3],
])('of a batch that is too much the first records are taken when the door wants that: %s', async (_, limits, spec, fitting) => {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'work', limits, ...spec })
  const work = t.broker.destination('queue:work', false)
  const values = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(120))
  const batch = encodeBatch(values.map((value) => ({ timestampMs: 0, value: encodeText(value) })))
  expect(() => work.publish(0, batch)).toThrow(expect.objectContaining({ code: 'queue_full' }))
  expect(work.publishWhatFits(0, batch)).toBe(0)
  expect(work.refused).toMatchObject([{ position: fitting, error: { code: 'queue_full' } }])
  await t.settle()
  expect(() => work.publishWhatFits(0, batch)).toThrow(expect.objectContaining({ code: 'queue_full' }))
  expect(work.refused).toBeUndefined()
  const consumer = t.consume('queue:work')
  await t.settle()
  expect(consumer.taken()).toEqual(values.slice(0, fitting).map((value) => `${value}#1`))
})

test('a batch of a producer is taken whole or not at all', async () => {
  const t = await withQueue({ messages: 3 })
  const { producerId, epoch } = t.broker.openProducer()
  const builder = new RecordBatchBuilder()
  for (const letter of 'abcde') builder.append(0, null, letter)
  builder.setProducer(producerId, epoch, 0)
  const batch = builder.finish()
  const work = t.broker.destination('queue:work', false)
  expect(() => work.publishWhatFits(0, batch)).toThrow(expect.objectContaining({ code: 'queue_full' }))
  await t.settle()
  expect(t.broker.queue('work').ready).toBe(0)
})

test('the oldest make room, those that a consumer holds excepted', async () => {
  const t = await withQueue({ messages: 3, overflow: 'drop-head' })
  const consumer = t.consume('queue:work', 1)
  t.publish('queue:work', 'a', 'b', 'c', 'd', 'e')
  await t.settle()
  expect(t.broker.queue('work').ready + t.broker.queue('work').inFlight).toBe(3)
  t.publish('queue:work', 'f')
  await t.settle()
  const held = consumer.taken()
  expect(held).toHaveLength(1)
  consumer.consumer.grant(100)
  await t.settle()
  expect([...held, ...consumer.taken()].map((each) => each[0])).toEqual([held[0]![0], 'e', 'f'])
  await t.restart()
  expect(t.broker.queue('work')).toMatchObject({ ready: 3 })
  expect(t.broker.queue('dead').ready).toBe(0)
})

test('or the oldest go to the dead letters, which say why', async () => {
  const t = await withQueue({ messages: 2, overflow: 'dead-letter' })
  t.publish('queue:work', 'a', 'b', 'c', 'd', 'e')
  await t.settle()
  await t.crash()
  await t.settle()
  const dead = t.consume('queue:dead')
  const work = t.consume('queue:work')
  await t.settle()
  expect(dead.taken()).toEqual(['a#1', 'b#1', 'c#1'])
  expect(work.taken().map((each) => each[0])).toEqual(['d', 'e'])
})

test('a limit of none leaves nothing: all is refused, or dropped', async () => {
  for (const limits of [{ messages: 0 }, { bytes: 0 }]) {
    const t = await withQueue(limits)
    expect(() => t.publish('queue:work', 'a')).toThrow(expect.objectContaining({ code: 'queue_full' }))
    t.broker.updateQueue('work', { limits: { ...limits, overflow: 'drop-head' } })
    t.publish('queue:work', 'b', 'c')
    await t.settle()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0 })
    t.broker.updateQueue('work', { limits: { ...limits, overflow: 'dead-letter' } })
    t.publish('queue:work', 'd')
    await t.settle()
    await t.restart()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0 })
    expect(t.broker.queue('dead')).toMatchObject({ ready: 1 })
  }
})

test('limits can be changed and taken away; wrong ones are refused', async () => {
  const t = await withQueue({ messages: 1 })
  t.publish('queue:work', 'a')
  expect(() => t.publish('queue:work', 'b')).toThrow(expect.objectContaining({ code: 'queue_full' }))
  t.broker.updateQueue('work', { limits: { messages: 2 } })
  t.publish('queue:work', 'b')
  expect(t.broker.queue('work').limits).toEqual({ messages: 2, overflow: 'reject' })
  t.broker.updateQueue('work', { limits: {} })
  t.publish('queue:work', 'c', 'd', 'e')
  await t.restart()
  expect(t.broker.queue('work').limits).toBeUndefined()
  const refused = { messages: -1 }
  expect(() => t.broker.updateQueue('work', { limits: refused })).toThrow(/limits.messages must be a whole number/)
})
