import { topic } from '@millrace/client'
import { session, sliding, streams, type Streams, tumbling, type WindowedTable, type WindowResult } from '@millrace/streams'
import fc from 'fast-check'
import { testBroker } from 'millrace/testing'
import { describe, expect, it } from 'vitest'
import { anything } from '../test/anything.ts'
import {
  type OracleResult,
  sessionsVerdict,
  sorted,
  type TimedRecord,
  timeWindowsVerdict,
  type Verdict,
} from '../test/window-oracle.ts'

interface Event {
  readonly number: number
  readonly key: string
}

const events = topic('events', { schema: anything<Event>(), key: (event) => event.key })

/** The kinds of windows, with sizes that collide. */
const kinds = {
  tumbling: {
    define: (app: Streams, graceMs: number) =>
      app
        .from(events)
        .byKey()
        .window(tumbling(10, { grace: graceMs }))
        .aggregate('numbers', gathering),
    verdict: (records: readonly TimedRecord[], graceMs: number) =>
      timeWindowsVerdict(records, { sizeMs: 10, everyMs: 10, graceMs }),
  },
  sliding: {
    define: (app: Streams, graceMs: number) =>
      app
        .from(events)
        .byKey()
        .window(sliding(10, { every: 4, grace: graceMs }))
        .aggregate('numbers', gathering),
    verdict: (records: readonly TimedRecord[], graceMs: number) =>
      timeWindowsVerdict(records, { sizeMs: 10, everyMs: 4, graceMs }),
  },
  session: {
    define: (app: Streams, graceMs: number) =>
      app
        .from(events)
        .byKey()
        .window(session(5, { grace: graceMs }))
        .aggregate('numbers', gathering),
    verdict: (records: readonly TimedRecord[], graceMs: number) => sessionsVerdict(records, { gapMs: 5, graceMs }),
  },
} as const

const gathering = {
  initial: (): readonly number[] => [],
  add: (numbers: readonly number[], { number }: Event) => [...numbers, number],
  merge: (first: readonly number[], second: readonly number[]) => [...first, ...second],
}

const record = fc.record({ key: fc.constantFrom('a', 'b'), timestampMs: fc.integer({ min: 1000, max: 1060 }) })
/** Mostly onward, with stragglers. */
const course = fc
  .array(fc.record({ key: fc.constantFrom('a', 'b'), stepMs: fc.integer({ min: -12, max: 15 }) }), { maxLength: 25 })
  .map((steps) => {
    let nowMs = 1000
    return steps.map(({ key, stepMs }) => ({ key, timestampMs: (nowMs += stepMs) }))
  })

describe.each(Object.keys(kinds) as (keyof typeof kinds)[])('%s windows', (kind) => {
  it('are what they are over the whole list, in whatever order and batches records come, and over restarts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.array(record, { maxLength: 25 }), course),
        fc.constantFrom(0, 3, 20),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: 0, max: 25 }), { maxLength: 3 }),
        async (records, graceMs, batchRecords, restarts) => {
          const run = await ran(kind, records, graceMs, batchRecords, restarts)
          const expected = kinds[kind].verdict(records, graceMs)
          expect(run.late).toEqual(expected.late)
          expect(run.closed).toEqual(expected.closed)
          expect(run.open).toEqual(expected.open)
        },
      ),
      { numRuns: 100 },
    )
  })
})

/** Publishes the records, with restarts of the application before those numbers. */
async function ran(
  kind: keyof typeof kinds,
  records: readonly TimedRecord[],
  graceMs: number,
  batchRecords: number,
  restarts: readonly number[],
): Promise<Verdict> {
  await using broker = await testBroker()
  const { client, clock } = broker
  const finals = topic('finals', { schema: anything<WindowResult<readonly number[]>>() })
  const lates = topic('lates', { schema: anything<Event>() })
  let table!: WindowedTable<readonly number[], Event>
  const start = async (): Promise<Streams> => {
    const app = streams(client, 'app', { batchRecords })
    table = kinds[kind].define(app, graceMs)
    table.final().to(finals)
    table.late().to(lates)
    await app.start()
    return app
  }
  let app = await start()
  for (const [number, { key, timestampMs }] of records.entries()) {
    if (restarts.includes(number)) {
      await app.stop()
      app = await start()
    }
    const published = client.use(events).publish({ number, key }, { timestampMs })
    // Some come one by one, others together.
    if (number % 3 === 0) {
      await published
      await clock.settle()
    }
  }
  await clock.settle()
  await app.caughtUp()
  const closed = broker.published(finals).json() as readonly WindowResult<readonly number[]>[]
  const open = [...table.entries()]
  await app.stop()
  expect(app.info().state).toBe('stopped')
  const late = broker.published(lates).json() as readonly Event[]
  return { closed: sorted(closed.map(plain)), open: sorted(open.map(plain)), late: late.map(({ number }) => number) }
}

function plain({ key, window, value }: WindowResult<readonly number[]>): OracleResult {
  return { key, ...window, members: value.toSorted((a, b) => a - b) }
}

describe('windows', () => {
  it('tell each update, and one final result', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const app = streams(client, 'app')
    const perMinute = app
      .from(events)
      .byKey()
      .window(tumbling('1m', { grace: '10s' }))
      .count('per-minute')
    const seen: string[] = []
    perMinute.changes().forEach(({ key, window, value }) => seen.push(`${key} ${window.startMs}: ${value}`))
    perMinute.final().forEach(({ key, window, value }) => seen.push(`${key} ${window.startMs}-${window.endMs} final: ${value}`))
    perMinute.late().forEach(({ number }) => seen.push(`late: ${number}`))
    await app.start()
    const at = async (number: number, timestampMs: number): Promise<void> => {
      await client.use(events).publish({ number, key: 'k' }, { timestampMs })
      await clock.settle()
    }
    await at(0, 5000)
    await at(1, 59_999)
    await at(2, 65_000)
    await at(3, 10_000)
    expect(perMinute.get('k').map(({ value }) => value)).toEqual([3, 1])
    await at(4, 70_000)
    await at(5, 0)
    expect(seen).toEqual(['k 0: 1', 'k 0: 2', 'k 60000: 1', 'k 0: 3', 'k 0-60000 final: 3', 'k 60000: 2', 'late: 5'])
    expect(app.info()).toMatchObject({ processed: 6, late: 1 })
    await app.stop()
  })

  it('close by the clock when nothing comes, if asked to', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const app = streams(client, 'app')
    const results: WindowResult<number>[] = []
    const counts = app
      .from(events)
      .byKey()
      .window(tumbling('1m', { idle: '30s' }))
      .count('per-minute')
    counts.final().forEach((result) => results.push(result))
    await app.start()
    await client.use(events).publish({ number: 0, key: 'k' }, { timestampMs: 20_000 })
    await clock.advance('29s')
    expect(results).toEqual([])
    await clock.advance('31s')
    expect(results).toEqual([{ key: 'k', window: { startMs: 0, endMs: 60_000 }, value: 1 }])
    expect(counts.get('k')).toEqual([])
    await app.stop()
  })

  it('take event time from the record, where told so', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const app = streams(client, 'app')
    const finals: string[] = []
    app
      .from(events, { timestamp: ({ number }) => number })
      .byKey()
      .window(tumbling(10))
      .reduce('last', (_, event) => event)
      .final()
      .forEach(({ window, value }) => finals.push(`${window.startMs}: ${value.number}`))
    await app.start()
    for (const number of [1, 9, 12, 25]) await client.use(events).publish({ number, key: 'k' })
    await clock.settle()
    expect(finals).toEqual(['0: 9', '10: 12'])
    await app.stop()
  })

  it('behind a new key miss nothing of a backlog, though its partitions are worked off one after the other', async () => {
    await using broker = await testBroker()
    const { client } = broker
    const spread = topic('spread', { schema: anything<Event>(), partitions: 3 })
    await spread.declare(client)
    await client.transaction((tx) => {
      for (let number = 0; number < 3000; number++) {
        const options = { partition: number % 3, timestampMs: number * 100 }
        tx.publish('topic:spread', { number, key: `key ${number % 7}` }, options)
      }
      // Far ahead of the others, as soon as it is read.
      tx.publish('topic:spread', { number: 3000, key: 'key 0' }, { partition: 1, timestampMs: 10_000_000 })
    })
    const app = streams(client, 'app', { batchRecords: 50 })
    const perKey = app
      .from(spread)
      .key('key', ({ key }) => key)
      .window(tumbling('10s', { grace: '2s' }))
      .count('per-key')
    let counted = 0
    perKey.final().forEach(({ value }) => (counted += value))
    await app.start()
    await app.caughtUp()
    const open = [...perKey.entries()].reduce((sum, { value }) => sum + value, 0)
    expect(app.info()).toMatchObject({ processed: 6002, late: 0 })
    expect(counted + open).toBe(3001)
    await app.stop()
  })

  it('are refused when they make no sense', () => {
    expect(() => tumbling(0)).toThrow('The size of a window is a whole number of milliseconds from 1 on')
    expect(() => sliding('1m', { every: 'often' })).toThrow('`every` is a whole number')
    expect(() => session('5x')).toThrow('not "5x"')
    expect(() => tumbling('1m', { grace: -1 })).toThrow('`grace`')
    expect(sliding('1h30m', { every: '90s' })).toMatchObject({ sizeMs: 5_400_000, everyMs: 90_000 })
  })
})
