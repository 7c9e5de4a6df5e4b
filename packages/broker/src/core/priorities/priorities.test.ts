import { BATCH_HAS_EXPIRY, batchAttributes, encodeBatch, priorityHeader, setBatchProducer } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { headersOf, TestBroker, type TestConsumer, type TestOptions } from '../../../test/core/harness.ts'
import type { Destination, PlacedRun, QueueSpec } from '../broker.ts'

const encoder = new TextEncoder()

interface Sent {
  readonly value: string
  readonly priority?: number
  readonly key?: string
  readonly id?: string
  readonly expiresAtMs?: number
  readonly headers?: Readonly<Record<string, string>>
}

async function withQueue(spec: Omit<QueueSpec, 'name'> = {}, options?: TestOptions): Promise<TestBroker> {
  const t = await TestBroker.open(options)
  t.broker.createQueue({ name: 'work', priorities: 10, ...spec })
  await t.settle()
  return t
}

function batchOf(t: TestBroker, sent: readonly Sent[]): Uint8Array {
  const timestampMs = t.platform.clock.nowMs()
  return encodeBatch(
    sent.map(({ value, priority, key, id, expiresAtMs, headers = {} }) => ({
      timestampMs,
      value: encoder.encode(value),
      key: key === undefined ? null : encoder.encode(key),
      headers: [
        ...(priority === undefined ? [] : [priorityHeader(priority)]),
        ...(id === undefined ? [] : [{ key: 'message-id', value: encoder.encode(id) }]),
        ...(expiresAtMs === undefined ? [] : [{ key: 'expires-at', value: encoder.encode(String(expiresAtMs)) }]),
        ...Object.entries(headers).map(([name, text]) => ({ key: name, value: encoder.encode(text) })),
      ],
    })),
  )
}

/** @returns where the records went, as `LEVEL:OFFSET` */
function publish(t: TestBroker, ...sent: Sent[]): string[] {
  const destination = t.broker.destination('queue:work', false)
  const base = destination.publish(-1, batchOf(t, sent))
  return placesOf(destination, base, sent.length)
}

function placesOf({ placed, duplicates = [] }: Destination, base: number, count: number): string[] {
  const runs: readonly PlacedRun[] = placed ?? [{ position: 0, partition: 0, offset: base }]
  const next = new Map(runs.map((run) => [run, run.offset]))
  return Array.from({ length: count }, (_, position) => {
    const duplicate = duplicates.find((each) => each.position === position)
    if (duplicate !== undefined) return `=${duplicate.partition}:${duplicate.offset}`
    const run = runs.findLast((each) => each.position <= position)!
    const offset = next.get(run)!
    next.set(run, offset + 1)
    return `${run.partition}:${offset}`
  })
}

const keyed = (priority: number, value: string): Sent => ({ value, priority, key: value[0]! })

const identified = (value: string, priority: number): Sent => ({ value, priority, id: value })

function runsAt(...places: [position: number, partition: number, offset: number][]): PlacedRun[] {
  return places.map(([position, partition, offset]) => ({ position, partition, offset }))
}

const at = (priority: number, ...values: string[]): Sent[] => values.map((value) => ({ value, priority }))

function ackAll(consumer: TestConsumer): void {
  for (const { partition, offset } of consumer.messages) consumer.ack(offset, offset, partition)
}

async function browse(t: TestBroker, source = 'queue:work'): Promise<(string | null)[]> {
  const sink = t.read(source, 'earliest')
  await t.settle()
  sink.reader.close()
  return sink.values
}

describe('levels', () => {
  test('are made with their first message', async () => {
    const t = await withQueue({ priorities: 256 })
    const before = t.store.logs().length
    expect(t.broker.queue('work')).toMatchObject({ priorities: 256, levels: [{ priority: 0, ready: 0, inFlight: 0 }] })
    publish(t, ...at(255, 'a', 'b'), ...at(7, 'c'))
    await t.settle()
    expect(t.store.logs().length).toBe(before + 2)
    expect(t.broker.queue('work')).toMatchObject({
      ready: 3,
      levels: [
        { priority: 255, ready: 2, inFlight: 0 },
        { priority: 7, ready: 1, inFlight: 0 },
        { priority: 0, ready: 0, inFlight: 0 },
      ],
      counters: { published: 3 },
    })
  })

  test('go by the header: without one it is 0, what is above the highest counts as that', async () => {
    const t = await withQueue()
    expect(publish(t, { value: 'a' }, ...at(9, 'b'), ...at(200, 'c'), ...at(0, 'd'))).toEqual(['0:0', '9:0', '9:1', '0:1'])
    expect(publish(t, ...at(3, 'e', 'f'))).toEqual(['3:0', '3:1'])
    expect(publish(t, { value: 'g' })).toEqual(['0:2'])
    await t.settle()
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['b', 'c', 'e', 'f', 'a', 'd', 'g'])
    expect(headersOf(consumer.messages[1]!.record)).toEqual({ priority: '200' })
  })

  test('are of no meaning to a queue without priorities', async () => {
    const t = await withQueue({ priorities: 1 })
    expect(publish(t, ...at(0, 'a'), ...at(9, 'b'), { value: 'c', headers: { priority: 'high' } })).toEqual(['0:0', '0:1', '0:2'])
    await t.settle()
    expect(t.broker.queue('work')).not.toHaveProperty('priorities')
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['a', 'b', 'c'])
  })

  test('a header that is no priority is refused, and nothing of its batch is stored', async () => {
    const t = await withQueue()
    for (const priority of ['high', '256', '-1', '1.5', '', '0000']) {
      const bad = { value: 'bad', headers: { priority } }
      expect(() => publish(t, ...at(1, 'good'), bad)).toThrow(
        expect.objectContaining({
          code: 'bad_request',
          message: expect.stringContaining(`record 1 of the batch has the header`),
        }),
      )
      const destination = t.broker.destination('queue:work', false)
      const batch = batchOf(t, [bad])
      expect(() => destination.publishLater(-1, batch, t.platform.clock.nowMs() + 1000)).toThrow(/whole number from 0 to 255/)
      expect(() => t.broker.transact([{ kind: 'multicast', to: [destination], batch }])).toThrow(/whole number from 0 to 255/)
    }
    await t.settle()
    expect(t.broker.queue('work').counters.published).toBe(0)
  })

  test('their number is checked, can grow, and cannot shrink', async () => {
    const t = await withQueue({ priorities: 3 })
    for (const priorities of [0, -1, 1.5, 257, Number.NaN, '3' as never])
      expect(() => t.broker.createQueue({ name: 'other', priorities })).toThrow(expect.objectContaining({ code: 'bad_request' }))
    t.broker.createQueue({ name: 'work', priorities: 3 })
    expect(() => t.broker.createQueue({ name: 'work' })).toThrow(expect.objectContaining({ code: 'already_exists' }))
    publish(t, ...at(8, 'low'))
    t.broker.updateQueue('work', { priorities: 10 })
    publish(t, ...at(8, 'high'))
    await t.settle()
    expect(() => t.broker.updateQueue('work', { priorities: 9 })).toThrow(/can only grow/)
    expect(() => t.broker.updateQueue('work', { priorities: 0 })).toThrow(/from 1/)
    t.broker.updateQueue('work', { delivery: { maxAttempts: 3 } })
    await t.settle()
    await t.crash()
    expect(t.broker.queue('work')).toMatchObject({ priorities: 10, delivery: { maxAttempts: 3 } })
    expect(await browse(t)).toEqual(['high', 'low'])
  })

  test('a queue gets priorities while it is consumed', async () => {
    const t = await withQueue({ priorities: 1 })
    publish(t, ...at(5, 'a', 'b', 'c'))
    const consumer = t.consume('queue:work', 1)
    await t.settle()
    t.broker.updateQueue('work', { priorities: 10 })
    publish(t, ...at(5, 'urgent'))
    await t.settle()
    consumer.consumer.grant(10)
    await t.settle()
    expect(consumer.values).toEqual(['a', 'urgent', 'b', 'c'])
  })
})

describe('delivery', () => {
  test('a consumer that is busy gets the highest next, whatever was recorded ahead for others', async () => {
    const t = await withQueue()
    publish(t, ...at(0, 'a', 'b', 'c'))
    const consumer = t.consume('queue:work', 1)
    await t.settle()
    publish(t, ...at(9, 'x'))
    publish(t, ...at(4, 'y'))
    await t.settle()
    for (let n = 0; n < 4; n++) {
      consumer.consumer.grant(1)
      await t.settle()
    }
    expect(consumer.values).toEqual(['a', 'x', 'y', 'b', 'c'])
  })

  test('what comes back has its place in its level', async () => {
    const t = await withQueue({ delivery: { leaseMs: 1000, backoff: { kind: 'fixed', initialMs: 5000 } } })
    publish(t, ...at(5, 'a', 'b', 'c'), ...at(1, 'low'))
    const consumer = t.consume('queue:work', 2)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'b#1'])
    // Given back at once, and after the backoff.
    consumer.consumer.settle(5, 0, 0, { kind: 'nack', uncounted: true })
    consumer.consumer.settle(5, 1, 1, { kind: 'nack' })
    consumer.consumer.grant(2)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'c#1'])
    consumer.ack(0, 0, 5)
    consumer.ack(2, 2, 5)
    await t.advance(5000)
    consumer.consumer.grant(1)
    await t.settle()
    expect(consumer.taken()).toEqual(['b#2'])
    // Its lease ends.
    await t.advance(7000)
    consumer.consumer.grant(2)
    await t.settle()
    expect(consumer.taken()).toEqual(['b#3', 'low#1'])
    expect(() => consumer.ack(1, 1, 4)).toThrow(expect.objectContaining({ code: 'stale_delivery' }))
    consumer.consumer.extend(5, 1, 1)
    consumer.ack(1, 1, 5)
    consumer.ack(0, 0, 1)
    await t.settle()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0 })
  })

  test('while something higher waits for a delay, the rest goes on', async () => {
    const t = await withQueue()
    publish(t, ...at(5, 'a'), ...at(1, 'b'))
    const consumer = t.consume('queue:work', 1)
    await t.settle()
    consumer.consumer.settle(5, 0, 0, { kind: 'nack', delayMs: 5000 })
    consumer.consumer.grant(1)
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'b#1'])
  })

  test('strict order: what waits holds up its level and those below, not those above', async () => {
    const t = await withQueue({ delivery: { order: 'strict' } })
    publish(t, ...at(5, 'a', 'b'), ...at(1, 'low'))
    const consumer = t.consume('queue:work', 1)
    await t.settle()
    consumer.consumer.settle(5, 0, 0, { kind: 'nack', delayMs: 5000 })
    consumer.consumer.grant(9)
    publish(t, ...at(9, 'high'))
    await t.settle()
    expect(consumer.taken()).toEqual(['a#1', 'high#1'])
    consumer.ack(0, 0, 9)
    await t.advance(5000)
    expect(consumer.taken()).toEqual(['a#2', 'b#1', 'low#1'])
  })

  test('order by key holds in each level', async () => {
    const t = await withQueue({ delivery: { order: 'key' } })
    publish(t, keyed(5, 'x1'), keyed(5, 'x2'), keyed(5, 'y1'), keyed(1, 'x3'), keyed(1, 'x4'))
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.taken()).toEqual(['x1#1', 'y1#1', 'x3#1'])
    consumer.consumer.settle(5, 0, 0, { kind: 'nack' })
    await t.settle()
    expect(consumer.taken()).toEqual(['x1#2'])
    consumer.ack(0, 0, 5)
    consumer.ack(0, 0, 1)
    await t.settle()
    expect(consumer.taken()).toEqual(['x2#1', 'x4#1'])
  })

  test('one consumer at a time, an exclusive one, and consumers with priorities of their own', async () => {
    const t = await withQueue({ delivery: { consumers: 'single' } })
    const [first, second] = [t.consume('queue:work'), t.consume('queue:work')]
    publish(t, ...at(1, 'a'), ...at(9, 'b'))
    await t.settle()
    expect([first.taken(), second.taken()]).toEqual([['b#1', 'a#1'], []])
    first.consumer.close()
    await t.settle()
    expect(second.taken()).toEqual(['b#2', 'a#2'])
    second.consumer.close()

    t.broker.updateQueue('work', { delivery: {} })
    const alone = t.consume('queue:work', 1, { exclusive: true })
    await t.settle()
    expect(alone.taken()).toEqual(['b#3'])
    expect(() => t.consume('queue:work')).toThrow(expect.objectContaining({ code: 'in_use' }))
    alone.consumer.close()

    const lesser = t.consume('queue:work', 5, { priority: 1 })
    const better = t.consume('queue:work', 1, { priority: 2 })
    await t.settle()
    expect([...lesser.taken(), ...better.taken()]).toHaveLength(2)
    lesser.consumer.close()
    better.consumer.close()
    const again = [t.consume('queue:work', 0, { priority: 1 }), t.consume('queue:work', 0, { priority: 2 })] as const
    for (const each of again) each.consumer.grant(1)
    publish(t, ...at(5, 'c'))
    await t.settle()
    expect(again.map((each) => each.values)).toEqual([['c'], ['b']])
  })

  test('a rate and a pause are those of the queue', async () => {
    const t = await withQueue({ delivery: { ratePerSecond: 1 } })
    const consumer = t.consume('queue:work')
    publish(t, ...at(1, 'a', 'b'))
    await t.advance(10)
    publish(t, ...at(9, 'x', 'y'))
    await t.advance(1000)
    expect(consumer.values).toEqual(['a', 'x'])
    await t.advance(2000)
    expect(consumer.values).toEqual(['a', 'x', 'y', 'b'])
    t.broker.updateQueue('work', { delivery: { paused: true } })
    publish(t, ...at(3, 'c'))
    await t.advance(5000)
    expect(consumer.values).toHaveLength(4)
    t.broker.updateQueue('work', { delivery: {} })
    await t.settle()
    expect(consumer.values.at(-1)).toBe('c')
  })
})

describe('the end of messages', () => {
  test('they expire at each level, and keep their priority among the dead letters and back', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'dead', priorities: 4 })
    t.broker.createQueue({ name: 'work', priorities: 10, delivery: { deadLetter: 'queue:dead', maxAttempts: 1 } })
    const soonMs = t.platform.clock.nowMs() + 1000
    const batch = batchOf(t, [{ value: 'old', priority: 8, expiresAtMs: soonMs }, ...at(1, 'low')])
    expect(batchAttributes(batch) & BATCH_HAS_EXPIRY).not.toBe(0)
    t.broker.destination('queue:work', false).publish(-1, batch)
    publish(t, ...at(2, 'failed'))
    await t.advance(30_000)
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.values).toEqual(['failed', 'low'])
    consumer.consumer.settle(2, 0, 0, { kind: 'nack', error: 'oops' })
    consumer.consumer.settle(1, 0, 0, { kind: 'reject' })
    await t.settle()
    expect(t.broker.queue('dead').levels).toEqual([
      { priority: 3, ready: 1, inFlight: 0 },
      { priority: 2, ready: 1, inFlight: 0 },
      { priority: 1, ready: 1, inFlight: 0 },
      { priority: 0, ready: 0, inFlight: 0 },
    ])
    const dead = t.read('queue:dead', 'earliest', 3)
    await t.settle()
    expect(headersOf(dead.messages[0]!.record)).toMatchObject({
      priority: '8',
      'millrace-dead-partition': '8',
      'millrace-dead-reason': 'expired',
    })
    consumer.consumer.close()

    await t.crash()
    expect(() => t.broker.redrive({ source: 'queue:dead', offset: 0 })).toThrow(
      expect.objectContaining({ code: 'offset_out_of_range' }),
    )
    expect(() => t.broker.redrive({ source: 'queue:dead', partition: 2 })).toThrow(
      expect.objectContaining({ code: 'bad_request' }),
    )
    const one = t.broker.redrive({ source: 'queue:dead', partition: 2, offset: 0 })
    expect(await t.platform.until(t.broker.whenRedriven(one.id))).toMatchObject({ state: 'done', moved: 1 })
    const rest = t.broker.redrive({ source: 'queue:dead' })
    expect(await t.platform.until(t.broker.whenRedriven(rest.id))).toMatchObject({ state: 'done', scanned: 2, moved: 2 })
    expect(t.broker.queue('dead').ready).toBe(0)
    expect(await browse(t)).toEqual(['old', 'failed', 'low'])
  })

  test('a limit counts all levels; what is too much goes from the lowest on', async () => {
    const t = await withQueue({ limits: { messages: 4, overflow: 'drop-head' } })
    publish(t, ...at(5, 'a', 'b'), ...at(0, 'c', 'd'))
    await t.settle()
    publish(t, ...at(9, 'e'))
    await t.settle()
    expect(await browse(t)).toEqual(['e', 'a', 'b', 'd'])
    publish(t, ...at(9, 'f', 'g', 'h'))
    await t.settle()
    expect(await browse(t)).toEqual(['e', 'f', 'g', 'h'])
    publish(t, ...at(0, 'i'))
    await t.settle()
    expect(await browse(t)).toEqual(['e', 'f', 'g', 'h'])
    t.broker.updateQueue('work', { limits: { messages: 5 } })
    publish(t, ...at(3, 'j'))
    expect(() => publish(t, ...at(9, 'k'))).toThrow(expect.objectContaining({ code: 'queue_full' }))
    t.broker.updateQueue('work', { limits: { bytes: 1 } })
    expect(() => publish(t, ...at(9, 'k'))).toThrow(expect.objectContaining({ code: 'queue_full' }))
  })

  test('purging takes all levels, deleting all logs, and an unused queue goes as a whole', async () => {
    const t = await withQueue()
    const before = t.store.logs().length
    publish(t, ...at(5, 'a', 'b'), ...at(0, 'c'))
    await t.settle()
    expect(t.broker.purgeQueue('work').messages).toBe(3)
    await t.settle()
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, bytes: 0, counters: { dropped: 3 } })
    t.broker.updateQueue('work', { expireMs: 60_000 })
    await t.advance(40_000)
    publish(t, ...at(5, 'use'))
    t.consume('queue:work', 0).consumer.close()
    await t.advance(40_000)
    expect(t.broker.queue('work').ready).toBe(1)
    await t.advance(60_000)
    expect(t.broker.queues()).toEqual([])
    await t.settle()
    expect(t.store.logs().length).toBe(before - 1)
    await t.crash()
    expect(t.broker.queues()).toEqual([])
  })
})

describe('publishing', () => {
  test('an id counts for the queue as a whole', async () => {
    const t = await withQueue({ dedup: { windowMs: 60_000 } })
    expect(publish(t, identified('a', 5), identified('b', 1), identified('c', 5))).toEqual(['5:0', '1:0', '5:1'])
    expect(
      publish(
        t,
        identified('d', 1),
        identified('a', 9),
        identified('c', 5),
        identified('e', 5),
        identified('b', 0),
        identified('f', 1),
      ),
    ).toEqual(['1:1', '=5:0', '=5:1', '5:2', '=1:0', '1:2'])
    expect(publish(t, identified('e', 2), identified('d', 2))).toEqual(['=5:2', '=1:1'])
    expect(publish(t, identified('a', 3))).toEqual(['=5:0'])
    await t.settle()
    await t.crash()
    expect(publish(t, identified('f', 7), identified('g', 7))).toEqual(['=1:2', '7:0'])
  })

  test('a producer has one sequence for the queue as a whole', async () => {
    const t = await withQueue()
    const { producerId, epoch } = t.broker.openProducer('p')
    const produce = (sequence: number, ...sent: Sent[]): string[] => {
      const batch = batchOf(t, sent)
      setBatchProducer(batch, producerId, epoch, sequence)
      const destination = t.broker.destination('queue:work', false)
      return placesOf(destination, destination.publish(0, batch), sent.length)
    }
    expect(produce(0, ...at(5, 'a', 'b'))).toEqual(['5:0', '5:1'])
    expect(produce(2, ...at(1, 'c'))).toEqual(['1:0'])
    expect(produce(3, ...at(5, 'd'), ...at(9, 'e'))).toEqual(['5:2', '9:0'])
    await t.settle()
    const again = (): string[][] => [
      produce(0, ...at(5, 'a', 'b')),
      produce(2, ...at(1, 'c')),
      produce(3, ...at(5, 'd'), ...at(9, 'e')),
    ]
    const expected = [['=5:0', '=5:1'], ['=1:0'], ['=0:-1', '=0:-1']]
    expect(again()).toEqual(expected)
    await t.crash()
    expect(again()).toEqual(expected)
    expect(() => produce(9, ...at(5, 'gap'))).toThrow(expect.objectContaining({ code: 'out_of_order_sequence' }))
    expect(produce(5, ...at(5, 'f'))).toEqual(['5:3'])
    await t.settle()
    expect(await browse(t)).toEqual(['e', 'a', 'b', 'd', 'f', 'c'])
  })

  test('what is for later enters its level when it is due', async () => {
    const t = await withQueue({ priorities: 3, dedup: { windowMs: 60_000 } })
    const destination = t.broker.destination('queue:work', false)
    const dueMs = t.platform.clock.nowMs() + 5000
    const id = destination.publishLater(-1, batchOf(t, [...at(1, 'a'), ...at(8, 'b', 'cancelled'), { value: 'c' }]), dueMs)
    await t.settle()
    t.broker.cancelScheduled(id + 2)
    t.broker.updateQueue('work', { priorities: 9 })
    await t.settle()
    await t.crash()
    await t.advance(4000)
    expect(await browse(t)).toEqual([])
    await t.advance(1000)
    expect(await browse(t)).toEqual(['b', 'a', 'c'])
    expect(t.broker.queue('work').levels!.map(({ priority }) => priority)).toEqual([8, 1, 0])
  })

  test('a transaction puts each record into its level, with one copy where one will do', async () => {
    const t = await withQueue()
    t.broker.createQueue({ name: 'plain' })
    t.broker.createQueue({ name: 'other', priorities: 2 })
    const to = ['work', 'plain', 'other'].map((name) => t.broker.destination(`queue:${name}`, false))
    publish(t, ...at(2, 'held'))
    const consumer = t.consume('queue:work')
    await t.settle()
    const [settled, mixed, one, single] = t.broker.transact([
      { kind: 'settle', consumer: consumer.consumer, partition: 2, first: 0, last: 0, outcome: { kind: 'ack' } },
      { kind: 'multicast', to, batch: batchOf(t, [...at(3, 'a'), ...at(7, 'b'), ...at(3, 'c')]) },
      { kind: 'multicast', to, batch: batchOf(t, at(7, 'd')) },
      { kind: 'publish', to: to[0]!, partition: -1, batch: batchOf(t, at(4, 'e')) },
    ])
    expect(settled).toEqual([])
    expect(mixed).toEqual([
      { partition: 3, baseOffset: 0, placed: runsAt([0, 3, 0], [1, 7, 0], [2, 3, 1]) },
      { partition: 0, baseOffset: 0 },
      { partition: 1, baseOffset: 0 },
    ])
    expect(one).toEqual([
      { partition: 7, baseOffset: 1 },
      { partition: 0, baseOffset: 3 },
      { partition: 1, baseOffset: 3 },
    ])
    expect(single).toEqual([{ partition: 4, baseOffset: 0 }])
    consumer.consumer.close()
    await t.settle()
    await t.crash()
    expect(await browse(t)).toEqual(['b', 'd', 'e', 'a', 'c'])
    expect(await browse(t, 'queue:plain')).toEqual(['a', 'b', 'c', 'd'])
    expect(await browse(t, 'queue:other')).toEqual(['a', 'b', 'c', 'd'])
  })

  test('a transaction that fails makes no level', async () => {
    const t = await withQueue({ limits: { messages: 1 } })
    const to = t.broker.destination('queue:work', false)
    const before = t.store.logs().length
    expect(() =>
      t.broker.transact([{ kind: 'publish', to, partition: -1, batch: batchOf(t, [...at(3, 'a'), ...at(4, 'b')]) }]),
    ).toThrow(expect.objectContaining({ code: 'queue_full' }))
    await t.settle()
    expect(t.store.logs().length).toBe(before)
  })
})

describe('looking', () => {
  test('a browser shows the highest first, and what comes then', async () => {
    const t = await withQueue()
    publish(t, ...at(1, 'a', 'b'), ...at(9, 'c', 'd'), ...at(5, 'e'))
    await t.settle()
    const held = t.consume('queue:work', 1)
    await t.settle()
    held.ack(0, 0, 9)
    await t.settle()
    const sink = t.read('queue:work', 'earliest', undefined, 2)
    await t.settle()
    expect(sink.values).toEqual(['d', 'e'])
    expect(sink.caughtUpAfter).toEqual([])
    sink.reader.grant(10)
    await t.settle()
    expect(sink.values).toEqual(['d', 'e', 'a', 'b'])
    expect(sink.caughtUpAfter).toEqual([4])
    publish(t, ...at(1, 'f'))
    await t.settle()
    publish(t, ...at(9, 'g'))
    await t.settle()
    expect(sink.values.slice(4)).toEqual(['f', 'g'])
    t.broker.deleteQueue('work')
    expect(sink.reason).toMatchObject({ code: 'not_found' })
  })

  test('a level is read by its number, also before its first message; others do not exist', async () => {
    const t = await withQueue()
    expect(t.broker.partitions('queue:work')).toEqual([0])
    const reader = t.read('queue:work', 'earliest', 4)
    publish(t, ...at(4, 'a'), ...at(5, 'b'))
    await t.settle()
    expect(reader.values).toEqual(['a'])
    expect(t.broker.partitions('queue:work')).toEqual([5, 4, 0])
    expect(() => t.read('queue:work', 'earliest', 10)).toThrow(/has the partitions 0\.\.9, not 10/)
    expect(() => t.read('queue:work', 'earliest', 1.5)).toThrow(/partitions 0\.\.9/)
  })

  test('everything is there after restarts, crashes and checkpoints', async () => {
    const t = await withQueue({}, { storage: { checkpointBytes: 4000, commitBytesMax: 3000, tailCacheBytes: 2000 } })
    for (let n = 0; n < 60; n++) publish(t, ...at(n % 10, `${n}`), ...at((n * 7) % 10, `${n}'`))
    await t.settle()
    const consumer = t.consume('queue:work', 30)
    await t.settle()
    ackAll(consumer)
    await t.settle()
    const left = await browse(t)
    expect(left).toHaveLength(90)
    await t.restart()
    expect(await browse(t)).toEqual(left)
    await t.crash()
    expect(await browse(t)).toEqual(left)
    const all = t.consume('queue:work')
    await t.settle()
    expect(all.values).toEqual(left)
  })
})
