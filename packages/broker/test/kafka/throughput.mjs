// 64 KiB batches through sessions of the Kafka and the native door, over the memory engine. Build first (npm run build), then:
//   node packages/broker/test/kafka/throughput.mjs
/* oxlint-disable no-console */
import { encodeBatch, FrameReader, FrameWriter, NATIVE_MAGIC, NATIVE_VERSION, writeFrame } from '@millrace/wire'
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openMemoryJournal } from '../../dist/engines/memory/index.js'
import { CommitWaiters } from '../../dist/protocols/commit-waiters.js'
import { ApiCodec } from '../../dist/protocols/kafka/codec/api-codec.js'
import { MessageWriter } from '../../dist/protocols/kafka/codec/message-writer.js'
import { kafkaDoor } from '../../dist/protocols/kafka/kafka-door.js'
import { fetch, produce } from '../../dist/protocols/kafka/messages/records.js'
import { nativeDoor } from '../../dist/protocols/native/native-door.js'
import { openToAll } from '../../dist/protocols/security.js'
import { allowAll } from '../../dist/protocols/session.js'
import { decompress } from '../../dist/server/decompress/decompress.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const BATCH_BYTES = 64 * 1024
const IN_FLIGHT = 32
const platform = nodePlatform()
const turn = () => new Promise((resolve) => setImmediate(resolve))

function batchOf(valueBytes) {
  const records = Math.floor((BATCH_BYTES - 61) / (valueBytes + 10))
  return encodeBatch(
    Array.from({ length: records }, () => ({ timestampMs: Date.now(), value: new Uint8Array(valueBytes) })),
    crc32c,
  )
}

async function withBroker(run) {
  const journal = await openMemoryJournal()
  const store = await openLogStore({ journal, platform, crc32c })
  const broker = await openBroker({ store, platform, crc32c, decompress })
  broker.createTopic({ name: 't', retention: { bytes: 64 * 1024 * 1024 } })
  const commits = new CommitWaiters(broker)
  const identity = { brokerId: broker.id, brokerVersion: '0' }
  const context = { broker, platform, commits, identity, authorize: allowAll, security: openToAll, status: () => ({}) }
  await run(context)
  commits.close()
  await broker.close()
  await store.close()
}

class Peer {
  peer = { address: 'bench', transport: 'in-process', secure: true }
  backlogLowBytes = 1000
  backlogBytes = 0
  paused = false
  frames = 0
  bytes = 0
  #reader = new FrameReader(1 << 30, true)

  write(chunks) {
    for (const chunk of chunks) {
      this.bytes += chunk.length
      this.#reader.feed(chunk)
      while (this.#reader.next()) this.onFrame(this.#reader)
    }
  }

  onFrame() {
    this.frames++
  }

  close() {
    throw new Error('closed')
  }

  pause() {
    this.paused = true
  }

  resume() {
    this.paused = false
  }
}

function kafkaRequest(definition, version, request) {
  const codec = new ApiCodec(definition)
  const writer = new MessageWriter()
  writer.int16(codec.key)
  writer.int16(version)
  writer.int32(1)
  writer.int16(-1)
  if (codec.isFlexible(version)) writer.uvarint(0)
  codec.writeRequest(writer, version, request)
  const body = Buffer.concat(writer.take())
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return new Uint8Array(Buffer.concat([length, body]))
}

async function measure(label, count, bytes, send, answered) {
  for (const run of ['warm-up', 'measured']) {
    const first = answered()
    const started = performance.now()
    let sent = 0
    while (answered() - first < count) {
      while (sent < count && sent - (answered() - first) < IN_FLIGHT && send()) sent++
      await turn()
    }
    const seconds = (performance.now() - started) / 1000
    if (run === 'warm-up') continue
    const rate = `${Math.round((count * bytes) / seconds / 1e6)} MB/s`
    console.log(
      `${label.padEnd(44)} ${rate.padStart(12)} ${Math.round((seconds / count) * 1e6)
        .toString()
        .padStart(8)} us each`,
    )
  }
}

const kafkaProduce = (label, batch, count) =>
  withBroker(async (context) => {
    const peer = new Peer()
    const session = kafkaDoor().accept(peer, context)
    const topicData = [{ name: 't', partitionData: [{ index: 0, records: batch }] }]
    const request = kafkaRequest(produce, 9, { acks: -1, timeoutMs: 1000, topicData })
    const send = () => !peer.paused && (session.receive(request), true)
    await measure(label, count, batch.length, send, () => peer.frames)
  })

const nativePublish = (label, batch, count) =>
  withBroker(async (context) => {
    const peer = new Peer()
    let confirmed = 0
    peer.onFrame = ({ bytes, view, start }) => {
      if (bytes[start] === 0x23) confirmed += view.getUint32(start + 1)
    }
    const session = nativeDoor.accept(peer, context)
    const writer = new FrameWriter()
    const take = () => new Uint8Array(Buffer.concat(writer.take()))
    writeFrame(writer, 'hello', { magic: NATIVE_MAGIC, version: NATIVE_VERSION, options: {} })
    writeFrame(writer, 'open', { publisher: 0, create: 1, destination: 'topic:t' })
    session.receive(take())
    await turn()
    writeFrame(writer, 'publish', { publisher: 0, partition: 0, batch })
    const frame = take()
    const send = () => !peer.paused && (session.receive(frame), true)
    await measure(label, count, batch.length, send, () => confirmed)
  })

const kafkaFetch = (label, batch, count) =>
  withBroker(async (context) => {
    for (let n = 0; n < 16; n++) context.broker.destination('topic:t', false).publish(0, batch)
    await turn()
    await turn()
    const peer = new Peer()
    // A response is one write; to gather its megabyte would cost more than to make it.
    peer.write = (chunks) => {
      peer.frames++
      for (const chunk of chunks) peer.bytes += chunk.length
    }
    const session = kafkaDoor().accept(peer, context)
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_048_576 }]
    const request = kafkaRequest(fetch, 11, {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 1_048_576,
      topics: [{ topic: 't', partitions }],
    })
    const send = () => !peer.paused && (session.receive(request), true)
    const before = peer.bytes
    session.receive(request)
    while (peer.frames === 0) await turn()
    await measure(label, count, peer.bytes - before, send, () => peer.frames)
  })

for (const valueBytes of [100, 1000]) {
  const batch = batchOf(valueBytes)
  await nativePublish(`native publish, ${valueBytes} bytes a record`, batch, 20_000)
  await kafkaProduce(`kafka produce, ${valueBytes} bytes a record`, batch, 20_000)
  await kafkaFetch(`kafka fetch of 1 MiB, ${valueBytes} bytes a record`, batch, 2000)
}
