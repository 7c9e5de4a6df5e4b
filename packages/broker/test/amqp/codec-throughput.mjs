// How many messages a second the AMQP codec reads and writes, without broker and sockets. Build first (npm run build), then:
//   node packages/broker/test/amqp/codec-throughput.mjs
/* oxlint-disable no-console */
import { RecordBatchBuilder, RecordCursor } from '@millrace/wire'
import { writeDelivery } from '../../dist/protocols/amqp/codec/deliveries.js'
import { encodeTable } from '../../dist/protocols/amqp/codec/field-table.js'
import { FRAME_BODY, FRAME_HEADER, FRAME_METHOD, FrameReader } from '../../dist/protocols/amqp/codec/frame-reader.js'
import {
  BASIC_ACK,
  BASIC_PUBLISH,
  methodCode,
  PublishMethod,
  SettleMethod,
  writeAck,
} from '../../dist/protocols/amqp/codec/hot-methods.js'
import { writeMethod } from '../../dist/protocols/amqp/codec/method-codec.js'
import { Output } from '../../dist/protocols/amqp/codec/output.js'
import { encodeProperties, PROPERTIES_AT, readBodySize } from '../../dist/protocols/amqp/codec/properties.js'
import { MessagesIn } from '../../dist/protocols/amqp/message-in.js'
import { MessagesOut } from '../../dist/protocols/amqp/message-out.js'

const CHUNK_BYTES = 64 * 1024
const ROUNDS = 5
const SECONDS = 1
const FRAME_MAX = 131_072
const BODY = new Uint8Array(100)

/** The best of some rounds: what the machine can do when nothing else wants it. */
function measure(what, run) {
  let best = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let messages = 0
    while (performance.now() - start < (SECONDS * 1000) / ROUNDS) messages += run()
    best = Math.max(best, messages / ((performance.now() - start) / 1000))
  }
  console.log(`${what.padEnd(60)} ${(best / 1e6).toFixed(2).padStart(7)} M/s`)
}

/** A stream of what `write` writes, cut as it comes out of a socket. */
function stream(write, messages) {
  const output = new Output()
  for (let n = 0; n < messages; n++) write(output, n)
  const whole = Buffer.concat(output.take())
  const chunks = []
  for (let at = 0; at < whole.length; at += CHUNK_BYTES) chunks.push(whole.subarray(at, at + CHUNK_BYTES))
  return chunks
}

/** @param properties encoded, or a function that gives them for each message */
function publishes(properties, keyOf) {
  return stream((output, n) => {
    const args = { exchange: 'amq.direct', routingKey: keyOf(n), mandatory: false, immediate: false }
    writeMethod(output, 1, 'basic.publish', args)
    output.begin(FRAME_HEADER, 1)
    output.u32(60 << 16)
    output.u64(BODY.length)
    output.copy(typeof properties === 'function' ? properties(n) : properties)
    output.end()
    output.body(1, BODY, 0, BODY.length, FRAME_MAX)
  }, 10_000)
}

function readPublishes(chunks) {
  const reader = new FrameReader()
  reader.payloadBytesMax = FRAME_MAX
  const publish = new PublishMethod()
  let bodySize = 0
  return () => {
    let messages = 0
    for (let n = 0; n < chunks.length; n++) {
      reader.feed(chunks[n])
      while (reader.next()) {
        const { bytes, at, end } = reader
        if (reader.type === FRAME_METHOD) {
          if (methodCode(bytes, at, end) !== BASIC_PUBLISH) throw new Error('not a publish')
          publish.read(bytes, at, end)
        } else if (reader.type === FRAME_HEADER) bodySize = readBodySize(bytes, at, end)
        else if (reader.type === FRAME_BODY && end - at === bodySize) messages++
      }
    }
    return messages
  }
}

const plain = encodeProperties({ deliveryMode: 2 })
const usual = encodeProperties({ contentType: 'application/json', deliveryMode: 2, messageId: '0123456789abcdef' })

measure('read basic.publish, 100 B, one route', readPublishes(publishes(plain, () => 'orders')))
measure('read basic.publish, 100 B, a new key each', readPublishes(publishes(plain, (n) => `orders.${n}`)))

function acks() {
  const chunks = stream((output, n) => writeAck(output, 1, n + 1, false), 10_000)
  const reader = new FrameReader()
  const settle = new SettleMethod()
  return () => {
    let messages = 0
    for (const chunk of chunks) {
      reader.feed(chunk)
      while (reader.next()) {
        settle.read(methodCode(reader.bytes, reader.at, reader.end), reader.bytes, reader.at, reader.end)
        if (settle.code === BASIC_ACK) messages++
      }
    }
    return messages
  }
}
measure('read basic.ack', acks())

function deliveries(properties, bodyBytes) {
  const output = new Output()
  const tag = Uint8Array.from([8, ...Buffer.from('ctag-001')])
  const message = { address: Uint8Array.from([10, ...Buffer.from('amq.direct'), 6, ...Buffer.from('orders')]), properties }
  const stored = new Uint8Array(100 * 1024)
  return () => {
    for (let n = 0; n < 1000; n++)
      writeDelivery(output, 1, tag, n, false, message, stored, (n * bodyBytes) % (50 * 1024), bodyBytes, FRAME_MAX)
    output.take()
    return 1000
  }
}
measure('write basic.deliver with content, 100 B', deliveries(plain, 100))
measure('write basic.deliver with content, 100 B, more properties', deliveries(usual, 100))
measure('write basic.deliver with content, 1 KiB', deliveries(plain, 1024))
measure('write basic.deliver with content, 16 KiB', deliveries(plain, 16 * 1024))

// ---- with records ---------------------------------------------------------------------------------------------------

/** Frames to record batches of up to 1,000 records: everything but the checksum of a publish that is the broker's. */
function publishesToRecords(chunks) {
  const reader = new FrameReader()
  reader.payloadBytesMax = FRAME_MAX
  const publish = new PublishMethod()
  const messages = new MessagesIn()
  const builder = new RecordBatchBuilder(256 * 1024, () => 0)
  const nowMs = Date.now()
  let form
  return () => {
    let count = 0
    for (let n = 0; n < chunks.length; n++) {
      reader.feed(chunks[n])
      while (reader.next()) {
        const { bytes, at, end } = reader
        if (reader.type === FRAME_METHOD) publish.read(bytes, at, end)
        else if (reader.type === FRAME_HEADER) form = messages.read(bytes, at + PROPERTIES_AT, end, publish.exchange)
        else {
          builder.appendEncoded(nowMs, form.recordKey(publish.routingKey), bytes, at, end - at, form.headersAt(nowMs))
          if (builder.records === 1000) builder.finish()
          count++
        }
      }
    }
    return count
  }
}
measure('frames to records, 100 B', publishesToRecords(publishes(plain, () => 'orders')))
measure('frames to records, 100 B, more properties', publishesToRecords(publishes(usual, () => 'orders')))
/** What most clients set on each message. */
function own(n) {
  const id = `5f0c7a52-8d1e-4b7e-9a55-${String(n).padStart(12, '0')}`
  const common = {
    contentType: 'application/json',
    deliveryMode: 2,
    correlationId: id,
    messageId: id,
    timestamp: 1_700_000_000 + n,
  }
  return encodeProperties(common)
}
const ownWithHeaders = (n) =>
  encodeProperties({
    contentType: 'application/json',
    deliveryMode: 2,
    messageId: `id-${n}`,
    headers: encodeTable({ tenant: 'north', trace: `0af7651916cd43dd8448eb211c80319c-${n}` }),
  })
const idEach = (n) => encodeProperties({ contentType: 'application/json', deliveryMode: 2, messageId: `${n}` })
const perMessage = [
  { what: 'a message id each', propertiesOf: idEach },
  { what: 'ids and time each', propertiesOf: own },
  { what: 'an id and text headers each', propertiesOf: ownWithHeaders },
]
for (const { what, propertiesOf } of perMessage) {
  const chunks = publishes(propertiesOf, () => 'orders')
  measure(`frames to records, 100 B, ${what}`, publishesToRecords(chunks))
}

/** Batches of 1,000 records to deliveries. */
function recordsToDeliveries(propertiesOf) {
  const messages = new MessagesIn()
  const builder = new RecordBatchBuilder()
  for (let n = 0; n < 1000; n++) {
    const bytes = propertiesOf(n)
    const form = messages.read(bytes, 0, bytes.length, 'amq.direct')
    builder.appendEncoded(n, 'orders', BODY, 0, BODY.length, form.headersAt(n))
  }
  const batch = builder.finish()
  const output = new Output()
  const tag = Uint8Array.from([8, ...Buffer.from('ctag-001')])
  const out = new MessagesOut()
  return () => {
    const cursor = new RecordCursor(batch)
    for (let n = 0; cursor.next(); n++) {
      out.read(cursor, 'orders')
      writeDelivery(output, 1, tag, n, false, out, batch, cursor.valueAt, cursor.valueLength, FRAME_MAX)
    }
    output.take()
    return 1000
  }
}
const expiring = encodeProperties({ deliveryMode: 2, expiration: '60000' })
measure(
  'records to deliveries, 100 B',
  recordsToDeliveries(() => plain),
)
measure(
  'records to deliveries, 100 B, more properties',
  recordsToDeliveries(() => usual),
)
measure(
  'records to deliveries, 100 B, with expiration',
  recordsToDeliveries(() => expiring),
)
for (const { what, propertiesOf } of perMessage)
  measure(`records to deliveries, 100 B, ${what}`, recordsToDeliveries(propertiesOf))
