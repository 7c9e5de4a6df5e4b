/** What comes in compressed is stored so, and everything that looks at records sees them plain. */
import { batchCompression, encodeBatch } from '@millrace/wire'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { TestBroker } from '../../test/core/harness.ts'
import { compressed } from '../../test/kafka/compressed.ts'
import type { Decompress } from '../ports/decompress.ts'

const MINUTE = 60_000
const decompress: Decompress = (_, bytes, bytesMax) => gunzipSync(bytes, { maxOutputLength: bytesMax })

type Records = readonly (readonly [key: string | null, value: string, id?: string])[]

function gzipped(t: TestBroker, records: Records): Uint8Array {
  const timestampMs = t.platform.clock.nowMs()
  const plain = encodeBatch(
    records.map(([key, value, id]) => ({
      timestampMs,
      key: key === null ? null : Buffer.from(key),
      value: Buffer.from(value),
      headers: id === undefined ? [] : [{ key: 'message-id', value: Buffer.from(id) }],
    })),
  )
  return compressed(plain, 1, (bytes) => gzipSync(bytes))
}

async function stored(t: TestBroker, topic: string): Promise<number[]> {
  const [partition] = t.broker.storedTopic(topic).partitions
  return (await partition!.read(partition!.bounds().start, 1_000_000)).map(({ bytes }) => batchCompression(bytes))
}

describe('a compressed batch', () => {
  test('is delivered plain, in parts, again and after a restart', async () => {
    const t = await TestBroker.open({ decompress })
    t.broker.createTopic({ name: 'log' })
    t.broker.createSubscription({ topic: 'log', name: 's', delivery: { maxAttempts: 2, deadLetter: 'queue:dead' } })
    t.broker.destination('topic:log', false).publish(
      0,
      gzipped(t, [
        [null, 'a'],
        ['k', 'b'],
        [null, 'c'],
      ]),
    )
    const consumer = t.consume('topic:log/s', 2)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'b#1'])
    consumer.ack(0)
    consumer.nack(1)
    await t.settle()
    await t.crash()
    const again = t.consume('topic:log/s')
    await t.settle()
    expect(again.values).toEqual(['b', 'c'])
    again.nack(1)
    await t.settle()
    expect(t.consume('queue:dead').consumer).toBeDefined()
    const dead = t.read('queue:dead', 'earliest')
    await t.settle()
    expect(dead.values).toEqual(['b'])
    expect(await stored(t, 'log')).toEqual([1])
  })

  test('is compacted', async () => {
    const t = await TestBroker.open({ decompress })
    t.broker.createTopic({ name: 'table', cleanup: 'compact' })
    const destination = t.broker.destination('topic:table', false)
    destination.publish(
      0,
      gzipped(t, [
        ['a', '1'],
        ['b', '1'],
      ]),
    )
    destination.publish(0, gzipped(t, [['a', '2']]))
    await t.advance(11 * MINUTE)
    const reader = t.read('topic:table', 'earliest')
    await t.settle()
    expect(reader.messages.map(({ offset, value }) => [offset, value])).toEqual([
      [1, '1'],
      [2, '2'],
    ])
    expect(() => destination.publish(0, gzipped(t, [[null, 'x']]))).toThrow(/every record needs a key/)
  })

  test('is stored without what was published before', async () => {
    const t = await TestBroker.open({ decompress })
    t.broker.createTopic({ name: 'once', dedup: { windowMs: MINUTE } })
    const destination = t.broker.destination('topic:once', false)
    destination.publish(0, gzipped(t, [[null, 'a', '1']]))
    destination.publish(
      0,
      gzipped(t, [
        [null, 'again', '1'],
        [null, 'b', '2'],
      ]),
    )
    await t.settle()
    const reader = t.read('topic:once', 'earliest')
    await t.settle()
    expect(reader.values).toEqual(['a', 'b'])
  })

  test('waits for its time', async () => {
    const t = await TestBroker.open({ decompress })
    t.broker.createTopic({ name: 'later' })
    t.broker.destination('topic:later', false).publishLater(0, gzipped(t, [[null, 'a']]), t.platform.clock.nowMs() + MINUTE)
    await t.advance(2 * MINUTE)
    const reader = t.read('topic:later', 'earliest')
    await t.settle()
    expect(reader.values).toEqual(['a'])
  })

  test('is found by time, and can be read from a time on', async () => {
    const t = await TestBroker.open({ decompress })
    t.broker.createTopic({ name: 'log' })
    const destination = t.broker.destination('topic:log', false)
    const start = t.platform.clock.nowMs()
    destination.publish(0, gzipped(t, [[null, 'a']]))
    await t.advance(1000)
    destination.publish(0, gzipped(t, [[null, 'b']]))
    await t.settle()
    const [partition] = t.broker.storedTopic('log').partitions
    expect(await partition!.at(start + 1)).toEqual({ offset: 1, timestampMs: start + 1000 })
    expect(await partition!.latest()).toEqual({ offset: 1, timestampMs: start + 1000 })
    const reader = t.read('topic:log', { timestampMs: start + 1 })
    await t.settle()
    expect(reader.values).toEqual(['b'])
  })

  test('is refused where it cannot be looked into, in transactions, and when it holds too much', async () => {
    const blind = await TestBroker.open()
    blind.broker.createTopic({ name: 'log' })
    expect(() => blind.broker.destination('topic:log', false).publish(0, gzipped(blind, [[null, 'a']]))).toThrow(/compressed/)
    const t = await TestBroker.open({ decompress })
    t.broker.createTopic({ name: 'log' })
    const to = t.broker.destination('topic:log', false)
    const batch = gzipped(t, [[null, 'a']])
    expect(() => t.broker.transact([{ kind: 'publish', to, partition: 0, batch }])).toThrow(/compressed/)
    const wrong = compressed(encodeBatch([{ timestampMs: 1, value: null }]), 1, () => gzipSync(Buffer.from('no records')))
    expect(() => to.publish(0, wrong)).toThrow(/record batch was refused/)
    expect(t.broker.topic('log').partitionInfo[0]!.end).toBe(0)
  })
})
