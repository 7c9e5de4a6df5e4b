import { encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { KafkaBroker, type KafkaPeer, requestBytes } from '../../../test/kafka/kafka-peer.ts'
import { errors } from './errors.ts'
import { limits } from './limits.ts'
import { apiVersions, metadata } from './messages/cluster.ts'
import { fetch, produce } from './messages/records.ts'

const batch = encodeBatch([{ timestampMs: 1000, value: Buffer.from('a') }])
const produceOne = { acks: -1, timeoutMs: 1000, topicData: [{ name: 't', partitionData: [{ index: 0, records: batch }] }] }
const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' }
const waitingFetch = {
  maxWaitMs: 500,
  minBytes: 1,
  topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
}

async function withTopic(): Promise<{ broker: KafkaBroker; peer: KafkaPeer }> {
  const broker = await KafkaBroker.open()
  broker.core.broker.createTopic({ name: 't' })
  await broker.core.settle()
  return { broker, peer: broker.connect() }
}

describe('versions', () => {
  test('are told', async () => {
    const { peer } = await withTopic()
    const { errorCode, apiKeys } = await peer.ask(apiVersions, 3, software)
    expect(errorCode).toBe(errors.NONE)
    expect(apiKeys).toContainEqual({ apiKey: 0, minVersion: 0, maxVersion: 13 })
    expect(apiKeys).toContainEqual({ apiKey: 1, minVersion: 4, maxVersion: 18 })
  })

  test('are told in version 0 to whoever asks in one that is not known', async () => {
    const { broker, peer } = await withTopic()
    const strange = requestBytes(apiVersions, 3, software)
    new DataView(strange.buffer).setInt16(6, 99)
    peer.raw(strange)
    await broker.core.settle()
    const { errorCode, apiKeys } = peer.take(apiVersions, 0)
    expect(errorCode).toBe(errors.UNSUPPORTED_VERSION)
    expect(apiKeys.length).toBeGreaterThan(10)
    expect(peer.closed).toBe(false)
  })

  test('name and version of the software must be of the right form', async () => {
    const { peer } = await withTopic()
    const { errorCode } = await peer.ask(apiVersions, 3, { clientSoftwareName: '!', clientSoftwareVersion: '' })
    expect(errorCode).toBe(errors.INVALID_REQUEST)
  })

  test.each([
    ['of an API that does not exist', 4, 999],
    ['that is too new', 6, 99],
    ['that is negative', 6, -1],
  ])('a request %s ends the connection', async (_, at, value) => {
    const { broker, peer } = await withTopic()
    const request = requestBytes(metadata, 9, { topics: null })
    new DataView(request.buffer).setInt16(at, value)
    peer.raw(request)
    await broker.core.settle()
    expect(peer.closed).toBe(true)
  })

  test('old forms of produce are told of, for librdkafka, and not answered', async () => {
    const { broker, peer } = await withTopic()
    peer.send(produce, 2, produceOne)
    await broker.core.settle()
    expect(peer.closed).toBe(true)
  })
})

describe('requests', () => {
  test('come in any pieces', async () => {
    const { broker, peer } = await withTopic()
    const bytes = Buffer.concat([0, 1, 2].map((id) => requestBytes(metadata, 9, { topics: null }, id)))
    for (let at = 0; at < bytes.length; at += 5) peer.raw(new Uint8Array(bytes.subarray(at, at + 5)))
    await broker.core.settle()
    expect(peer.waiting).toEqual([0, 1, 2])
  })

  test('are answered in their order, while later ones take effect', async () => {
    const { broker, peer } = await withTopic()
    peer.send(fetch, 11, waitingFetch)
    peer.send(metadata, 9, { topics: null })
    peer.send(produce, 9, produceOne)
    expect(peer.waiting).toEqual([])
    await broker.core.settle()
    expect(peer.waiting).toEqual([0, 1, 2])
    expect(peer.take(fetch, 11).responses[0]!.partitions[0]!.highWatermark).toBe(1)
  })

  test('that were confirmed are durable', async () => {
    const { broker, peer } = await withTopic()
    peer.send(produce, 9, produceOne)
    broker.core.platform.runTurn()
    expect(peer.waiting).toEqual([])
    await broker.core.settle()
    expect(peer.waiting).toEqual([0])
    await broker.core.crash()
    expect(broker.core.broker.topic('t').partitionInfo[0]).toMatchObject({ start: 0, end: 1 })
  })

  test.each([
    ['too long', Uint8Array.of(0x7f, 0xff, 0xff, 0xff)],
    ['of length 0', Uint8Array.of(0, 0, 0, 0)],
    ['without a whole header', Uint8Array.of(0, 0, 0, 3, 0, 3, 0)],
    ['cut short', Uint8Array.of(0, 0, 0, 11, 0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0)],
  ])('that are %s end the connection', async (_, bytes) => {
    const { broker, peer } = await withTopic()
    peer.raw(new Uint8Array(bytes))
    await broker.core.settle()
    expect(peer.closed).toBe(true)
  })

  test('may go on after the message, as some of librdkafka do', async () => {
    const { broker, peer } = await withTopic()
    const header = Uint8Array.of(0, 0, 0, 18, 0, 3, 0, 13, 0, 0, 0, 1, 0xff, 0xff, 0)
    // No list: all topics. Then two switches, no tagged fields, and three bytes of nothing.
    peer.raw(new Uint8Array(Buffer.concat([header, Buffer.alloc(7)])))
    await broker.core.settle()
    expect(peer.closed).toBe(false)
    expect(peer.take(metadata, 13)).toMatchObject({ topics: [{ name: 't' }] })
  })
})

describe('pace', () => {
  test('nothing is read while too many requests wait, and all are answered', async () => {
    const { broker, peer } = await withTopic()
    const count = limits.requestsMax + 50
    const requests = Array.from({ length: count }, (_, id) => requestBytes(metadata, 9, { topics: [] }, id))
    peer.raw(new Uint8Array(Buffer.concat(requests)))
    expect(peer.paused).toBe(true)
    await broker.core.settle()
    expect(peer.paused).toBe(false)
    expect(peer.waiting).toHaveLength(count)
  })

  test('few fetches are taken up at a time, and all are answered', async () => {
    const { broker, peer } = await withTopic()
    peer.send(produce, 9, produceOne)
    await broker.core.settle()
    const fetches = Array.from({ length: 20 }, (_, id) => requestBytes(fetch, 11, waitingFetch, id))
    peer.raw(new Uint8Array(Buffer.concat(fetches)))
    expect(peer.paused).toBe(true)
    await broker.core.settle()
    expect(peer.paused).toBe(false)
    expect(peer.waiting).toHaveLength(21)
  })

  test('responses wait while the peer takes nothing', async () => {
    const { broker, peer } = await withTopic()
    peer.send(metadata, 9, { topics: [] })
    peer.backlogBytes = limits.backlogBytesHigh
    await broker.core.settle()
    expect(peer.waiting).toEqual([])
    peer.backlogBytes = 0
    peer.session.writable()
    await broker.core.settle()
    expect(peer.waiting).toEqual([0])
  })

  test('nothing is read while the peer takes nothing', async () => {
    const { broker, peer } = await withTopic()
    peer.backlogBytes = limits.backlogBytesHigh
    peer.send(metadata, 9, { topics: [] })
    await broker.core.settle()
    expect([peer.paused, peer.waiting]).toEqual([true, []])
    peer.backlogBytes = 0
    peer.session.writable()
    await broker.core.settle()
    expect([peer.paused, peer.waiting]).toEqual([false, [0]])
  })

  test('nothing is read while the broker has too much to write', async () => {
    const broker = await KafkaBroker.open({ storage: { pendingBytesHigh: 10_000, pendingBytesLow: 5000 } })
    broker.core.broker.createTopic({ name: 't' })
    await broker.core.settle()
    const peer = broker.connect()
    const records = encodeBatch([{ timestampMs: 1, value: new Uint8Array(20_000) }])
    peer.send(produce, 9, { ...produceOne, topicData: [{ name: 't', partitionData: [{ index: 0, records }] }] })
    expect(peer.paused).toBe(true)
    peer.send(metadata, 9, { topics: [] })
    await broker.core.settle()
    expect([peer.paused, peer.waiting]).toEqual([false, [0, 1]])
  })
})

describe('the end', () => {
  test('of a connection that nobody uses', async () => {
    const { broker, peer } = await withTopic()
    await peer.ask(metadata, 9, { topics: [] })
    peer.session.tick(1000)
    peer.session.tick(1000 + limits.idleMs - 1)
    expect(peer.closed).toBe(false)
    peer.session.tick(1000 + limits.idleMs)
    expect(peer.closed).toBe(true)
    await broker.core.settle()
  })

  test('of a broker: what waits is answered, then the connection is closed', async () => {
    const { broker, peer } = await withTopic()
    peer.send(produce, 9, produceOne)
    peer.send(fetch, 11, { ...waitingFetch, minBytes: 100_000 })
    peer.session.drain()
    peer.send(metadata, 9, { topics: [] })
    await broker.core.settle()
    expect(peer.waiting).toEqual([0, 1])
    expect(peer.closed).toBe(true)
  })

  test('of a connection with a fetch that waits: nothing is left behind', async () => {
    const { broker, peer } = await withTopic()
    peer.send(fetch, 11, waitingFetch)
    await broker.core.settle()
    peer.close()
    broker.core.publish('topic:t', 'a')
    await broker.core.advance(1000)
    expect(peer.waiting).toEqual([])
  })
})
