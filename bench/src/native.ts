// Micro-benchmark of the native protocol: codec, and the client with an embedded broker (no sockets, no disk).
// Run: npx tsc -b && node bench/dist/native.js [encode|decode|frames|publish|end-to-end]
import {
  DeliverFrame,
  encodeBatch,
  FrameReader,
  FrameWriter,
  PublishFrame,
  RecordBatchBuilder,
  RecordCursor,
  recordsProblem,
  writeDeliver,
  writePublish,
} from '@millrace/wire'
import { startEmbedded } from 'millrace/embedded'

const BODY = new Uint8Array(100).fill(120)
const SECONDS = 2
const only = process.argv[2]

/** Runs `work`, which handles `count` messages, again and again. */
function rate(name: string, count: number, work: () => void): void {
  if (only !== undefined && !name.startsWith(only)) return
  for (const endMs = performance.now() + 300; performance.now() < endMs;) work()
  let messages = 0
  const before = process.cpuUsage()
  const startMs = performance.now()
  let nowMs = startMs
  for (; nowMs < startMs + SECONDS * 1000; nowMs = performance.now()) {
    work()
    messages += count
  }
  report(name, messages, nowMs - startMs, process.cpuUsage(before))
}

/** Processor time is what others on the machine do not change. */
function report(name: string, messages: number, ms: number, cpu: NodeJS.CpuUsage): void {
  const ns = ((cpu.user + cpu.system) * 1000) / messages
  const perSecond = (messages / ms / 1000).toFixed(2)
  console.log(`${name.padEnd(50)} ${perSecond} M messages/s, ${ns.toFixed(0)} ns of processor time each`)
}

function batchOf(count: number): Uint8Array {
  return encodeBatch(Array.from({ length: count }, () => ({ timestampMs: 1, value: BODY }))).slice()
}

function frames(count: number, batch: Uint8Array): Uint8Array {
  const writer = new FrameWriter()
  for (let n = 0; n < count; n++) writePublish(writer, n % 1000, 0, batch)
  return Buffer.concat(writer.take())
}

const builder = new RecordBatchBuilder()
const hundred = batchOf(100)
const one = batchOf(1)

rate('encode: batches of 600', 600, () => {
  for (let n = 0; n < 600; n++) builder.append(1, null, BODY)
  builder.finish().slice()
})
rate('decode: batches of 600, values looked at', 600, decode(batchOf(600)))
rate('decode: batches of 1, values looked at', 1, decode(one))
rate('check of records: batches of 100', 100, () => recordsProblem(hundred))
rate('check of records: batches of 1', 1, () => recordsProblem(one))
for (const [count, batch] of [
  [1, one],
  [100, hundred],
] as const) {
  const stream = frames(1000, batch)
  const reader = new FrameReader(2 ** 26)
  const frame = new PublishFrame()
  rate(`frames in: publish, batches of ${count}`, count * 1000, () => {
    for (let at = 0; at < stream.length; at += 65_536) {
      reader.feed(stream.subarray(at, at + 65_536))
      while (reader.next()) frame.read(reader)
    }
  })
  const writer = new FrameWriter()
  rate(`frames out: deliver, batches of ${count}`, count * 1000, () => {
    for (let n = 0; n < 1000; n++) writeDeliver(writer, 1, 0, n, 0, count - 1, 1, batch)
    writer.take()
  })
}

for (const destinations of [1, 10_000]) await publish(destinations)
await endToEnd()

function decode(batch: Uint8Array): () => void {
  const writer = new FrameWriter()
  writeDeliver(writer, 1, 0, 0, 0, 0, 1, batch)
  const stream = Buffer.concat(writer.take())
  const reader = new FrameReader(2 ** 26)
  const frame = new DeliverFrame()
  let bytes = 0
  return () => {
    reader.feed(stream)
    reader.next()
    frame.read(reader)
    const cursor = new RecordCursor(frame.batch)
    while (cursor.next()) bytes += cursor.valueLength
    if (bytes < 0) throw new Error('bytes cannot be negative')
  }
}

/** Pipelined and confirmed; over many queues every batch holds one message. */
async function publish(destinations: number): Promise<void> {
  const name = `publish: confirmed, ${destinations} queues`
  if (only !== undefined && !name.startsWith(only)) return
  await using broker = await startEmbedded()
  let confirmed = 0
  const publishers = Array.from({ length: destinations }, (_, n) =>
    broker.client.publisher(`queue:q${n}`, {
      window: Math.max(16, Math.floor(65_536 / destinations)),
      onConfirm: (messages) => {
        confirmed += messages
      },
    }),
  )
  const send = async (ms: number): Promise<void> => {
    const endMs = performance.now() + ms
    for (let n = 0; performance.now() < endMs;) {
      for (let burst = 0; burst < 1000; burst++) {
        const publisher = publishers[n++ % destinations]!
        if (!publisher.send(BODY)) await publisher.ready()
      }
      if (destinations > 1) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(publishers.map((publisher) => publisher.flush()))
  }
  await send(1000)
  confirmed = 0
  const before = process.cpuUsage()
  const startMs = performance.now()
  await send(SECONDS * 1000)
  report(name, confirmed, performance.now() - startMs, process.cpuUsage(before))
}

/** One publisher, one consumer that acks, at the same time. */
async function endToEnd(): Promise<void> {
  const name = 'end-to-end: published, confirmed, handled, acked'
  if (only !== undefined && !name.startsWith(only)) return
  await using broker = await startEmbedded()
  const queue = broker.client.queue('q')
  let handled = 0
  const consumption = queue.consume(
    () => {
      handled++
    },
    { prefetch: 8192 },
  )
  const publisher = broker.client.publisher('queue:q', { window: 16_384 })
  const run = async (ms: number): Promise<void> => {
    for (const endMs = performance.now() + ms; performance.now() < endMs;) if (!publisher.send(BODY)) await publisher.ready()
  }
  await run(1000)
  const handledBefore = handled
  const before = process.cpuUsage()
  const startMs = performance.now()
  await run(SECONDS * 1000)
  report(name, handled - handledBefore, performance.now() - startMs, process.cpuUsage(before))
  await publisher.flush()
  await consumption.stop()
}
