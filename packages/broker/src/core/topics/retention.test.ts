import { describe, expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('retention', () => {
  test('drops batches that are too old, and may leave nothing', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'log', retention: { ms: HOUR } })
    t.publish('topic:log', 'a', 'b')
    await t.advance(40 * MINUTE)
    t.publish('topic:log', 'c')
    await t.advance(19 * MINUTE)
    const reader = t.read('topic:log', 'earliest')
    expect(reader.values).toEqual(['a', 'b', 'c'])
    await t.advance(2 * MINUTE)
    expect(t.broker.topic('log').partitionInfo[0]).toMatchObject({ start: 2, end: 3 })
    await t.crash()
    await t.advance(HOUR)
    expect(t.broker.topic('log').partitionInfo[0]).toEqual({ start: 3, end: 3, bytes: 0 })
    expect(t.publish('topic:log', 'd')).toBe(3)
  })

  test('keeps the number of records exactly, and of bytes whole batches but always the newest', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'counted', retention: { records: 5 } })
    t.broker.createTopic({ name: 'sized', retention: { bytes: 500 } })
    for (let n = 0; n < 4; n++) {
      for (const topic of ['topic:counted', 'topic:sized']) t.publish(topic, 'x'.repeat(100), 'y'.repeat(100))
      await t.settle()
    }
    await t.advance(MINUTE)
    expect(t.broker.topic('counted').partitionInfo[0]).toMatchObject({ start: 3, end: 8 })
    expect(t.broker.topic('sized').partitionInfo[0]).toMatchObject({ start: 6, end: 8 })
    t.publish('topic:sized', 'z'.repeat(1000))
    await t.advance(MINUTE)
    expect(t.broker.topic('sized').partitionInfo[0]).toMatchObject({ start: 8, end: 9 })
  })

  test('moves readers and subscriptions on, and an ack of what is gone is fine', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'log', retention: { records: 2 } })
    t.broker.createSubscription({ topic: 'log', name: 's', from: 'earliest', delivery: { leaseMs: HOUR } })
    t.publish('topic:log', 'a', 'b', 'c')
    await t.settle()
    const holder = t.consume('topic:log/s', 2)
    const reader = t.read('topic:log', 'earliest', 0, 1)
    await t.settle()
    t.publish('topic:log', 'd', 'e', 'f')
    await t.advance(MINUTE)
    reader.reader.grant(10)
    holder.ack(0)
    holder.nack(1)
    const other = t.consume('topic:log/s')
    await t.settle()
    expect([holder.values, reader.values, other.values]).toEqual([
      ['a', 'b'],
      // It had read ahead.
      ['a', 'b', 'c', 'e', 'f'],
      ['e', 'f'],
    ])
    other.ack(4, 5)
    await t.settle()
    expect(t.broker.subscription('log', 's')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 3 } })
  })

  test('works for two days over many topics while they are written, read and consumed', async () => {
    const t = await TestBroker.open({ limits: { stateLogBytesFloor: 4000 } })
    for (let n = 0; n < 20; n++)
      t.broker.createTopic({ name: `log${n}`, partitions: 2, retention: { ms: (1 + n) * HOUR, records: 100 } })
    t.broker.createTopic({ name: 'table', cleanup: 'compact' })
    t.broker.createSubscription({ topic: 'log5', name: 's' })
    const consumer = t.consume('topic:log5/s')
    for (let quarter = 0; quarter < 4 * 48; quarter++) {
      for (let n = 0; n < 20; n++) t.publish(`topic:log${n}`, `q${quarter}`)
      t.publishKeyed('topic:table', 0, [[`k${quarter % 7}`, quarter % 3 === 0 ? null : `v${quarter}`]])
      await t.settle()
      for (const { partition, offset } of consumer.messages.splice(0)) consumer.ack(offset, offset, partition)
      await t.advance(15 * MINUTE)
      if (quarter !== 100) continue
      await t.crash()
      Object.assign(consumer, t.consume('topic:log5/s'))
    }
    for (let n = 0; n < 20; n++) {
      const { partitionInfo } = t.broker.topic(`log${n}`)
      const kept = partitionInfo.reduce((sum, each) => sum + each.end - each.start, 0)
      // A quarter of an hour apart, over two partitions.
      expect(kept, `log${n}`).toBe(Math.min(192, (1 + n) * 4))
    }
    expect(t.warnings).toEqual([])
    expect(t.broker.subscription('log5', 's')).toMatchObject({ ready: 0 })
    const reader = t.read('topic:table', 'earliest')
    await t.settle()
    const last = new Map<string, number>()
    for (let quarter = 0; quarter < 4 * 48; quarter++) last.set(`k${quarter % 7}`, quarter)
    const expected = [...last]
      .toSorted(([, a], [, b]) => a - b)
      .map(([key, quarter]) => `${key}=${quarter % 3 === 0 ? null : `v${quarter}`}`)
    expect(reader.messages.map((each) => `${Buffer.from(each.record.key!).toString()}=${each.value}`)).toEqual(expected)
    expect(t.store.bounds(t.store.logs()[0]!).bytes).toBeLessThan(40_000)
  })
})
