import { encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { CuttableJournal } from '../../../test/core/cuttable-journal.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'
import type { TransactionAction } from '../broker.ts'

const VALUES: readonly string[] = Array.from({ length: 12 }, (_, n) => `m${n} ${'x'.repeat(200)}`)

/** A broker whose commits are small, with an exchange that leads each message to `both` and every other one to `even`, too. */
async function open(cut: CuttableJournal): Promise<TestBroker> {
  const t = await TestBroker.open({ storage: { commitBytesMax: 4000 } }, 1, cut.journal)
  t.broker.router.createExchange({ name: 'x', type: 'topic', delayed: true })
  t.broker.createQueue({ name: 'both' })
  // It looks into batches, so that it gets copies of its own.
  t.broker.createQueue({ name: 'even', dedup: { windowMs: 1e9 } })
  t.broker.router.bind({ source: 'x', destination: 'queue:both', key: '#' })
  t.broker.router.bind({ source: 'x', destination: 'queue:even', key: 'even.#' })
  await t.settle()
  return t
}

const keyOf = (n: number): string => (n % 2 === 0 ? `even.${n}` : `odd.${n}`)

async function valuesOf(t: TestBroker, ...queues: readonly string[]): Promise<(readonly (string | null)[])[]> {
  const readers = queues.map((queue) => t.read(`queue:${queue}`, 'earliest'))
  await t.settle()
  return readers.map(({ values }) => values)
}

/** All of `work` is rejected, and the broker crashes with the commit after so many. @returns whether none was cut off */
async function rejectAll(t: TestBroker, cut: CuttableJournal, commits: number): Promise<boolean> {
  const consumer = t.consume('queue:work')
  await t.settle()
  cut.left = commits
  consumer.consumer.settle(0, 0, VALUES.length - 1, { kind: 'reject' })
  await t.settle()
  const isThrough = cut.left > 0
  cut.left = Infinity
  await t.crash()
  return isThrough
}

test('whichever commit is the last, a dead letter is in its queue or in all that the exchange leads to', async () => {
  const places = new Set<number>()
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    const t = await open(cut)
    t.broker.createQueue({ name: 'work', delivery: { deadLetter: 'exchange:x' } })
    t.publishKeyed(
      'queue:work',
      0,
      VALUES.map((value, n) => [keyOf(n), value]),
    )
    isThrough = await rejectAll(t, cut, commits)
    const [work, both, even] = await valuesOf(t, 'work', 'both', 'even')
    const found = [...work!, ...both!]
    expect(found).toHaveLength(VALUES.length)
    expect(new Set(found)).toEqual(new Set(VALUES))
    expect(even).toEqual(both!.filter((value) => VALUES.indexOf(value!) % 2 === 0))
    places.add(work!.length)
  }
  expect([...places][0]).toBe(VALUES.length)
  expect([...places].at(-1)).toBe(0)
})

test('whichever commit is the last, what was delayed comes to all that the exchange leads to, once', async () => {
  let commits = 0
  for (let isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    const t = await open(cut)
    const encoder = new TextEncoder()
    for (const [n, value] of VALUES.entries()) {
      const headers = [{ key: 'x-delay', value: String(1000 + n) }]
      const record = {
        timestampMs: t.platform.clock.nowMs(),
        key: encoder.encode(keyOf(n)),
        value: encoder.encode(value),
        headers,
      }
      t.broker.destination('exchange:x', false).publish(0, encodeBatch([record]))
    }
    await t.settle()
    cut.left = commits
    await t.advance(2000)
    isThrough = cut.left > 0
    cut.left = Infinity
    await t.crash()
    await t.advance(5000)
    expect(await valuesOf(t, 'both', 'even')).toEqual([VALUES, VALUES.filter((_, n) => n % 2 === 0)])
    expect(t.broker.stats().scheduledMessages).toBe(0)
  }
  expect(commits).toBeGreaterThan(3)
})

test('whichever commit is the last, what is published to several is in all of them or in none', async () => {
  const counts = new Set<number>()
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    const t = await open(cut)
    t.broker.router.createExchange({ name: 'all', type: 'fanout' })
    const queues = Array.from({ length: 8 }, (_, n) => `q${n}`)
    for (const name of queues) {
      t.broker.createQueue({ name })
      t.broker.router.bind({ source: 'all', destination: `queue:${name}`, key: '' })
    }
    await t.settle()
    cut.left = commits
    for (const value of VALUES) {
      const batch = encodeBatch([{ timestampMs: 0, value: new TextEncoder().encode(value) }])
      t.broker.destination('exchange:all', false).publish(0, batch)
      if (value.startsWith('m5')) await t.settle()
    }
    await t.settle()
    isThrough = cut.left > 0
    cut.left = Infinity
    await t.crash()
    const found = await valuesOf(t, ...queues)
    for (const each of found) expect(each).toEqual(found[0])
    counts.add(found[0]!.length)
  }
  expect(counts.size).toBeGreaterThan(2)
  expect([...counts].at(-1)).toBe(VALUES.length)
})

test('whichever commit is the last, what a transaction publishes to a delayed exchange comes later, or its acknowledgements are undone', async () => {
  const outcomes = new Set<string>()
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    const t = await open(cut)
    t.publish('queue:in', ...VALUES)
    const { consumer, messages } = t.consume('queue:in')
    await t.settle()
    expect(messages).toHaveLength(VALUES.length)
    cut.left = commits
    t.publish('queue:noise', 'before')
    const to = t.broker.destination('exchange:x', false)
    const encoder = new TextEncoder()
    const actions = VALUES.flatMap((value, n): TransactionAction[] => {
      // Some wait for a moment, some for long: in slots of their own.
      const headers = [{ key: 'x-delay', value: String(n < 6 ? 1000 + n : n * 100_000) }]
      const record = { timestampMs: 0, key: encoder.encode(keyOf(n)), value: encoder.encode(value), headers }
      return [
        { kind: 'settle', consumer, partition: 0, first: n, last: n, outcome: { kind: 'ack' } },
        { kind: 'publish', to, partition: -1, batch: encodeBatch([record]) },
      ]
    })
    t.broker.transact(actions)
    t.publish('queue:noise', 'after')
    await t.settle()
    isThrough = cut.left > 0
    cut.left = Infinity
    await t.crash()
    const waiting = t.broker.stats().scheduledMessages
    await t.advance(2_000_000)
    const [left, both, even] = await valuesOf(t, 'in', 'both', 'even')
    expect(even).toEqual(both!.filter((value) => VALUES.indexOf(value!) % 2 === 0))
    outcomes.add(`in ${left!.length} waiting ${waiting} both ${both!.length}`)
  }
  expect([...outcomes]).toEqual([`in ${VALUES.length} waiting 0 both 0`, `in 0 waiting ${VALUES.length} both ${VALUES.length}`])
})

test('whichever commit is the last, a dead letter is in its queue, waits in the delayed exchange, or has come from there', async () => {
  const seen = new Set<string>()
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    const t = await open(cut)
    t.broker.createQueue({ name: 'work', delivery: { deadLetter: 'exchange:x' } })
    const encoder = new TextEncoder()
    const headers = [{ key: 'x-delay', value: '1000' }]
    const records = VALUES.map((value, n) => ({
      timestampMs: 0,
      key: encoder.encode(keyOf(n)),
      value: encoder.encode(value),
      headers,
    }))
    t.broker.destination('queue:work', false).publish(0, encodeBatch(records))
    isThrough = await rejectAll(t, cut, commits)
    seen.add(`${t.broker.queue('work').ready} and ${t.broker.stats().scheduledMessages}`)
    await t.advance(5000)
    const [work, both, even] = await valuesOf(t, 'work', 'both', 'even')
    expect(new Set([...work!, ...both!])).toEqual(new Set(VALUES))
    expect(work!.length + both!.length).toBe(VALUES.length)
    expect(even).toEqual(both!.filter((value) => VALUES.indexOf(value!) % 2 === 0))
  }
  expect([...seen][0]).toBe(`${VALUES.length} and 0`)
  expect([...seen].at(-1)).toBe(`0 and ${VALUES.length}`)
})
