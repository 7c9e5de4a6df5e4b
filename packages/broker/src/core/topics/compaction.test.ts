import { describe, expect, test } from 'vitest'
import { type Message, TestBroker } from '../../../test/core/harness.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** What a reader sees of the topic: the last value of each key that it has, and how many records there are. */
async function contents(t: TestBroker): Promise<{ last: Map<string, string | null>; records: Message[] }> {
  const reader = t.read('topic:table', 'earliest')
  await t.settle()
  expect(reader.reason).toBe(undefined)
  expect(reader.reader.atEnd).toBe(true)
  reader.reader.close()
  const last = new Map<string, string | null>()
  for (const message of reader.messages) last.set(Buffer.from(message.record.key!).toString(), message.value)
  return { last, records: reader.messages }
}

describe('a compacted topic', () => {
  test('refuses records without a key', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'table', cleanup: 'compact' })
    expect(() => t.publish('topic:table', 'x')).toThrow(expect.objectContaining({ code: 'bad_request' }))
  })

  test('keeps exactly the last record of every key, at its offset, with any amount of memory', async () => {
    for (const keysMax of [1, 7, 1000]) {
      const t = await TestBroker.open({ compaction: { keysMax, keyBytesMax: 10_000 } })
      t.broker.createTopic({ name: 'table', cleanup: 'compact' })
      const model = new Map<string, { value: string; offset: number }>()
      for (let n = 0; n < 300; n++) {
        const records = Array.from(
          { length: 1 + t.platform.below(5) },
          (_, at) => [`k${t.platform.below(20)}`, `v${n}.${at}`] as const,
        )
        const base = t.publishKeyed('topic:table', 0, records)
        records.forEach(([key, value], at) => model.set(key, { value, offset: base + at }))
        if (n % 20 === 0) await t.settle()
        if (n % 100 === 50) await t.advance(11 * MINUTE)
      }
      await t.advance(11 * MINUTE)
      const { records } = await contents(t)
      const found = records.map((each) => [Buffer.from(each.record.key!).toString(), { value: each.value, offset: each.offset }])
      expect(found).toEqual([...model].toSorted(([, a], [, b]) => a.offset - b.offset))
      expect(t.warnings).toEqual([])
      await t.crash()
      expect((await contents(t)).records).toHaveLength(model.size)
    }
  })

  test('may drop what is old or too much, too', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'table', cleanup: 'compact,delete', retention: { ms: 3 * HOUR, records: 4 } })
    expect(() => t.publish('topic:table', 'x')).toThrow(expect.objectContaining({ code: 'bad_request' }))
    const publish = async (...keys: string[]): Promise<void> => {
      t.publishKeyed(
        'topic:table',
        0,
        keys.map((key) => [key, `${key}!`] as const),
      )
      await t.settle()
    }
    await publish('a', 'b', 'a', 'c')
    await t.advance(11 * MINUTE)
    expect((await contents(t)).records.map(({ offset }) => offset)).toEqual([1, 2, 3])
    await publish('d')
    await publish('e')
    await t.advance(MINUTE)
    expect((await contents(t)).records.map(({ offset }) => offset)).toEqual([2, 3, 4, 5])
    await t.advance(2 * HOUR)
    await publish('f')
    await t.advance(HOUR)
    expect((await contents(t)).last).toEqual(new Map([['f', 'f!']]))
    await t.crash()
    expect(t.broker.topic('table').cleanup).toBe('compact,delete')
    await t.advance(3 * HOUR)
    expect((await contents(t)).records).toEqual([])
    expect(t.warnings).toEqual([])
  })

  test('shows a deletion for a day, and then nothing', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'table', cleanup: 'compact' })
    t.publishKeyed('topic:table', 0, [
      ['a', '1'],
      ['b', '1'],
      ['a', null],
    ])
    await t.advance(11 * MINUTE)
    expect((await contents(t)).records.map((each) => each.value)).toEqual(['1', null])
    await t.advance(23 * HOUR)
    await t.crash()
    expect((await contents(t)).records.map((each) => each.value)).toEqual(['1', null])
    await t.advance(HOUR)
    expect((await contents(t)).records.map((each) => each.value)).toEqual(['1'])
  })

  test('is consumed by a subscription without the records that are gone', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'table', cleanup: 'compact' })
    t.broker.createSubscription({ topic: 'table', name: 'all', from: 'earliest' })
    for (let n = 0; n < 20; n++) t.publishKeyed('topic:table', 0, [[`k${n % 3}`, String(n)]])
    await t.settle()
    const early = t.consume('topic:table/all', 3)
    await t.settle()
    expect(early.values).toEqual(['0', '1', '2'])
    await t.advance(11 * MINUTE)
    // Those three were taken back when their lease ran out, and are overwritten.
    early.consumer.grant(10)
    await t.settle()
    expect(early.values.slice(3)).toEqual(['17', '18', '19'])
    expect(t.broker.subscription('table', 'all')).toMatchObject({ ready: 0, inFlight: 3 })
    early.ack(17, 19)
    await t.settle()
    await t.crash()
    expect(t.broker.subscription('table', 'all')).toMatchObject({ ready: 0, inFlight: 0 })
  })
})
