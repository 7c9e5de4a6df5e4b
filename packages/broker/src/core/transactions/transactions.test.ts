import { encodeBatch, setBatchProducer } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { TestBroker, type TestConsumer } from '../../../test/core/harness.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Outcome, TransactionAction } from '../broker.ts'
import { MULTICAST_DESTINATIONS_MAX, TRANSACTION_ACTIONS_MAX } from './limits.ts'

const ACK: Outcome = { kind: 'ack' }
const encoder = new TextEncoder()

function identified(...ids: string[]): Uint8Array {
  return encodeBatch(
    ids.map((id) => ({ timestampMs: 0, value: null, headers: [{ key: 'message-id', value: encoder.encode(id) }] })),
  )
}

function batchOf(...values: string[]): Uint8Array {
  return keyed(...values.map((value) => [null, value] as const))
}

function keyed(...records: (readonly [string | null, string])[]): Uint8Array {
  return encodeBatch(
    records.map(([key, value]) => ({
      timestampMs: 0,
      key: key === null ? null : encoder.encode(key),
      value: encoder.encode(value),
    })),
  )
}

function publish(t: TestBroker, to: string, ...values: string[]): TransactionAction {
  return { kind: 'publish', to: t.broker.destination(to, true), partition: -1, batch: batchOf(...values) }
}

function multicast(t: TestBroker, to: readonly string[], batch: Uint8Array): TransactionAction {
  return { kind: 'multicast', to: to.map((each) => t.broker.destination(each, true)), batch }
}

function settle({ consumer }: TestConsumer, first: number, last = first, outcome = ACK, attempt?: number): TransactionAction {
  return { kind: 'settle', consumer, partition: 0, first, last, outcome, ...(attempt === undefined ? {} : { attempt }) }
}

function cancel(id: number): TransactionAction {
  return { kind: 'cancel', id }
}

function refusal(act: () => unknown): MillraceError {
  try {
    act()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('it was not refused')
}

async function valuesOf(t: TestBroker, source: string, partition = 0): Promise<(string | null)[]> {
  const reader = t.read(source, 'earliest', partition)
  await t.settle()
  reader.reader.close()
  return reader.values
}

/** One consumer that holds m0..m3 of queue:in. */
async function consuming(options = {}): Promise<{ t: TestBroker; held: TestConsumer }> {
  const t = await TestBroker.open(options)
  t.broker.createQueue({ name: 'in' })
  t.publish('queue:in', 'm0', 'm1', 'm2', 'm3')
  const held = t.consume('queue:in')
  await t.settle()
  expect(held.taken()).toEqual(['m0#1', 'm1#1', 'm2#1', 'm3#1'])
  return { t, held }
}

describe('transact', () => {
  test('publishes and settles in one commit, and says where everything went', async () => {
    const { t, held } = await consuming()
    t.publish('queue:out', 'before')
    await t.settle()
    const places = t.broker.transact([
      publish(t, 'queue:out', 'a', 'b'),
      settle(held, 0, 1),
      publish(t, 'topic:log', 'c'),
      publish(t, 'queue:out', 'd'),
      settle(held, 2, 2, { kind: 'nack' }),
    ])
    expect(places).toEqual([
      [{ partition: 0, baseOffset: 1 }],
      [],
      [{ partition: 0, baseOffset: 0 }],
      [{ partition: 0, baseOffset: 3 }],
      [],
    ])
    await t.settle()
    expect(await valuesOf(t, 'queue:out')).toEqual(['before', 'a', 'b', 'd'])
    expect(await valuesOf(t, 'topic:log')).toEqual(['c'])
    expect(held.taken()).toEqual(['m2#2'])
    await t.crash()
    expect(await valuesOf(t, 'queue:in')).toEqual(['m2', 'm3'])
    expect(t.broker.queue('in').counters).toMatchObject({ acked: 2 })
  })

  test('nothing is visible before the commit', async () => {
    const { t, held } = await consuming()
    const out = t.consume('queue:out')
    await t.settle()
    t.broker.transact([settle(held, 0), publish(t, 'queue:out', 'a')])
    t.platform.runTurn()
    expect(out.values).toEqual([])
    await t.settle()
    expect(out.values).toEqual(['a'])
  })

  test('none of it happens when a message is not held, and the error names the ranges', async () => {
    const { t, held } = await consuming()
    held.ack(2)
    const error = refusal(() =>
      t.broker.transact([publish(t, 'queue:out', 'a'), settle(held, 0), settle(held, 1, 3), settle(held, 9)]),
    )
    expect(error.code).toBe('stale_delivery')
    expect(error.message).toContain('queue:in partition 0 offset 1..3')
    expect(error.message).toContain('offset 9')
    expect(error.message).not.toContain('offset 0;')
    await t.settle()
    expect(await valuesOf(t, 'queue:out')).toEqual([])
    held.ack(0, 1)
    held.ack(3)
  })

  test('a delivery of before is not this one', async () => {
    const { t, held } = await consuming()
    held.nack(0)
    await t.settle()
    expect(held.taken()).toEqual(['m0#2'])
    expect(refusal(() => t.broker.transact([settle(held, 0, 0, ACK, 1)])).code).toBe('stale_delivery')
    t.broker.transact([settle(held, 0, 0, ACK, 2)])
    await t.settle()
    expect(await valuesOf(t, 'queue:in')).toEqual(['m1', 'm2', 'm3'])
  })

  test('somebody else’s message cannot be settled', async () => {
    const { t, held } = await consuming()
    const other = t.consume('queue:in')
    expect(refusal(() => t.broker.transact([settle(other, 0)])).code).toBe('stale_delivery')
    held.consumer.close()
    expect(refusal(() => t.broker.transact([settle(held, 0)])).code).toBe('stale_delivery')
  })

  test('a message is settled once', async () => {
    const { t, held } = await consuming()
    const error = refusal(() => t.broker.transact([settle(held, 2, 3), settle(held, 0, 2, { kind: 'nack' })]))
    expect(error.code).toBe('bad_request')
    expect(error.message).toContain('offset 2 twice')
    held.ack(0, 3)
  })

  test('none of it happens when a destination is gone, or a batch is bad, wherever in the list', async () => {
    const { t, held } = await consuming()
    const gone = publish(t, 'queue:gone', 'x')
    t.broker.deleteQueue('gone')
    const bad: TransactionAction = { ...publish(t, 'queue:out', 'x'), batch: new Uint8Array(80) } as TransactionAction
    const nowhere = { ...publish(t, 'queue:out', 'x'), partition: 7 } as TransactionAction
    t.broker.createTopic({ name: 'table', cleanup: 'compact' })
    const keyless = publish(t, 'topic:table', 'x')
    const numbered = batchOf('x').slice()
    setBatchProducer(numbered, 1, 0, 0)
    const produced = { ...publish(t, 'queue:out', 'x'), batch: numbered } as TransactionAction
    for (const [action, code] of [
      [produced, 'bad_request'],
      [multicast(t, ['queue:out', 'queue:in'], numbered), 'bad_request'],
      [gone, 'not_found'],
      [bad, 'bad_batch'],
      [nowhere, 'bad_request'],
      [keyless, 'bad_request'],
    ] as const) {
      const error = refusal(() => t.broker.transact([settle(held, 0, 3), publish(t, 'queue:out', 'a'), action]))
      expect(error.code).toBe(code)
      if (action === gone) expect(error.message).toContain('queue:gone')
    }
    await t.settle()
    expect(await valuesOf(t, 'queue:out')).toEqual([])
    held.ack(0, 3)
  })

  test('none of it happens when a queue does not take all of it together', async () => {
    const { t, held } = await consuming()
    t.broker.createQueue({ name: 'small', limits: { messages: 3 } })
    const two = publish(t, 'queue:small', '1', '2')
    expect(refusal(() => t.broker.transact([settle(held, 0), two, two])).code).toBe('queue_full')
    const to = ['queue:out', 'queue:small']
    expect(refusal(() => t.broker.transact([two, multicast(t, to, batchOf('3', '4'))])).code).toBe('queue_full')
    t.broker.transact([two, multicast(t, to, batchOf('3'))])
    await t.settle()
    expect(await valuesOf(t, 'queue:small')).toEqual(['1', '2', '3'])
    held.ack(0, 3)
  })

  test('leaves out what was published before, where there is dedup', async () => {
    const t = await TestBroker.open()
    t.broker.createQueue({ name: 'once', dedup: { windowMs: 60_000 } })
    const id = { key: 'message-id', value: encoder.encode('id 1') }
    const batch = encodeBatch([{ timestampMs: 0, key: null, value: encoder.encode('v'), headers: [id] }])
    const [first] = t.broker.transact([multicast(t, ['queue:once', 'queue:out'], batch)])
    await t.settle()
    const [again] = t.broker.transact([multicast(t, ['queue:once', 'queue:out'], batch), publish(t, 'queue:out', 'w')])
    expect(first![0]).toEqual({ partition: 0, baseOffset: 0 })
    expect(again).toEqual([
      { partition: 0, baseOffset: 0, duplicates: [{ position: 0, partition: 0, offset: 0 }] },
      { partition: 0, baseOffset: 1 },
    ])
    await t.settle()
    expect(await valuesOf(t, 'queue:once')).toEqual(['v'])
    expect(await valuesOf(t, 'queue:out')).toEqual(['v', 'v', 'w'])
  })

  test('says which records of a batch were published before, or earlier in the same transaction', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'once', partitions: 2, dedup: { windowMs: 60_000 } })
    const to = t.broker.destination('topic:once', true)
    to.publish(1, identified('a'))
    const [first, second] = t.broker.transact([
      { kind: 'publish', to, partition: 0, batch: identified('b', 'a', 'c') },
      { kind: 'publish', to, partition: 1, batch: identified('c', 'd') },
    ])
    expect([first, second]).toEqual([
      [{ partition: 0, baseOffset: 0, duplicates: [{ position: 1, partition: 1, offset: 0 }] }],
      [{ partition: 1, baseOffset: 1, duplicates: [{ position: 0, partition: 0, offset: 1 }] }],
    ])
  })

  test('takes scheduled messages back with the rest, if they wait', async () => {
    const { t } = await consuming()
    const later = t.broker.destination('queue:later', true)
    const dueMs = t.platform.clock.nowMs() + 10_000
    const [first, second] = [later.publishLater(0, batchOf('first'), dueMs), later.publishLater(0, batchOf('second'), dueMs)]
    await t.settle()
    expect(t.broker.transact([publish(t, 'queue:out', 'a'), cancel(first)])).toEqual([[{ partition: 0, baseOffset: 0 }], []])
    await t.settle()
    await t.crash()
    expect([t.broker.scheduled(first), t.broker.scheduled(second)]).toEqual([undefined, 'queue:later'])
    const again = t.consume('queue:in')
    await t.settle()
    expect(again.messages).toHaveLength(4)
    for (const [actions, code] of [
      [[cancel(first)], 'stale_delivery'],
      [[cancel(second), cancel(second)], 'bad_request'],
      [[cancel(second), cancel(NaN)], 'stale_delivery'],
    ] as const) {
      expect(refusal(() => t.broker.transact([settle(again, 0), publish(t, 'queue:out', 'b'), ...actions])).code).toBe(code)
    }
    await t.advance(11_000)
    expect(await valuesOf(t, 'queue:later')).toEqual(['second'])
    expect(await valuesOf(t, 'queue:out')).toEqual(['a'])
    expect(refusal(() => t.broker.transact([cancel(second)])).code).toBe('stale_delivery')
  })

  test('what no commit can hold is refused before anything happens', async () => {
    const { t, held } = await consuming()
    const big = 'x'.repeat(5 * 1024 * 1024)
    const actions = [settle(held, 0), ...Array.from({ length: 5 }, () => publish(t, 'queue:out', big))]
    expect(refusal(() => t.broker.transact(actions)).code).toBe('record_too_large')
    await t.settle()
    expect(await valuesOf(t, 'queue:out')).toEqual([])
    t.broker.transact(actions.slice(0, 3))
    await t.settle()
    expect((await valuesOf(t, 'queue:out')).length).toBe(2)
  })

  test('has a limit of actions', async () => {
    const { t, held } = await consuming()
    const actions = Array.from({ length: TRANSACTION_ACTIONS_MAX + 1 }, () => settle(held, 0))
    expect(refusal(() => t.broker.transact(actions)).code).toBe('limit_reached')
    expect(t.broker.transact([])).toEqual([])
  })

  test('stays in one commit where much state would be written early otherwise', async () => {
    const t = await TestBroker.open()
    const values = Array.from({ length: 500 }, (_, n) => `m${n}`)
    t.publish('queue:in', ...values)
    const held = t.consume('queue:in')
    await t.settle()
    const reason = 'r'.repeat(512)
    const ticket = t.broker.ticket()
    t.broker.transact([
      publish(t, 'queue:out', 'x'.repeat(8_000_000)),
      ...values.map((_, n) => settle(held, n, n, { kind: 'reject', reason })),
      publish(t, 'queue:out', 'done'),
    ])
    await t.platform.until(t.broker.whenCommitted(ticket))
    expect(await valuesOf(t, 'queue:out')).toHaveLength(2)
    expect(await valuesOf(t, 'queue:in')).toEqual([])
  })

  test('is refused while the broker closes', async () => {
    const { t, held } = await consuming()
    const action = publish(t, 'queue:out', 'a')
    const closing = t.broker.close()
    expect(refusal(() => t.broker.transact([action, settle(held, 0)])).code).toBe('draining')
    await t.platform.until(closing)
  })
})

describe('multicast', () => {
  test('reaches queues and topics with one stored copy, each named once or twice', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'news', partitions: 4 })
    t.broker.createSubscription({ topic: 'news', name: 'all' })
    const consumer = t.consume('topic:news/all')
    await t.settle()
    const body = 'x'.repeat(100_000)
    const before = t.store.stats.liveBytes
    const [places] = t.broker.transact([multicast(t, ['queue:a', 'topic:news', 'queue:a', 'queue:b'], keyed(['key', body]))])
    const partition = t.broker.destination('topic:news', false).partitionFor(encoder.encode('key'))
    const queue = { partition: 0, baseOffset: 0 }
    expect(places).toEqual([queue, { partition, baseOffset: 0 }, queue, queue])
    await t.settle()
    expect(t.store.stats.liveBytes - before).toBeLessThan(2 * body.length)
    expect(consumer.messages).toMatchObject([{ partition, value: body }])
    expect(await valuesOf(t, 'queue:a')).toEqual([body])
    expect(await valuesOf(t, 'queue:b')).toEqual([body])
    await t.crash()
    expect(await valuesOf(t, 'queue:b')).toEqual([body])
  })

  test('goes on after each of them is consumed on its own', async () => {
    const t = await TestBroker.open()
    t.broker.transact([multicast(t, ['queue:a', 'queue:b'], batchOf('1', '2'))])
    t.publish('queue:a', '3')
    const a = t.consume('queue:a')
    await t.settle()
    expect(a.taken()).toEqual(['1#1', '2#1', '3#1'])
    a.ack(0, 2)
    await t.restart()
    expect(await valuesOf(t, 'queue:a')).toEqual([])
    expect(await valuesOf(t, 'queue:b')).toEqual(['1', '2'])
  })

  test('is refused as a whole', async () => {
    const t = await TestBroker.open()
    t.broker.createTopic({ name: 'table', cleanup: 'compact' })
    expect(refusal(() => t.broker.transact([multicast(t, ['queue:a', 'topic:table'], batchOf('no key'))])).message).toContain(
      'topic:table',
    )
    const gone = multicast(t, ['queue:a', 'queue:gone'], batchOf('x'))
    t.broker.deleteQueue('gone')
    expect(refusal(() => t.broker.transact([gone])).message).toContain('queue:gone')
    expect(refusal(() => t.broker.transact([multicast(t, [], batchOf('x'))])).code).toBe('bad_request')
    const many = Array.from({ length: MULTICAST_DESTINATIONS_MAX + 1 }, () => 'queue:a')
    expect(refusal(() => t.broker.transact([multicast(t, many, batchOf('x'))])).code).toBe('limit_reached')
    const large = multicast(
      t,
      ['queue:a', ...Array.from({ length: 500 }, (_, n) => `queue:q${n}`)],
      batchOf('x'.repeat(t.broker.limits.batchBytesMax - 512)),
    )
    expect(refusal(() => t.broker.transact([large])).code).toBe('record_too_large')
    await t.settle()
    expect(await valuesOf(t, 'queue:a')).toEqual([])
  })
})
