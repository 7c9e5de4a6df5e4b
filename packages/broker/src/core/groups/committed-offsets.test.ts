import { encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { GroupClient } from '../../../test/core/group-client.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../base/units.ts'
import type { TransactionalProducer } from '../producer-transactions/producer-transactions.ts'
import type { OffsetCommit } from './consumer-groups.ts'

const topic = 't'

async function open(partitions = 3, options: Parameters<typeof TestBroker.open>[0] = {}): Promise<TestBroker> {
  const t = await TestBroker.open(options)
  t.broker.createTopic({ name: topic, partitions })
  await t.settle()
  return t
}

/** `partition:offset` of all that the group has committed in the topic. */
function committed(t: TestBroker, group = 'g', of = topic): string[] {
  return t.broker.groups.offsets(group, of).map(({ partition, offset }) => `${partition}:${offset}`)
}

function at(...offsets: number[]): OffsetCommit[] {
  return offsets.map((offset, partition) => ({ topic, partition, offset }))
}

function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(String, (error: { code: string }) => error.code)
}

describe('committed offsets', () => {
  test('are there at once, and after a crash once their commit is durable', async () => {
    const t = await open()
    const { groups } = t.broker
    const [first] = [{ topic, partition: 0, offset: 7, leaderEpoch: 3, metadata: 'näheres' }]
    expect(groups.commitOffsets('g', [first, { topic, partition: 2, offset: 0 }])).toEqual([undefined, undefined])
    const ticket = t.broker.ticket()
    const committedMs = t.platform.clock.nowMs()
    const expected = { ...first, committedMs, isPending: false }
    expect(groups.offset('g', topic, 0)).toEqual(expected)
    expect(groups.offset('g', topic, 1)).toBeUndefined()
    await t.platform.until(t.broker.whenCommitted(ticket))
    groups.commitOffsets('g', at(9))
    await t.crash()
    expect(t.broker.groups.offset('g', topic, 0)).toEqual(expected)
    expect(t.broker.groups.offset('g', topic, 2)).toMatchObject({ offset: 0, leaderEpoch: -1, metadata: '' })
    expect(committed(t)).toEqual(['0:7', '2:0'])
    expect(committed(t, 'h')).toEqual([])
  })

  test('what is wrong with one does not hold up the others', async () => {
    const t = await open()
    const problems = t.broker.groups.commitOffsets('g', [
      { topic, partition: 3, offset: 1 },
      { topic: 'none', partition: 0, offset: 1 },
      { topic, partition: 0, offset: -1 },
      { topic, partition: 0, offset: 1.5 },
      { topic, partition: 1, offset: 1, metadata: 'é'.repeat(2049) },
      { topic, partition: 2, offset: 5, metadata: 'é'.repeat(2048) },
    ])
    const [partition, offset, metadata] = ['unknown-partition', 'bad-offset', 'metadata-too-large']
    expect(problems).toEqual([partition, partition, offset, offset, metadata, undefined])
    expect(committed(t)).toEqual(['2:5'])
    expect(t.broker.groups.commitOffsets('', at(1))).toBe('bad-group')
  })

  test('many at once are one commit, and a change costs what it changes', async () => {
    const t = await open(1000)
    const metadata = 'm'.repeat(1000)
    const all = Array.from({ length: 1000 }, (_, partition) => ({ topic, partition, offset: partition, metadata }))
    const before = t.broker.committedTicket
    t.broker.groups.commitOffsets('g', all)
    await t.settle()
    expect(t.broker.committedTicket).toBe(before + 1)
    const bytesBefore = t.store.stats.committedBytes
    t.broker.groups.commitOffsets('g', [{ topic, partition: 500, offset: 77 }])
    await t.settle()
    expect(t.store.stats.committedBytes - bytesBefore).toBeLessThan(400)
    await t.crash()
    expect(t.broker.groups.offsets('g')).toHaveLength(1000)
    expect(t.broker.groups.offset('g', topic, 500)).toMatchObject({ offset: 77, metadata: '' })
    expect(t.broker.groups.offset('g', topic, 999)).toMatchObject({ offset: 999, metadata })
  })

  test('survive any number of changes and restarts, and their log stays short', async () => {
    const t = await open(200)
    for (let round = 0; round < 60; round++) {
      for (const group of ['g', 'h']) {
        const changes = Array.from({ length: 200 }, (_, partition) => ({
          topic,
          partition,
          offset: round * 1000 + partition,
          metadata: `${group} ${'x'.repeat(400)}`,
        }))
        t.broker.groups.commitOffsets(group, changes)
        await t.settle()
      }
      if (round % 10 === 9) await t.restart()
    }
    const sizes = t.store.logs().map((log) => t.store.bounds(log).bytes)
    expect(Math.max(...sizes)).toBeLessThan(1_500_000)
    await t.crash()
    expect(t.broker.groups.offsets('g')).toHaveLength(200)
    expect(t.broker.groups.offset('h', topic, 199)).toMatchObject({ offset: 59_199 })
  })

  test('go with their topic: one that is made again has none', async () => {
    const t = await open()
    t.broker.createTopic({ name: 'other' })
    t.broker.groups.commitOffsets('g', [...at(1, 2, 3), { topic: 'other', partition: 0, offset: 4 }])
    t.broker.groups.commitOffsets('only', at(1))
    await t.settle()
    t.broker.deleteTopic(topic)
    t.broker.createTopic({ name: topic, partitions: 3 })
    expect(committed(t)).toEqual([])
    await t.settle()
    for (let n = 0; n < 2; n++) {
      expect([committed(t), committed(t, 'g', 'other')]).toEqual([[], ['0:4']])
      expect(t.broker.groups.list().map(({ name }) => name)).toEqual(['g'])
      await t.crash()
    }
  })

  test('are deleted one by one, or with the group', async () => {
    const t = await open()
    const { groups } = t.broker
    groups.commitOffsets('g', at(1, 2, 3))
    expect(groups.deleteOffsets('g', [{ topic, partition: 1 }, { topic, partition: 7 }])).toBe(1) // prettier-ignore
    groups.commitOffsets('h', at(4))
    await t.settle()
    await t.crash()
    expect([committed(t), committed(t, 'h')]).toEqual([['0:1', '2:3'], ['0:4']])
    expect(t.broker.groups.deleteGroup('h')).toBeUndefined()
    t.broker.groups.deleteOffsets('g', at(0, 0, 0))
    await t.settle()
    await t.crash()
    expect(t.broker.groups.list()).toEqual([])
    expect(t.broker.groups.deleteGroup('h')).toBe('not-found')
  })
})

test('there is always a commit to wait for, also when nothing had to be done', async () => {
  const t = await open()
  const { groups } = t.broker
  const durable = (): Promise<void> => t.platform.until(t.broker.whenCommitted(t.broker.ticket()))
  groups.commitOffsets('g', [{ topic: 'none', partition: 0, offset: 1 }])
  await durable()
  groups.deleteOffsets('g', at(0))
  await durable()
  new GroupClient(t, 'a', { requireMemberId: true }).join()
  expect(groups.deleteGroup('g')).toBeUndefined()
  await durable()
  expect(groups.list()).toEqual([])
})

describe('who may commit', () => {
  test('strangers while the group is empty, members while they are of its generation', async () => {
    const t = await open()
    const { groups } = t.broker
    const a = new GroupClient(t, 'a').join()
    await t.advance(200)
    const by = a.identity
    expect(groups.commitOffsets('g', at(1), by)).toBe('rebalancing')
    a.sync()
    expect(groups.commitOffsets('g', at(2), by)).toEqual([undefined])
    expect(groups.commitOffsets('g', at(9))).toBe('unknown-member')
    expect(groups.commitOffsets('g', at(9), { memberId: '', generation: -1 })).toBe('unknown-member')
    expect(groups.commitOffsets('g', at(9), { ...by, memberId: 'x' })).toBe('unknown-member')
    expect(groups.commitOffsets('g', at(9), { ...by, generation: 0 })).toBe('illegal-generation')
    new GroupClient(t, 'b').join()
    // It still has time to.
    expect(groups.commitOffsets('g', at(3), by)).toEqual([undefined])
    a.join()
    expect(groups.commitOffsets('g', at(9), by)).toBe('illegal-generation')
    expect(committed(t)).toEqual(['0:3'])
    await t.crash()
    expect(t.broker.groups.commitOffsets('g', at(9), by)).toBe('unknown-member')
    expect(t.broker.groups.commitOffsets('g', at(4), { memberId: '', generation: -1 })).toEqual([undefined])
  })

  test('a commit shows that its member lives', async () => {
    const t = await open()
    const a = new GroupClient(t, 'a').join()
    await t.advance(200)
    a.sync()
    await t.advance(9000)
    t.broker.groups.commitOffsets('g', at(1), a.identity)
    await t.advance(9000)
    expect(a.heartbeat()).toBeUndefined()
  })
})

describe('expiry', () => {
  test('offsets are kept while somebody is in the group, and a week after', async () => {
    const t = await open()
    t.broker.groups.commitOffsets('simple', at(1))
    const a = new GroupClient(t, 'a', { sessionTimeoutMs: HOUR_MS / 2 }).join()
    await t.advance(200)
    a.sync()
    t.broker.groups.commitOffsets('g', at(1), a.identity)
    for (let n = 0; n < 10 * 72; n++) {
      await t.advance(20 * MINUTE_MS)
      expect(a.heartbeat()).toBeUndefined()
    }
    expect([committed(t, 'simple'), committed(t)]).toEqual([[], ['0:1']])
    a.leave()
    await t.advance(4 * DAY_MS)
    await t.crash()
    await t.advance(3 * DAY_MS - 20 * MINUTE_MS)
    expect(committed(t)).toEqual(['0:1'])
    await t.advance(40 * MINUTE_MS)
    expect(committed(t)).toEqual([])
    await t.crash()
    expect(t.broker.groups.list()).toEqual([])
  })

  test('each new commit of somebody who is no member counts anew', async () => {
    const t = await open()
    for (let n = 0; n < 5; n++) {
      t.broker.groups.commitOffsets('g', [{ topic, partition: n === 0 ? 1 : 0, offset: n }])
      await t.advance(3 * DAY_MS)
    }
    expect(committed(t)).toEqual(['0:4'])
  })
})

describe('in a transaction', () => {
  const batch = encodeBatch([{ timestampMs: 0, key: null, value: new Uint8Array(5) }])

  test('offsets are committed with what is published, or not at all', async () => {
    const t = await open()
    t.broker.createQueue({ name: 'out' })
    const to = t.broker.destination('queue:out', false)
    const publish = { kind: 'publish', to, partition: 0, batch } as const
    const result = t.broker.transact([publish, { kind: 'offsets', group: 'g', offsets: at(5, 6) }])
    expect(result).toEqual([[{ partition: 0, baseOffset: 0 }], []])
    await t.settle()
    const bad = [{ topic: 'none', partition: 0, offset: 1 }]
    expect(() => t.broker.transact([publish, { kind: 'offsets', group: 'g', offsets: bad }])).toThrow(
      /nothing of the transaction/,
    )
    const stranger = { memberId: 'x', generation: 1 }
    const fenced = expect.objectContaining({ code: 'fenced' }) as Error
    expect(() => t.broker.transact([publish, { kind: 'offsets', group: 'g', offsets: at(9), by: stranger }])).toThrow(fenced)
    t.broker.transact([publish, { kind: 'offsets', group: 'g', offsets: at(7) }])
    await t.crash()
    expect(committed(t)).toEqual(['0:5', '1:6'])
    expect(t.broker.queue('out').ready).toBe(1)
  })

  test('offsets are pending until the last transaction that has them ends', async () => {
    const t = await open()
    const { groups, producerTransactions: transactions } = t.broker
    groups.commitOffsets('g', at(1, 2))
    const pending = () => groups.offsets('g').map(({ isPending }) => isPending)
    const begin = (transactionalId: string, offsets: OffsetCommit[]): TransactionalProducer => {
      const by = { transactionalId, ...transactions.open(transactionalId, 60_000) }
      transactions.addOffsets(by, 'g', offsets, undefined, 'begin')
      return by
    }
    const [first, second] = [begin('first', at(0)), begin('second', at(0, 0))]
    expect(pending()).toEqual([true, true])
    transactions.end(second, 'abort', false)
    transactions.end(second, 'abort', false)
    expect(pending()).toEqual([true, false])
    transactions.end(first, 'abort', false)
    expect(pending()).toEqual([false, false])
  })
})

describe('lag and reset', () => {
  test('lag is counted from the committed offset, or from what is left', async () => {
    const t = await open(2)
    t.publishKeyed('topic:t', 0, [[null, 'a'], [null, 'b'], [null, 'c']]) // prettier-ignore
    t.broker.groups.commitOffsets('g', at(1, 0))
    await t.settle()
    const places = [
      { topic, partition: 0, offset: 1, start: 0, end: 3, lag: 2, metadata: '' },
      { topic, partition: 1, offset: 0, start: 0, end: 0, lag: 0, metadata: '' },
    ]
    expect(t.broker.groups.lag('g')).toEqual(places)
    expect(t.broker.groups.lag('none')).toBeUndefined()
  })

  test('an empty group goes where it is sent', async () => {
    const t = await open(2)
    const reset = (to: Parameters<typeof t.broker.groups.resetOffsets>[1]['to'], partitions?: number[]) =>
      t.platform.until(t.broker.groups.resetOffsets('g', { topic, to, ...(partitions === undefined ? {} : { partitions }) }))
    const begun = t.platform.clock.nowMs()
    t.publishKeyed('topic:t', 0, [[null, 'a'], [null, 'b']]) // prettier-ignore
    await t.advance(1000)
    t.publishKeyed('topic:t', 0, [[null, 'c']])
    await t.settle()
    expect(await reset('latest')).toMatchObject([{ offset: 3, lag: 0 }, { offset: 0 }])
    expect(await reset('earliest', [0])).toMatchObject([{ offset: 0, lag: 3 }, { offset: 0 }])
    expect(await reset({ offset: 99 })).toMatchObject([{ offset: 3 }, { offset: 0 }])
    expect(await reset({ timestampMs: begun + 500 })).toMatchObject([{ offset: 2, lag: 1 }, { offset: 0 }])
    await t.crash()
    expect(committed(t)).toEqual(['0:2', '1:0'])
    const { groups } = t.broker
    expect(await failure(groups.resetOffsets('g', { topic: 'none', to: 'latest' }))).toBe('not_found')
    expect(await failure(reset('latest', [7]))).toBe('bad_request')
    new GroupClient(t, 'a').join()
    expect(await failure(groups.resetOffsets('g', { topic, to: 'latest' }))).toBe('in_use')
  })
})
