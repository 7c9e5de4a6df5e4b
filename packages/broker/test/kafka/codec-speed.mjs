// What the codecs written by hand gain over the compiled ones, message by message. Build first (npm run build), then:
//   node packages/broker/test/kafka/codec-speed.mjs
/* oxlint-disable no-console */
import { ApiCodec } from '../../dist/protocols/kafka/codec/api-codec.js'
import { fetchCodec } from '../../dist/protocols/kafka/codec/hot/fetch-codec.js'
import { metadataCodec } from '../../dist/protocols/kafka/codec/hot/metadata-codec.js'
import { MessageReader } from '../../dist/protocols/kafka/codec/message-reader.js'
import { MessageWriter } from '../../dist/protocols/kafka/codec/message-writer.js'
import { metadata } from '../../dist/protocols/kafka/messages/cluster.js'
import { fetch } from '../../dist/protocols/kafka/messages/records.js'

const ROUND_MS = 150
const ROUNDS = 7

const times = (count, make) => Array.from({ length: count }, (_, n) => make(n))
const batch = new Uint8Array(2000)
const topicId = '0123456789abcdef0123456789abcdef'

const fetchRequest = (partitions) => ({
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 52_428_800,
  isolationLevel: 0,
  sessionId: 7,
  sessionEpoch: 3,
  topics: partitions === 0 ? [] : [{ topic: 'orders', topicId, partitions: times(partitions, fetchedPartition) }],
  forgottenTopicsData: [],
  rackId: '',
})
const fetchedPartition = (partition) => ({ partition, fetchOffset: 12_345, partitionMaxBytes: 1_048_576 })
const fetchResponse = (partitions) => ({
  throttleTimeMs: 0,
  errorCode: 0,
  sessionId: 7,
  responses: [
    {
      topic: 'orders',
      topicId,
      partitions: times(partitions, (partitionIndex) => ({
        partitionIndex,
        errorCode: 0,
        highWatermark: 12_400,
        lastStableOffset: 12_400,
        logStartOffset: 0,
        abortedTransactions: null,
        records: [batch],
      })),
    },
  ],
})
const metadataResponse = (topics, partitions) => ({
  brokers: [{ nodeId: 1, host: '127.0.0.1', port: 9092, rack: null }],
  clusterId: 'cluster',
  controllerId: 1,
  topics: times(topics, (n) => ({
    errorCode: 0,
    name: `topic-${n}`,
    topicId,
    partitions: times(partitions, (partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: 1,
      leaderEpoch: 0,
      replicaNodes: [1],
      isrNodes: [1],
      offlineReplicas: [],
    })),
  })),
})

/** Microseconds for one: the median of some rounds. */
function micros(act) {
  const rounds = times(ROUNDS, () => {
    const untilMs = performance.now() + ROUND_MS
    let count = 0
    const startedMs = performance.now()
    while (performance.now() < untilMs) {
      for (let n = 0; n < 100; n++) act()
      count += 100
    }
    return ((performance.now() - startedMs) * 1000) / count
  })
  return rounds.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]
}

function reading(codec, version, bytes) {
  return () => codec.readRequest(new MessageReader(bytes), version)
}

function writing(codec, version, response) {
  return () => {
    const writer = new MessageWriter()
    codec.writeResponse(writer, version, response)
    return writer.take()
  }
}

function compare(label, api, hot, version, kind, message) {
  const [compiled, byHand] = [new ApiCodec(api), new ApiCodec(api, hot)]
  const writer = new MessageWriter()
  if (kind === 'request') compiled.writeRequest(writer, version, message)
  const bytes = new Uint8Array(Buffer.concat(writer.take()))
  const timed = [compiled, byHand].map((codec) =>
    micros(kind === 'request' ? reading(codec, version, bytes) : writing(codec, version, message)),
  )
  const [slow, fast] = timed
  console.log(
    `${label.padEnd(46)} ${slow.toFixed(2).padStart(9)} us ${fast.toFixed(2).padStart(9)} us ${(slow / fast).toFixed(1).padStart(6)} times`,
  )
}

console.log(`${''.padEnd(46)}  compiled     by hand`)
for (const version of [11, 17]) {
  for (const partitions of [0, 1, 50]) {
    compare(`fetch request ${version}, ${partitions} partitions`, fetch, fetchCodec, version, 'request', fetchRequest(partitions))
    compare(
      `fetch response ${version}, ${partitions} partitions`,
      fetch,
      fetchCodec,
      version,
      'response',
      fetchResponse(partitions),
    )
  }
}
for (const version of [9, 13]) {
  compare(`metadata response ${version}, 1 topic of 3`, metadata, metadataCodec, version, 'response', metadataResponse(1, 3))
  compare(`metadata response ${version}, 200 topics of 6`, metadata, metadataCodec, version, 'response', metadataResponse(200, 6))
}
