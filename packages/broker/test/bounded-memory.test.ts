import { setTimeout as sleep } from 'node:timers/promises'
import { encodeBatch, FrameWriter, writeFrame } from '@millrace/wire'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { RawPeer } from './harness/raw-peer.ts'
import { commandsFor } from './harness/run-command.ts'

const MIB = 1024 * 1024
const HEAP_MIB = 96
/** Heap, plus the bounded buffers: 64 MiB pending, 64 MiB tail cache, and what Node itself takes. */
const RSS_MAX = 320 * MIB
const FLOOD_BYTES = 768 * MIB

let broker: BrokerProcess
let worstRss: number
let watch: NodeJS.Timeout

beforeEach(async () => {
  broker = await BrokerProcess.start({ node: [`--max-old-space-size=${HEAP_MIB}`] })
  worstRss = 0
  watch = setInterval(() => (worstRss = Math.max(worstRss, broker.rssBytes())), 20)
})

afterEach(async () => {
  clearInterval(watch)
  await broker.stop()
})

/** One batch of messages of 1 KiB, as a `publish` frame of publisher 1. */
function publishFrame(messages: number): Uint8Array[] {
  const value = new Uint8Array(1024).fill(0x6d)
  const batch = encodeBatch(Array.from({ length: messages }, () => ({ timestampMs: 1, value })))
  const writer = new FrameWriter()
  writeFrame(writer, 'publish', { publisher: 1, partition: -1, batch })
  return writer.take()
}

/** Publishes so much, or as much as the broker takes in that time: it may well stop reading from a peer that does not read. */
async function flood(peer: RawPeer, bytesMax: number, ms: number): Promise<number> {
  const frame = publishFrame(64)
  const frameBytes = frame.reduce((sum, chunk) => sum + chunk.length, 0)
  let sent = 0
  const stop = new AbortController()
  const write = async (): Promise<void> => {
    for (; sent < bytesMax && !peer.closed && !stop.signal.aborted; sent += frameBytes) await peer.write(frame)
  }
  await Promise.race([write(), sleep(ms)])
  stop.abort()
  return sent
}

function report(what: string, sent: number): void {
  const figures = `${Math.round(sent / MIB)} MiB sent, at most ${Math.round(worstRss / MIB)} MiB resident`
  process.stderr.write(`bounded memory, ${what}: ${figures}\n`)
}

async function stillWorks(): Promise<void> {
  const run = commandsFor(broker.url)
  expect(await run(['pub', 'queue:canary', 'alive'])).toMatchObject({ code: 0 })
  expect(await run(['sub', 'queue:canary', '--count', '1', '-q'])).toMatchObject({ code: 0, stdout: 'alive\n' })
}

test('a publisher that never waits and never reads its confirms', { timeout: 120_000 }, async () => {
  const peer = await RawPeer.connect(broker.url)
  await peer.send('open', { publisher: 1, create: 1, destination: 'queue:flood' })
  await peer.next('opened')
  peer.stopReading()
  const sent = await flood(peer, FLOOD_BYTES, 20_000)
  await stillWorks()
  peer.destroy()
  report('publisher that never waits', sent)
  expect(worstRss).toBeLessThan(RSS_MAX)
})

test('a consumer that grants everything and stops reading', { timeout: 120_000 }, async () => {
  const producer = await RawPeer.connect(broker.url)
  await producer.send('open', { publisher: 1, create: 1, destination: 'queue:flood' })
  await producer.next('opened')
  const consumer = await RawPeer.connect(broker.url)
  await consumer.send('consume', { consumer: 1, options: { source: 'queue:flood', mode: 'consume' } })
  await consumer.next('consuming')
  consumer.stopReading()
  await consumer.send('grant', { consumer: 1, messages: 0xffffffff })
  const sent = await flood(producer, FLOOD_BYTES, 30_000)
  await stillWorks()
  for (const peer of [producer, consumer]) peer.destroy()
  report('consumer that stopped reading', sent)
  expect(sent).toBeGreaterThan(RSS_MAX)
  expect(worstRss).toBeLessThan(RSS_MAX)
})
