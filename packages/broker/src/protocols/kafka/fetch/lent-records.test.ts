/** What a fetch was lent is given back, however it ends. */
import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest'
import { KafkaBroker, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import { Held, type Lease } from '../../../base/lease.ts'
import { JournalLogStore } from '../../../storage/journal-log-store.ts'
import { limits } from '../limits.ts'
import { fetch } from '../messages/records.ts'

let reads: MockInstance<JournalLogStore['read']>

beforeEach(() => {
  reads = vi.spyOn(JournalLogStore.prototype, 'read')
})

afterEach(() => reads.mockRestore())

class Memory extends Held {
  isFree = false

  protected released(): void {
    this.isFree = true
  }
}

/** Of the fetches so far. */
function leases(): readonly Lease[] {
  return [...new Set(reads.mock.calls.map(([, , , lease]) => lease))].filter((lease) => lease !== undefined)
}

/** Leases under which something could still be lent. */
function heldLeases(): number {
  let held = 0
  for (const lease of leases()) {
    const memory = new Memory()
    lease.add(memory)
    memory.release()
    if (!memory.isFree) held++
  }
  return held
}

async function open(): Promise<{ broker: KafkaBroker; peer: KafkaPeer }> {
  const broker = await KafkaBroker.open()
  broker.core.broker.createTopic({ name: 't' })
  broker.core.publish('topic:t', 'a', 'b')
  await broker.core.settle()
  return { broker, peer: broker.connect() }
}

function ask(peer: KafkaPeer, minBytes = 1): void {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }]
  peer.send(fetch, 11, { maxWaitMs: 500, minBytes, topics: [{ topic: 't', partitions }] })
}

test('when it was sent', async () => {
  const { broker, peer } = await open()
  ask(peer)
  expect(heldLeases()).toBe(1)
  await broker.core.settle()
  expect(peer.waiting).toEqual([0])
  expect([leases().length, heldLeases()]).toEqual([1, 0])
})

test('by each look of one that waits for more', async () => {
  const { broker, peer } = await open()
  ask(peer, 100_000)
  await broker.core.settle()
  for (const size of [10, 20, 100_000]) {
    expect(peer.waiting).toEqual([])
    expect(heldLeases()).toBe(0)
    broker.core.publish('topic:t', 'x'.repeat(size))
    await broker.core.settle()
  }
  expect(peer.waiting).toEqual([0])
  expect(leases().length).toBe(4)
  expect(heldLeases()).toBe(0)
})

test('when its time is over', async () => {
  const { broker, peer } = await open()
  ask(peer, 100_000)
  await broker.core.platform.advance(600)
  await broker.core.settle()
  expect(peer.waiting).toEqual([0])
  expect(heldLeases()).toBe(0)
})

test('when the connection is lost before it is sent', async () => {
  const { broker, peer } = await open()
  ask(peer)
  peer.backlogBytes = limits.backlogBytesHigh
  await broker.core.settle()
  expect(heldLeases()).toBe(1)
  peer.close()
  await broker.core.settle()
  expect([peer.waiting.length, heldLeases()]).toEqual([0, 0])
})

test('when the connection is lost while it waits', async () => {
  const { broker, peer } = await open()
  ask(peer, 100_000)
  await broker.core.settle()
  peer.close()
  await broker.core.settle()
  expect(leases().length).toBeGreaterThan(0)
  expect(heldLeases()).toBe(0)
})
