import { BATCH_HEADER_BYTES, batchBaseOffset, batchProblem, batchSize, decodeBatch, encodeBatch } from '@millrace/wire'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { compressed } from '../../../../test/kafka/compressed.ts'
import { KafkaBroker, type KafkaOptions, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import type { Decoded } from '../codec/notation.ts'
import { errors } from '../errors.ts'
import { fetch } from '../messages/records.ts'

type FetchResponse = Decoded<typeof fetch.response>
type Asked = Partial<Record<'maxWaitMs' | 'minBytes' | 'maxBytes' | 'sessionId' | 'sessionEpoch' | 'isolationLevel', number>>

interface Partition {
  readonly topic?: string
  readonly partition?: number
  readonly fetchOffset?: number
  readonly partitionMaxBytes?: number
  readonly currentLeaderEpoch?: number
}

function fetchOf(partitions: readonly Partition[], asked: Asked = {}): Parameters<typeof ask>[1] {
  const topics = partitions.map(({ topic = 't', partition = 0, fetchOffset = 0, partitionMaxBytes = 1_000_000, ...more }) => ({
    topic,
    partitions: [{ partition, fetchOffset, partitionMaxBytes, ...more }],
  }))
  return { maxWaitMs: 0, minBytes: 1, topics, ...asked }
}

function ask(peer: KafkaPeer, request: Parameters<typeof peer.ask<typeof fetch>>[2]): Promise<FetchResponse> {
  return peer.ask(fetch, 11, request)
}

/** [base offset, values] of each batch. */
function batchesOf(response: FetchResponse, n = 0): [number, string[]][] {
  const { records } = response.responses.flatMap(({ partitions }) => partitions)[n]!
  const batches: [number, string[]][] = []
  for (let rest = records ?? new Uint8Array(0); rest.length > 0;) {
    const batch = rest.subarray(0, batchSize(rest))
    expect(batchProblem(batch, undefined, true)).toBeUndefined()
    expect(new DataView(batch.buffer, batch.byteOffset).getInt32(12)).toBe(0)
    batches.push([batchBaseOffset(batch), decodeBatch(batch).map(({ value }) => Buffer.from(value!).toString())])
    rest = rest.subarray(batch.length)
  }
  return batches
}

async function open(
  options: KafkaOptions = {},
): Promise<{ broker: KafkaBroker; peer: KafkaPeer; publish: (...values: string[]) => Promise<void> }> {
  const broker = await KafkaBroker.open(options)
  broker.core.broker.createTopic({ name: 't', partitions: 2 })
  await broker.core.settle()
  const publish = async (...values: string[]): Promise<void> => {
    broker.core.publishKeyed(
      'topic:t',
      0,
      values.map((value) => [null, value]),
    )
    await broker.core.settle()
  }
  return { broker, peer: broker.connect(), publish }
}

test('whole batches come with their own offsets, from the one that holds the offset on', async () => {
  const { peer, publish } = await open()
  await publish('a', 'b', 'c')
  await publish('d')
  expect(batchesOf(await ask(peer, fetchOf([{}])))).toEqual([
    [0, ['a', 'b', 'c']],
    [3, ['d']],
  ])
  expect(batchesOf(await ask(peer, fetchOf([{ fetchOffset: 1 }])))).toEqual([
    [0, ['a', 'b', 'c']],
    [3, ['d']],
  ])
  expect(batchesOf(await ask(peer, fetchOf([{ fetchOffset: 3 }])))).toEqual([[3, ['d']]])
  const end = await ask(peer, fetchOf([{ fetchOffset: 4 }]))
  expect(end.responses[0]!.partitions[0]).toMatchObject({
    errorCode: 0,
    highWatermark: 4,
    lastStableOffset: 4,
    logStartOffset: 0,
  })
  expect(batchesOf(end)).toEqual([])
})

test('only what is committed comes', async () => {
  const { broker, peer } = await open()
  broker.core.publishKeyed('topic:t', 0, [[null, 'a']])
  peer.send(fetch, 11, fetchOf([{}]))
  broker.core.platform.runTurn()
  await broker.core.settle()
  const response = peer.take(fetch, 11)
  expect(response.responses[0]!.partitions[0]!.highWatermark).toBe(batchesOf(response).length)
})

test('compressed batches come as they were sent, and plain to other doors', async () => {
  const { broker, peer } = await open()
  const plain = encodeBatch([
    { timestampMs: 5, value: Buffer.from('a'.repeat(500)), headers: [{ key: 'h', value: Buffer.from('x') }] },
  ])
  const small = compressed(plain, 1, (bytes) => gzipSync(bytes))
  broker.core.broker.destination('topic:t', false).publish(0, small)
  await broker.core.settle()
  const { records } = (await ask(peer, fetchOf([{}]))).responses[0]!.partitions[0]!
  expect(Buffer.from(records!.subarray(16))).toEqual(Buffer.from(small.subarray(16)))
  const reader = broker.core.read('topic:t', 'earliest')
  const consumer = broker.core.consume('topic:t/s', Infinity, { create: true, from: 'earliest' })
  await broker.core.settle()
  expect(reader.values).toEqual(['a'.repeat(500)])
  expect(consumer.values).toEqual(['a'.repeat(500)])
  expect(reader.messages[0]!.record.headers[0]!.key).toBe('h')
  await broker.core.crash()
  const again = await ask(broker.connect(), fetchOf([{}, { partition: 1 }]))
  expect(Buffer.from(again.responses[0]!.partitions[0]!.records!.subarray(16))).toEqual(Buffer.from(small.subarray(16)))
  expect(again.responses[0]!.partitions[1]).toMatchObject({ errorCode: 0, highWatermark: 0 })
})

describe('bytes', () => {
  test('end a response after whole batches, but not before the first', async () => {
    const { peer, publish } = await open()
    for (const value of ['a', 'b', 'c']) await publish(value.repeat(500))
    const count = async (partition: Partition, asked: Asked): Promise<number> =>
      batchesOf(await ask(peer, fetchOf([partition], asked))).length
    expect(await count({}, { maxBytes: 1 })).toBe(1)
    expect(await count({ partitionMaxBytes: 1 }, {})).toBe(1)
    expect(await count({}, { maxBytes: 1200 })).toBe(2)
    expect(await count({ partitionMaxBytes: 1200 }, {})).toBe(2)
    expect(await count({ partitionMaxBytes: 0 }, { maxBytes: 0 })).toBe(1)
  })

  test('are shared by partitions in the order in which they are named', async () => {
    const { broker, peer, publish } = await open()
    await publish('a'.repeat(500))
    broker.core.publishKeyed('topic:t', 1, [[null, 'b'.repeat(500)]])
    await broker.core.settle()
    const response = await ask(peer, fetchOf([{ partition: 1 }, { partition: 0 }], { maxBytes: 700 }))
    expect([batchesOf(response, 0).length, batchesOf(response, 1).length]).toEqual([1, 0])
    expect(response.responses[0]!.partitions[1]).toMatchObject({ errorCode: 0, highWatermark: 1 })
  })
})

describe('a fetch that finds too little', () => {
  test('waits for more, and not for longer than it says', async () => {
    const { broker, peer, publish } = await open()
    peer.send(fetch, 11, fetchOf([{}, { partition: 1 }], { maxWaitMs: 500 }))
    await broker.core.advance(499)
    expect(peer.waiting).toEqual([])
    await publish('a')
    expect(batchesOf(peer.take(fetch, 11))).toEqual([[0, ['a']]])
    peer.send(fetch, 11, fetchOf([{ fetchOffset: 1 }], { maxWaitMs: 500 }))
    await broker.core.advance(499)
    expect(peer.waiting).toEqual([])
    await broker.core.advance(1)
    expect(batchesOf(peer.take(fetch, 11))).toEqual([])
  })

  test('waits for its minimum of bytes', async () => {
    const { broker, peer, publish } = await open()
    peer.send(fetch, 11, fetchOf([{}], { maxWaitMs: 500, minBytes: 1000 }))
    await publish('a'.repeat(500))
    expect(peer.waiting).toEqual([])
    await publish('b'.repeat(500))
    expect(batchesOf(peer.take(fetch, 11))).toHaveLength(2)
    await broker.core.settle()
  })

  test('does not wait for what is there, however it lies on the disk', async () => {
    const { broker, peer, publish } = await open({ storage: { tailCacheBytes: 1 } })
    for (let n = 0; n < 400; n++) await publish('a'.repeat(100))
    peer.send(fetch, 11, fetchOf([{}, { partition: 1 }], { maxWaitMs: 500, minBytes: 60_000 }))
    await broker.core.settle()
    const batches = batchesOf(peer.take(fetch, 11))
    expect(batches.length).toBeGreaterThan(350)
    expect(batches.map(([offset]) => offset)).toEqual(batches.map((_, n) => n))
    peer.send(fetch, 11, fetchOf([{ partitionMaxBytes: 10_000 }], { maxWaitMs: 500, minBytes: 60_000 }))
    await broker.core.advance(500)
    expect(batchesOf(peer.take(fetch, 11)).length).toBeLessThanOrEqual(60)
  })

  test('hears of what was appended before it came and committed after', async () => {
    const { broker, peer } = await open()
    broker.core.publishKeyed('topic:t', 0, [[null, 'a']])
    peer.send(fetch, 11, fetchOf([{}], { maxWaitMs: 500 }))
    await broker.core.settle()
    expect(batchesOf(peer.take(fetch, 11))).toEqual([[0, ['a']]])
  })

  test('is told at once when its topic is deleted', async () => {
    const { broker, peer } = await open()
    peer.send(fetch, 11, fetchOf([{}], { maxWaitMs: 500 }))
    await broker.core.settle()
    broker.core.broker.deleteTopic('t')
    await broker.core.settle()
    expect(peer.take(fetch, 11).responses[0]!.partitions[0]!.errorCode).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
  })
})

describe('errors', () => {
  test.each<[string, Partition, number]>([
    ['unknown topics', { topic: 'missing' }, errors.UNKNOWN_TOPIC_OR_PARTITION],
    ['unknown partitions', { partition: 9 }, errors.UNKNOWN_TOPIC_OR_PARTITION],
    ['negative partitions', { partition: -1 }, errors.UNKNOWN_TOPIC_OR_PARTITION],
    ['offsets beyond the end', { fetchOffset: 2 }, errors.OFFSET_OUT_OF_RANGE],
    ['negative offsets', { fetchOffset: -1 }, errors.OFFSET_OUT_OF_RANGE],
    ['leaders that are not', { currentLeaderEpoch: 1 }, errors.UNKNOWN_LEADER_EPOCH],
  ])('are told at once of %s', async (_, partition, errorCode) => {
    const { peer, publish } = await open()
    await publish('a')
    const response = await ask(peer, fetchOf([partition], { maxWaitMs: 500 }))
    expect(response.responses[0]!.partitions[0]!.errorCode).toBe(errorCode)
  })

  test('topics are found by their id, and those that were deleted are not', async () => {
    const { broker, peer, publish } = await open()
    await publish('a')
    const { id } = broker.core.broker.storedTopic('t')
    const byId = (topicId: string): Promise<FetchResponse> =>
      peer.ask(fetch, 16, {
        maxWaitMs: 0,
        minBytes: 1,
        topics: [{ topicId, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
      })
    expect(batchesOf(await byId(id))).toEqual([[0, ['a']]])
    await broker.core.crash()
    expect(broker.core.broker.storedTopic('t').id).toBe(id)
    broker.core.broker.deleteTopic('t')
    broker.core.broker.createTopic({ name: 't' })
    await broker.core.settle()
    expect(broker.core.broker.storedTopic('t').id).not.toBe(id)
    expect(broker.core.broker.storedTopicById(id)).toBeUndefined()
  })

  test('reading may be forbidden', async () => {
    const { MillraceError } = await import('../../../base/errors.ts')
    const broker = await KafkaBroker.open({
      authorize(_, action) {
        if (action === 'read') throw new MillraceError('forbidden', 'no')
      },
    })
    broker.core.broker.createTopic({ name: 't' })
    const response = await ask(broker.connect(), fetchOf([{}]))
    expect(response.responses[0]!.partitions[0]!.errorCode).toBe(errors.TOPIC_AUTHORIZATION_FAILED)
  })
})

describe('a session', () => {
  test('names partitions once, and tells of those with news', async () => {
    const { broker, peer, publish } = await open()
    const first = await ask(peer, fetchOf([{}, { partition: 1 }], { sessionEpoch: 0 }))
    expect(first.sessionId).toBeGreaterThan(0)
    expect(first.responses).toHaveLength(1)
    expect(first.responses[0]!.partitions).toHaveLength(2)
    const { sessionId } = first
    expect((await ask(peer, fetchOf([], { sessionId, sessionEpoch: 1 }))).responses).toEqual([])
    await publish('a')
    const second = await ask(peer, fetchOf([], { sessionId, sessionEpoch: 2 }))
    expect(batchesOf(second)).toEqual([[0, ['a']]])
    expect(second.responses[0]!.partitions).toHaveLength(1)
    // The position moves on; a partition is taken out.
    const forgotten = {
      ...fetchOf([{ fetchOffset: 1 }], { sessionId, sessionEpoch: 3 }),
      forgottenTopicsData: [{ topic: 't', partitions: [1] }],
    }
    expect((await ask(peer, forgotten)).responses).toEqual([])
    broker.core.publishKeyed('topic:t', 1, [[null, 'b']])
    await publish('c')
    expect(batchesOf(await ask(peer, fetchOf([], { sessionId, sessionEpoch: 4 })))).toEqual([[1, ['c']]])
  })

  test('serves others first after a partition was served', async () => {
    const { broker, peer, publish } = await open()
    await publish('a'.repeat(500))
    broker.core.publishKeyed('topic:t', 1, [[null, 'b'.repeat(500)]])
    await broker.core.settle()
    const { sessionId, ...first } = await ask(peer, fetchOf([{}, { partition: 1 }], { sessionEpoch: 0, maxBytes: 700 }))
    expect(first.responses[0]!.partitions.map(({ records }) => records!.length > 0)).toEqual([true, false])
    const second = await ask(peer, fetchOf([], { sessionId, sessionEpoch: 1, maxBytes: 700 }))
    expect(second.responses[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([1])
    expect(second.responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(BATCH_HEADER_BYTES)
  })

  test('must exist, and be asked in turn', async () => {
    const { broker, peer } = await open()
    const { sessionId } = await ask(peer, fetchOf([{}], { sessionEpoch: 0 }))
    const codeOf = async (asked: Asked): Promise<number> => (await ask(peer, fetchOf([], asked))).errorCode
    expect(await codeOf({ sessionId, sessionEpoch: 2 })).toBe(errors.INVALID_FETCH_SESSION_EPOCH)
    expect(await codeOf({ sessionId: sessionId + 1, sessionEpoch: 1 })).toBe(errors.FETCH_SESSION_ID_NOT_FOUND)
    expect((await ask(broker.connect(), fetchOf([], { sessionId, sessionEpoch: 1 }))).errorCode).toBe(
      errors.FETCH_SESSION_ID_NOT_FOUND,
    )
    // It ends, and another begins.
    expect(await codeOf({ sessionId, sessionEpoch: -1 })).toBe(0)
    expect(await codeOf({ sessionId, sessionEpoch: 1 })).toBe(errors.FETCH_SESSION_ID_NOT_FOUND)
    expect((await ask(peer, fetchOf([{}], { sessionId, sessionEpoch: 0 }))).sessionId).not.toBe(sessionId)
  })
})

test('what is committed is all that there is: transactions that are open hold nothing back', async () => {
  const { peer, publish } = await open()
  await publish('a')
  const committed = await ask(peer, fetchOf([{}], { isolationLevel: 1 }))
  expect(committed.responses[0]!.partitions[0]).toMatchObject({ lastStableOffset: 1, abortedTransactions: [] })
  expect((await ask(peer, fetchOf([{}]))).responses[0]!.partitions[0]!.abortedTransactions).toBeNull()
})
