import { encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { CuttableJournal } from '../../../test/core/cuttable-journal.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'
import type { Journal } from '../../ports/journal.ts'

const KIB = 1024
const QUEUES = 300

/** A broker whose largest batch leaves no room for what so many queues that share it take in a commit. */
async function opened(cuttable?: CuttableJournal): Promise<TestBroker> {
  const journal = cuttable?.journal ?? (await smallJournal())
  const t = await TestBroker.open({}, 1, journal)
  t.broker.router.createExchange({ name: 'x', type: 'direct' })
  for (let n = 0; n < QUEUES; n++) {
    const name = `q${n}`
    t.broker.createQueue({ name })
    // The keys lead to different queues, so that their messages are different copies.
    for (const key of n === 0 ? ['a'] : ['a', 'b']) t.broker.router.bind({ source: 'x', destination: `queue:${name}`, key })
    await t.settle()
  }
  return t
}

function smallJournal(): Promise<Journal> {
  return openMemoryJournal({ batchBytesMax: 32 * KIB })
}

/** One message per key, of the largest size together, that is due in 5 s. */
function schedule(t: TestBroker, keys: readonly string[]): void {
  const { batchBytesMax } = t.broker.limits
  const value = new Uint8Array(Math.floor((batchBytesMax - 512) / keys.length))
  const timestampMs = t.platform.clock.nowMs()
  const batch = encodeBatch(keys.map((key) => ({ timestampMs, key: new TextEncoder().encode(key), value })))
  expect(batch.length).toBeLessThan(batchBytesMax)
  t.broker.destination('exchange:x', true).publishLater(-1, batch, timestampMs + 5000)
}

function readyOf(t: TestBroker): readonly number[] {
  return t.broker.queues().map(({ ready }) => ready)
}

test.each([
  ['one key', ['a']],
  // Each of the two copies fits into a commit, and both together do not.
  ['two keys', ['a', 'b']],
])('messages of the largest size, with %s, that wait for hundreds of queues come to each of them', async (_, keys) => {
  const t = await opened()
  schedule(t, keys)
  await t.advance(4000)
  expect(readyOf(t).every((ready) => ready === 0)).toBe(true)
  await t.advance(10_000)
  const expected = Array.from({ length: QUEUES }, (__, n) => (n === 0 ? 1 : keys.length))
  expect(readyOf(t)).toEqual(expected)
  expect(t.broker.stats().scheduledMessages).toBe(0)
  await t.restart()
  expect(readyOf(t)).toEqual(expected)
})

test('a crash in the middle of it loses none of them', async () => {
  let cuts = 0
  for (let left = 0; ; left++) {
    const cuttable = new CuttableJournal(await smallJournal())
    const t = await opened(cuttable)
    schedule(t, ['a', 'b'])
    await t.advance(4000)
    cuttable.left = left
    await t.advance(2000)
    const wasCut = cuttable.left < 0
    cuttable.left = Infinity
    await t.crash()
    await t.advance(10_000)
    expect(
      readyOf(t).every((ready, n) => ready >= (n === 0 ? 1 : 2)),
      `cut after ${left} commits`,
    ).toBe(true)
    expect(t.broker.stats().scheduledMessages).toBe(0)
    if (!wasCut) break
    cuts++
  }
  expect(cuts).toBeGreaterThan(2)
})
