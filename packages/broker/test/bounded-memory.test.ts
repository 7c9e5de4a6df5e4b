import { encodeBatch, FrameWriter, writeFrame } from '@millrace/wire'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RawPeer } from './harness/raw-peer.ts'
import { flood, FLOOD_BYTES, RSS_MAX, WatchedBroker } from './harness/watched-broker.ts'

let broker: WatchedBroker

beforeEach(async () => {
  broker = await WatchedBroker.start()
})

afterEach(() => broker.stop())

/** One batch of messages of 1 KiB, as a `publish` frame of publisher 1. */
function publishFrame(messages: number): Uint8Array {
  const value = new Uint8Array(1024).fill(0x6d)
  const batch = encodeBatch(Array.from({ length: messages }, () => ({ timestampMs: 1, value })))
  const writer = new FrameWriter()
  writeFrame(writer, 'publish', { publisher: 1, partition: -1, batch })
  return Buffer.concat(writer.take())
}

function publish(peer: RawPeer, ms: number): Promise<number> {
  const flooding = {
    get closed() {
      return peer.closed
    },
    write: (bytes: Uint8Array) => peer.write([bytes]),
  }
  return flood(flooding, publishFrame(64), FLOOD_BYTES, ms)
}

test('a publisher that never waits and never reads its confirms', { timeout: 120_000 }, async () => {
  const peer = await RawPeer.connect(broker.process.url)
  await peer.send('open', { publisher: 1, create: 1, destination: 'queue:flood' })
  await peer.next('opened')
  peer.stopReading()
  const sent = await publish(peer, 20_000)
  expect(await broker.stillWorks()).toBe(true)
  peer.destroy()
  broker.report('publisher that never waits', sent)
  expect(broker.worstRss).toBeLessThan(RSS_MAX)
})

test('a consumer that grants everything and stops reading', { timeout: 120_000 }, async () => {
  const producer = await RawPeer.connect(broker.process.url)
  await producer.send('open', { publisher: 1, create: 1, destination: 'queue:flood' })
  await producer.next('opened')
  const consumer = await RawPeer.connect(broker.process.url)
  await consumer.send('consume', { consumer: 1, options: { source: 'queue:flood', mode: 'consume' } })
  await consumer.next('consuming')
  consumer.stopReading()
  await consumer.send('grant', { consumer: 1, messages: 0xffffffff })
  const sent = await publish(producer, 30_000)
  expect(await broker.stillWorks()).toBe(true)
  for (const peer of [producer, consumer]) peer.destroy()
  broker.report('consumer that stopped reading', sent)
  expect(sent).toBeGreaterThan(RSS_MAX)
  expect(broker.worstRss).toBeLessThan(RSS_MAX)
})
