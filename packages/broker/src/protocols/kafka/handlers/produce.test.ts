import { encodeBatch, setBatchProducer } from '@millrace/wire'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { compressed } from '../../../../test/kafka/compressed.ts'
import { TestMemory } from '../../../../test/core/test-memory.ts'
import { KafkaBroker, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import { errors } from '../errors.ts'
import { produce } from '../messages/records.ts'
import { initProducerId } from '../messages/transactions.ts'

type Answer = { readonly errorCode: number; readonly baseOffset: number }

function batchOf(...values: string[]): Uint8Array {
  return encodeBatch(values.map((value) => ({ timestampMs: 1000, value: Buffer.from(value) }))).slice()
}

async function open(options: Parameters<typeof KafkaBroker.open>[0] = {}): Promise<{ broker: KafkaBroker; peer: KafkaPeer }> {
  const broker = await KafkaBroker.open(options)
  broker.core.broker.createTopic({ name: 't', partitions: 2 })
  broker.core.broker.createTopic({ name: 'table', cleanup: 'compact' })
  await broker.core.settle()
  return { broker, peer: broker.connect() }
}

async function produceTo(peer: KafkaPeer, records: Uint8Array | null, name = 't', index = 0, acks = -1): Promise<Answer> {
  const { responses } = await peer.ask(produce, 9, {
    acks,
    timeoutMs: 1000,
    topicData: [{ name, partitionData: [{ index, records }] }],
  })
  const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
  return { errorCode, baseOffset }
}

test('while the broker is low on memory, producers are asked to try again', async () => {
  const memory = new TestMemory()
  const { broker, peer } = await open({ memory })
  memory.become(true)
  expect(await produceTo(peer, batchOf('a'))).toMatchObject({ errorCode: errors.REQUEST_TIMED_OUT })
  memory.become(false)
  expect(await produceTo(peer, batchOf('a'))).toEqual({ errorCode: 0, baseOffset: 0 })
  expect(broker.core.broker.topic('t').partitionInfo[0]).toMatchObject({ start: 0, end: 1 })
})

test('the answer says where the log begins', async () => {
  const { broker, peer } = await open()
  await produceTo(peer, batchOf('a', 'b'))
  const begin = async (): Promise<number> => {
    const partitionData = [{ index: 0, records: batchOf('c') }]
    const { responses } = await peer.ask(produce, 9, { acks: -1, timeoutMs: 1000, topicData: [{ name: 't', partitionData }] })
    return responses[0]!.partitionResponses[0]!.logStartOffset
  }
  expect(await begin()).toBe(0)
  broker.core.broker.storedTopic('t').partitions[0]!.trim(2)
  await broker.core.settle()
  expect(await begin()).toBe(2)
})

test('batches get the offsets of their partition, whatever confirmation is asked for', async () => {
  const { broker, peer } = await open()
  expect(await produceTo(peer, batchOf('a', 'b'))).toEqual({ errorCode: 0, baseOffset: 0 })
  expect(await produceTo(peer, batchOf('c'), 't', 0, 1)).toEqual({ errorCode: 0, baseOffset: 2 })
  expect(await produceTo(peer, batchOf('d'), 't', 1)).toEqual({ errorCode: 0, baseOffset: 0 })
  const reader = broker.core.read('topic:t', 'earliest')
  await broker.core.settle()
  expect(reader.values).toEqual(['a', 'b', 'c'])
})

test('a topic can be named by its id', async () => {
  const { broker, peer } = await open()
  const { id } = broker.core.broker.storedTopic('t')
  const ask = async (topicId: string): Promise<number> => {
    const topicData = [{ topicId, partitionData: [{ index: 0, records: batchOf('a') }] }]
    const { responses } = await peer.ask(produce, 13, { acks: 1, timeoutMs: 1000, topicData })
    expect(responses[0]!.topicId).toBe(topicId)
    return responses[0]!.partitionResponses[0]!.errorCode
  }
  expect(await ask(id)).toBe(errors.NONE)
  expect(await ask('0123456789abcdef0123456789abcdef')).toBe(errors.UNKNOWN_TOPIC_ID)
})

describe('without a confirmation', () => {
  test('nothing is answered', async () => {
    const { broker, peer } = await open()
    peer.send(produce, 9, {
      acks: 0,
      timeoutMs: 0,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: batchOf('a') }] }],
    })
    await broker.core.settle()
    expect([peer.waiting, peer.closed]).toEqual([[], false])
    expect(broker.core.broker.topic('t').partitionInfo[0]!.end).toBe(1)
  })

  test('a failure ends the connection', async () => {
    const { broker, peer } = await open()
    peer.send(produce, 9, {
      acks: 0,
      timeoutMs: 0,
      topicData: [{ name: 'no', partitionData: [{ index: 0, records: batchOf('a') }] }],
    })
    await broker.core.settle()
    expect([peer.waiting, peer.closed]).toEqual([[], true])
  })
})

describe('refused', () => {
  const changed = (change: (batch: Uint8Array) => void): Uint8Array => {
    const batch = batchOf('a', 'b')
    change(batch)
    return batch
  }

  test.each<[string, Uint8Array | null, number]>([
    ['nothing', null, errors.INVALID_RECORD],
    ['an empty field', new Uint8Array(0), errors.INVALID_RECORD],
    ['less than a header', batchOf('a').subarray(0, 60), errors.INVALID_RECORD],
    ['half a batch', batchOf('a').subarray(0, -1), errors.INVALID_RECORD],
    ['two batches', Buffer.concat([batchOf('a'), batchOf('b')]), errors.INVALID_RECORD],
    ['an old format', changed((batch) => (batch[16] = 1)), errors.UNSUPPORTED_FOR_MESSAGE_FORMAT],
    ['damaged bytes', changed((batch) => (batch[batch.length - 1]! ^= 1)), errors.CORRUPT_MESSAGE],
    ['a control batch', changed((batch) => (batch[22] = 0x20)), errors.INVALID_RECORD],
    [
      'a batch of nobody knows whose transaction',
      changed((batch) => (batch[22] = 0x10)),
      errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    ],
    ['an unknown compression', compressed(batchOf('a'), 7, (bytes) => bytes), errors.INVALID_RECORD],
    ['a wrong compression', compressed(batchOf('a'), 2, (bytes) => gzipSync(bytes)), errors.INVALID_RECORD],
    ['more than there may be', encodeBatch([{ timestampMs: 1, value: new Uint8Array(18_000_000) }]), errors.MESSAGE_TOO_LARGE],
    [
      'a bomb',
      compressed(encodeBatch([{ timestampMs: 1, value: new Uint8Array(18_000_000) }]), 1, (bytes) => gzipSync(bytes)),
      errors.MESSAGE_TOO_LARGE,
    ],
  ])('is %s', async (_, records, errorCode) => {
    const { broker, peer } = await open()
    expect(await produceTo(peer, records)).toEqual({ errorCode, baseOffset: -1 })
    expect(await produceTo(peer, batchOf('a'))).toEqual({ errorCode: 0, baseOffset: 0 })
    expect(broker.core.broker.topic('t').partitionInfo[0]!.end).toBe(1)
  })

  test('are topics, partitions and confirmations that do not exist', async () => {
    const { peer } = await open()
    expect(await produceTo(peer, batchOf('a'), 'missing')).toEqual({
      errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION,
      baseOffset: -1,
    })
    expect(await produceTo(peer, batchOf('a'), 't', 2)).toEqual({ errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION, baseOffset: -1 })
    expect(await produceTo(peer, batchOf('a'), 't', -1)).toEqual({ errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION, baseOffset: -1 })
    expect(await produceTo(peer, batchOf('a'), 't', 0, 2)).toEqual({ errorCode: errors.INVALID_REQUIRED_ACKS, baseOffset: -1 })
  })

  test('are records without a key in a compacted topic, compressed or not', async () => {
    const { peer } = await open()
    const keyless = { errorCode: errors.INVALID_RECORD, baseOffset: -1 }
    expect(await produceTo(peer, batchOf('a'), 'table')).toEqual(keyless)
    expect(
      await produceTo(
        peer,
        compressed(batchOf('a'), 1, (bytes) => gzipSync(bytes)),
        'table',
      ),
    ).toEqual(keyless)
  })
})

async function producer(peer: KafkaPeer): Promise<(sequence: number, epoch?: number) => Uint8Array> {
  const { errorCode, producerId, producerEpoch } = await peer.ask(initProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 0,
  })
  expect([errorCode, producerEpoch]).toEqual([0, 0])
  return (sequence, epoch = 0) => {
    const batch = batchOf('a', 'b')
    setBatchProducer(batch, producerId, epoch, sequence)
    return batch
  }
}

test('a topic may take less than the broker', async () => {
  const { broker, peer } = await open()
  const batch = batchOf('x'.repeat(100))
  broker.core.broker.updateTopic('t', { batchBytesMax: batch.length })
  expect(await produceTo(peer, batch)).toEqual({ errorCode: 0, baseOffset: 0 })
  expect(await produceTo(peer, batchOf('x'.repeat(101)))).toEqual({ errorCode: errors.MESSAGE_TOO_LARGE, baseOffset: -1 })
  await broker.core.crash()
  expect(broker.core.broker.topic('t').batchBytesMax).toBe(batch.length)
  broker.core.broker.updateTopic('t', { batchBytesMax: 0 })
  expect(await produceTo(broker.connect(), batchOf('x'.repeat(101)))).toEqual({ errorCode: 0, baseOffset: 1 })
})

describe('an idempotent producer', () => {
  test('whom nobody remembers goes on where it is, as in Kafka since 2.5', async () => {
    const { peer } = await open()
    const batch = batchOf('a')
    setBatchProducer(batch, 12_345, 3, 77)
    expect(await produceTo(peer, batch)).toEqual({ errorCode: 0, baseOffset: 0 })
    expect(await produceTo(peer, batch)).toEqual({ errorCode: 0, baseOffset: 0 })
  })

  test('gets the original offset for what it sent before, also after a restart', async () => {
    const { broker, peer } = await open()
    const batch = await producer(peer)
    expect(await produceTo(peer, batch(0))).toEqual({ errorCode: 0, baseOffset: 0 })
    expect(await produceTo(peer, batchOf('x'))).toEqual({ errorCode: 0, baseOffset: 2 })
    expect(await produceTo(peer, batch(2))).toEqual({ errorCode: 0, baseOffset: 3 })
    expect(await produceTo(peer, batch(0))).toEqual({ errorCode: 0, baseOffset: 0 })
    await broker.core.crash()
    const again = broker.connect()
    expect(await produceTo(again, batch(2))).toEqual({ errorCode: 0, baseOffset: 3 })
    expect(await produceTo(again, batch(4))).toEqual({ errorCode: 0, baseOffset: 5 })
  })

  test('is told what is missing, and that its epoch is over', async () => {
    const { peer } = await open()
    const batch = await producer(peer)
    await produceTo(peer, batch(0))
    expect(await produceTo(peer, batch(4))).toEqual({ errorCode: errors.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 })
    expect(await produceTo(peer, batch(0, 1))).toEqual({ errorCode: 0, baseOffset: 2 })
    expect(await produceTo(peer, batch(2, 0))).toEqual({ errorCode: errors.INVALID_PRODUCER_EPOCH, baseOffset: -1 })
  })

  test('has its batches stored once also when they are compressed', async () => {
    const { broker, peer } = await open()
    const batch = await producer(peer)
    const small = compressed(batch(0), 1, (bytes) => gzipSync(bytes))
    expect(await produceTo(peer, small)).toEqual({ errorCode: 0, baseOffset: 0 })
    expect(await produceTo(peer, small)).toEqual({ errorCode: 0, baseOffset: 0 })
    const reader = broker.core.read('topic:t', 'earliest')
    await broker.core.settle()
    expect(reader.values).toEqual(['a', 'b'])
  })
})
