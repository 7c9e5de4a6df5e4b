/** What comes in compressed is stored so, and everything that looks at records sees them plain. */
import { batchCompression, encodeBatch, setBatchProducer } from '@millrace/wire'
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

  test('is stored as it came by a transaction, alone and shared', async () => {
    const t = await TestBroker.open({ decompress })
    for (const name of ['log', 'other']) t.broker.createTopic({ name })
    const [log, other] = ['log', 'other'].map((name) => t.broker.destination(`topic:${name}`, false))
    t.broker.transact([
      { kind: 'publish', to: log!, partition: 0, batch: gzipped(t, [[null, 'a']]) },
      { kind: 'multicast', to: [log!, other!], batch: gzipped(t, [['k', 'b']]) },
    ])
    await t.settle()
    expect([await stored(t, 'log'), await stored(t, 'other')]).toEqual([[1, 1], [1]])
    const reader = t.read('topic:log', 'earliest')
    await t.settle()
    expect(reader.values).toEqual(['a', 'b'])
  })

  test('is plain where its records are looked at: by priorities and dedup, in transactions too', async () => {
    const t = await TestBroker.open({ decompress })
    t.broker.createTopic({ name: 'once', dedup: { windowMs: MINUTE } })
    t.broker.createQueue({ name: 'urgent', priorities: 2 })
    const [once, urgent] = ['topic:once', 'queue:urgent'].map((name) => t.broker.destination(name, false))
    const batch = gzipped(t, [
      [null, 'a', '1'],
      [null, 'b', '2'],
    ])
    t.broker.transact([{ kind: 'publish', to: once!, partition: 0, batch: gzipped(t, [[null, 'first', '1']]) }])
    t.broker.transact([{ kind: 'multicast', to: [once!, urgent!], batch }])
    await t.settle()
    const reader = t.read('topic:once', 'earliest')
    const consumer = t.consume('queue:urgent')
    await t.settle()
    expect(reader.values).toEqual(['first', 'b'])
    expect(consumer.values).toEqual(['a', 'b'])
  })

  test('waits compressed for the end of an open transaction, whatever its topic is changed to meanwhile', async () => {
    const t = await TestBroker.open({ decompress })
    for (const name of ['log', 'once']) t.broker.createTopic({ name })
    const transactions = t.broker.producerTransactions
    const identity = transactions.open('p', MINUTE)
    const send = (topic: string, sequence: number, records: Records): boolean => {
      const batch = gzipped(t, records)
      setBatchProducer(batch, identity.producerId, identity.epoch, sequence)
      return transactions.publish('p', t.broker.destination(`topic:${topic}`, false), 0, batch, 'begin')
    }
    const long = 'x'.repeat(10_000)
    expect(send('log', 0, [[null, long]])).toBe(true)
    send('once', 0, [[null, 'a', '1']])
    send('once', 1, [[null, 'again', '1']])
    t.broker.updateTopic('once', { dedup: { windowMs: MINUTE } })
    await t.settle()
    expect(transactions.describe('p')!.bytes).toBeLessThan(long.length)
    await t.crash()
    t.broker.producerTransactions.end({ transactionalId: 'p', ...identity }, 'commit', false)
    await t.settle()
    expect(await stored(t, 'log')).toEqual([1])
    const readers = ['log', 'once'].map((name) => t.read(`topic:${name}`, 'earliest'))
    await t.settle()
    expect(readers.map(({ values }) => values)).toEqual([[long], ['a']])
  })

  test('is refused where it cannot be looked into, and when it is none', async () => {
    const blind = await TestBroker.open()
    blind.broker.createTopic({ name: 'log' })
    expect(() => blind.broker.destination('topic:log', false).publish(0, gzipped(blind, [[null, 'a']]))).toThrow(/compressed/)
    const t = await TestBroker.open({ decompress })
    t.broker.createTopic({ name: 'log' })
    const to = t.broker.destination('topic:log', false)
    const wrong = compressed(encodeBatch([{ timestampMs: 1, value: null }]), 1, () => gzipSync(Buffer.from('no records')))
    expect(() => to.publish(0, wrong)).toThrow(/record batch was refused/)
    expect(t.broker.topic('log').partitionInfo[0]!.end).toBe(0)
  })
})
