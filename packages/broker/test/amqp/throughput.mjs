// Messages over AMQP, in raw frames: `node test/amqp/throughput.mjs [messages] [bytes] [window]`, against a broker of its own on a disk.
// Needs `npm run build`.
/* oxlint-disable no-console */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, existsSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FRAME_METHOD, FrameReader } from '../../dist/protocols/amqp/codec/frame-reader.js'
import { writeContent } from '../../dist/protocols/amqp/codec/deliveries.js'
import { readMethod, writeMethod } from '../../dist/protocols/amqp/codec/method-codec.js'
import { writeAck } from '../../dist/protocols/amqp/codec/hot-methods.js'
import { Output } from '../../dist/protocols/amqp/codec/output.js'
import { encodeProperties } from '../../dist/protocols/amqp/codec/properties.js'

const [messages = 500_000, bytes = 100, window = 20_000] = process.argv.slice(2).map(Number)
const FRAME_BYTES_MAX = 131_072
const BATCH = 500

const directory = mkdtempSync(join(tmpdir(), 'millrace-amqp-'))
const readyFile = join(directory, 'ready.json')
const broker = spawn(process.execPath, [
  new URL('../../bin/millrace.cjs', import.meta.url).pathname,
  'start',
  `--data=${join(directory, 'data')}`,
  `--ready-file=${readyFile}`,
  '--log-level=warn',
  ...['native=none', 'http=none', 'kafka=none', 'amqp=127.0.0.1:0'].map((listen) => `--listen=${listen}`),
])
while (!existsSync(readyFile)) await new Promise((resolve) => setTimeout(resolve, 20))
const port = Number(JSON.parse(readFileSync(readyFile, 'utf8')).listeners.amqp.split(':')[1])

/** A connection with the channel 1; `onMethod` gets each method. */
async function open(onMethod) {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  const reader = new FrameReader()
  reader.payloadBytesMax = FRAME_BYTES_MAX
  const output = new Output()
  const send = () => socket.write(Buffer.concat(output.take()))
  const waiting = []
  socket.on('data', (chunk) => {
    reader.feed(chunk)
    while (reader.next()) {
      if (reader.type !== FRAME_METHOD) continue
      const { name, args } = readMethod(reader.bytes, reader.at, reader.end)
      if (waiting[0]?.name === name) waiting.shift().resolve(args)
      else onMethod(name, args)
    }
  })
  const call = (channel, name, args, reply) => {
    if (name !== undefined) writeMethod(output, channel, name, args)
    send()
    return new Promise((resolve) => waiting.push({ name: reply, resolve }))
  }
  socket.write(Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1))
  await call(0, undefined, undefined, 'connection.start')
  const credentials = { clientProperties: {}, mechanism: 'PLAIN', response: '\0guest\0guest', locale: 'en_US' }
  await call(0, 'connection.start-ok', credentials, 'connection.tune')
  writeMethod(output, 0, 'connection.tune-ok', { channelMax: 10, frameMax: FRAME_BYTES_MAX, heartbeat: 0 })
  await call(0, 'connection.open', { virtualHost: '/' }, 'connection.open-ok')
  await call(1, 'channel.open', {}, 'channel.open-ok')
  return { output, send, call, end: () => socket.destroy() }
}

const queue = 'bench'
const progress = { confirmed: 0, received: 0, wake: () => {} }
const reached = async (condition) => {
  while (!condition()) await new Promise((resolve) => (progress.wake = resolve))
}
const publisher = await open((name, { deliveryTag }) => {
  if (name === 'basic.ack') progress.confirmed = deliveryTag
  progress.wake()
})
const declaration = { queue, passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
await publisher.call(1, 'queue.declare', declaration, 'queue.declare-ok')
await publisher.call(1, 'confirm.select', { noWait: false }, 'confirm.select-ok')

const one = new Output()
writeMethod(one, 1, 'basic.publish', { exchange: '', routingKey: queue, mandatory: false, immediate: false })
writeContent(one, 1, encodeProperties({ deliveryMode: 2 }), new Uint8Array(bytes), 0, bytes, FRAME_BYTES_MAX)
const message = Buffer.concat(one.take())
const batch = Buffer.concat(Array.from({ length: BATCH }, () => message))

let start = performance.now()
for (let sent = 0; sent < messages; sent += BATCH) {
  await reached(() => sent - progress.confirmed < window)
  publisher.output.copy(batch)
  publisher.send()
}
await reached(() => progress.confirmed >= messages)
report('published and confirmed')

const consumer = await open((name, { deliveryTag }) => {
  if (name !== 'basic.deliver') return
  progress.received++
  if (progress.received % BATCH === 0) {
    writeAck(consumer.output, 1, deliveryTag, true)
    consumer.send()
  }
  if (progress.received === messages) progress.wake()
})
await consumer.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 5000, global: false }, 'basic.qos-ok')
start = performance.now()
const consumption = { queue, consumerTag: 't', noLocal: false, noAck: false, exclusive: false, noWait: false, arguments: {} }
await consumer.call(1, 'basic.consume', consumption, 'basic.consume-ok')
await reached(() => progress.received >= messages)
report('consumed and acknowledged')

function report(what) {
  const seconds = (performance.now() - start) / 1000
  console.log(`${what}: ${Math.round(messages / seconds)} messages of ${bytes} bytes per second`)
}

publisher.end()
consumer.end()
broker.kill('SIGTERM')
await new Promise((resolve) => broker.once('exit', resolve))
rmSync(directory, { recursive: true })
