import { describe, expect, test } from 'vitest'
import { TestBroker, type TestOptions } from '../../../test/core/harness.ts'
import { TransactionalClient } from '../../../test/core/transactional-client.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { DAY_MS } from '../../base/units.ts'
import { EPOCH_MAX } from './limits.ts'

const refused = (code: ErrorCode): object => expect.objectContaining({ code }) as object

async function open(options: TestOptions = {}): Promise<TestBroker> {
  const t = await TestBroker.open(options)
  t.broker.createTopic({ name: 't', partitions: 3 })
  t.broker.createTopic({ name: 'in', partitions: 2 })
  t.broker.createQueue({ name: 'q' })
  await t.settle()
  return t
}

async function valuesOf(t: TestBroker, source = 'topic:t', partition = 0): Promise<(string | null)[]> {
  const reader = t.read(source, 'earliest', partition)
  await t.settle()
  reader.reader.close()
  return reader.values
}

function offsetOf(t: TestBroker, group = 'g', partition = 0): number | undefined {
  return t.broker.groups.offset(group, 'in', partition)?.offset
}

function stateOf(t: TestBroker, id = 'p'): string | undefined {
  return t.broker.producerTransactions.describe(id)?.state
}

describe('what others see', () => {
  test('nothing before the commit, then all of it, at once', async () => {
    const t = await open()
    const consumer = t.consume('queue:q')
    const reader = t.read('topic:t', 'earliest', 1)
    const p = new TransactionalClient(t, 'p').open()
    p.send('topic:t', 0, ['a', 'b'])
    p.send('topic:t', 1, ['c'])
    await t.settle()
    p.send('topic:t', 0, ['d'])
    p.send('queue:q', 0, ['e'])
    await t.settle()
    expect(await valuesOf(t)).toEqual([])
    expect([...reader.values, ...consumer.values]).toEqual([])
    expect(t.broker.topic('t').partitionInfo[0]).toMatchObject({ start: 0, end: 0 })

    const commits = t.store.stats.commits
    expect(p.end('commit')).toEqual({ identity: p.identity, isPublished: true })
    await t.settle()
    expect(t.store.stats.commits - commits).toBeLessThanOrEqual(2)
    expect(await valuesOf(t)).toEqual(['a', 'b', 'd'])
    expect(reader.values).toEqual(['c'])
    expect(consumer.values).toEqual(['e'])
    expect(t.broker.stats().publishedMessages).toBe(5)
  })

  test('nothing ever of what is aborted, and the next transaction goes on', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    p.send('topic:t', 0, ['a'])
    p.addOffset('g', 'in', 0, 5)
    await t.settle()
    p.end('abort')
    await t.settle()
    expect(stateOf(t)).toBe('aborted')
    p.send('topic:t', 0, ['b'])
    await t.settle()
    p.end('commit')
    await t.settle()
    expect(await valuesOf(t)).toEqual(['b'])
    expect(offsetOf(t)).toBeUndefined()
    expect(t.broker.producerTransactions.describe('p')!.bytes).toBe(0)
    // Both of its batches are gone from where they waited.
    const waiting = t.store.logs().map((log) => t.store.bounds(log))
    expect(waiting).toContainEqual({ start: 2, end: 2, bytes: 0 })
  })

  test('offsets of a group move with the commit, and are pending before', async () => {
    const t = await open()
    t.broker.groups.commitOffsets('g', [{ topic: 'in', partition: 0, offset: 1 }])
    const p = new TransactionalClient(t, 'p').open()
    expect(p.addOffset('g', 'in', 0, 5)).toEqual([undefined])
    expect(p.addOffset('g', 'in', 9, 5)).toEqual(['unknown-partition'])
    p.addOffset('g', 'in', 0, 7)
    await t.settle()
    expect(t.broker.groups.offset('g', 'in', 0)).toMatchObject({ offset: 1, isPending: true })
    expect(t.broker.producerTransactions.describe('p')).toMatchObject({ state: 'open', groups: ['g'] })
    await t.crash()
    expect(t.broker.groups.offset('g', 'in', 0)).toMatchObject({ offset: 1, isPending: true })
    p.end('commit')
    expect(t.broker.groups.offset('g', 'in', 0)).toMatchObject({ offset: 7, isPending: false })
    await t.settle()
    await t.crash()
    expect(offsetOf(t)).toBe(7)
  })

  test('figures tell how many there are, since when, and how they ended', async () => {
    const t = await open()
    const { producerTransactions } = t.broker
    const none = { producers: 0, open: 0, committing: 0, bytes: 0, oldestStartedMs: undefined, committed: 0, aborted: 0 }
    expect(producerTransactions.figures()).toEqual(none)
    const startedMs = t.platform.clock.nowMs()
    const [p, q] = ['p', 'q'].map((id) => new TransactionalClient(t, id).open())
    p!.send('topic:t', 0, ['a'])
    await t.advance(1000)
    q!.send('topic:t', 0, ['b'])
    expect(producerTransactions.figures()).toMatchObject({ producers: 2, open: 2, oldestStartedMs: startedMs })
    expect(producerTransactions.figures().bytes).toBeGreaterThan(100)
    p!.end('commit')
    await t.advance(60_000)
    expect(producerTransactions.figures()).toEqual({ ...none, producers: 2, committed: 1, aborted: 1 })
  })

  test('a topic that is deleted takes its part with it, also when it is made again', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    p.send('topic:t', 0, ['a'])
    p.send('queue:q', 0, ['b'])
    p.addOffset('g', 'in', 0, 5)
    await t.settle()
    for (const name of ['t', 'in']) {
      t.broker.deleteTopic(name)
      t.broker.createTopic({ name, partitions: 1 })
    }
    await t.crash()
    for (const name of ['t', 'in']) {
      t.broker.deleteTopic(name)
      t.broker.createTopic({ name, partitions: 1 })
    }
    p.end('commit')
    expect(await valuesOf(t)).toEqual([])
    expect(await valuesOf(t, 'queue:q')).toEqual(['b'])
    expect(offsetOf(t)).toBeUndefined()
    expect(t.warnings.join()).toContain('without 1 batches')
  })

  test('a dedup window leaves out at the commit what it knows by then', async () => {
    const t = await open()
    t.broker.createTopic({ name: 'd', dedup: { windowMs: 60_000 } })
    const p = new TransactionalClient(t, 'p').open()
    p.send('topic:d', 0, ['a', 'b'])
    await t.settle()
    p.end('commit')
    expect(await valuesOf(t, 'topic:d')).toEqual(['a', 'b'])
  })
})

describe('who may do what', () => {
  test('a new instance fences the older one and aborts what it left', async () => {
    const t = await open()
    const old = new TransactionalClient(t, 'p').open()
    old.send('topic:t', 0, ['a'])
    await t.settle()
    const next = new TransactionalClient(t, 'p').open()
    expect(next.identity).toEqual({ producerId: old.identity.producerId, epoch: old.identity.epoch + 1 })
    for (const late of [
      (): unknown => old.send('topic:t', 0, ['b']),
      (): unknown => old.sendAgain(old.last!),
      (): unknown => old.enlist('topic:t', 1),
      (): unknown => old.addOffset('g', 'in', 0, 1),
      (): unknown => old.end('commit'),
      (): unknown => old.end('abort', true),
      (): unknown => old.open(old.identity),
    ]) {
      expect(late).toThrow(refused('fenced'))
    }
    next.send('topic:t', 0, ['c'])
    await t.settle()
    next.end('commit')
    expect(await valuesOf(t)).toEqual(['c'])
  })

  test('somebody who goes on as who it was is told the same again when it asks again', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    const first = p.identity
    const second = p.open(first).identity
    expect(second.epoch).toBe(first.epoch + 1)
    expect(p.open(first).identity).toEqual(second)
    await t.settle()
    await t.crash()
    expect(p.open(first).identity).toEqual(second)
    p.send('topic:t', 0, ['a'])
    expect(() => p.open(first)).toThrow(refused('fenced'))
  })

  test('when epochs run out, the producer gets another id', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    const first = p.identity
    for (let n = 0; n < EPOCH_MAX; n++) p.end('abort', true)
    expect(p.identity).toEqual({ ...first, epoch: EPOCH_MAX })
    p.send('topic:t', 0, ['a'])
    await t.settle()
    p.end('commit', true)
    expect(p.identity.epoch).toBe(0)
    expect(p.identity.producerId).not.toBe(first.producerId)
    p.send('topic:t', 0, ['b'])
    await t.settle()
    p.end('commit', true)
    expect(await valuesOf(t)).toEqual(['a', 'b'])
  })

  test('what was not announced is refused where it has to be', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    expect(() => p.send('topic:t', 0, ['a'], 'enlisted')).toThrow(refused('bad_transaction_state'))
    expect(() => p.addOffset('g', 'in', 0, 1, 'enlisted')).toThrow(refused('bad_transaction_state'))
    p.enlist('topic:t', 0)
    await t.settle()
    await t.crash()
    p.send('topic:t', 0, ['a'], 'enlisted')
    p.addOffset('g', 'in', 0, 1, 'enlisted')
    expect(() => p.send('topic:t', 1, ['a'], 'enlisted')).toThrow(refused('bad_transaction_state'))
    await t.settle()
    p.end('commit')
    expect(() => p.send('topic:t', 0, ['b'], 'enlisted')).toThrow(refused('bad_transaction_state'))
    expect(await valuesOf(t)).toEqual(['a'])
    expect(() => p.enlist('topic:t', 3)).toThrow(refused('bad_request'))
  })

  test('those that nobody uses are forgotten, those with a transaction are not', async () => {
    const t = await open({ transactions: { timeoutMsMax: 30 * DAY_MS } })
    const p = new TransactionalClient(t, 'p').open()
    const q = new TransactionalClient(t, 'q', 20 * DAY_MS).open()
    q.send('topic:t', 0, ['q'])
    p.send('topic:t', 0, ['a'])
    await t.settle()
    p.end('commit')
    await t.advance(6 * DAY_MS)
    expect(stateOf(t)).toBe('committed')
    await t.advance(2 * DAY_MS)
    expect(t.broker.producerTransactions.list().map((each) => each.transactionalId)).toEqual(['q'])
    expect(() => p.send('topic:t', 0, ['b'])).toThrow(refused('not_found'))
    await t.crash()
    expect(stateOf(t)).toBeUndefined()
    q.end('commit')
    expect(await valuesOf(t)).toEqual(['a', 'q'])
  })
})

describe('calls that are repeated', () => {
  test('a batch is stored once', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    expect(p.send('topic:t', 0, ['a'])).toBe(true)
    expect(p.sendAgain(p.last!)).toBe(false)
    await t.settle()
    await t.crash()
    expect(p.sendAgain(p.last!)).toBe(false)
    p.send('topic:t', 0, ['b'])
    await t.settle()
    p.end('commit')
    await t.settle()
    expect(p.sendAgain(p.last!)).toBe(false)
    expect(stateOf(t)).toBe('committed')
    expect(await valuesOf(t)).toEqual(['a', 'b'])
  })

  test('sequences with a hole are refused', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    p.send('topic:t', 0, ['a'])
    const { last } = p
    p.send('topic:t', 0, ['b'])
    p.send('topic:t', 0, ['c'])
    const third = p.last!
    const again = new TransactionalClient(t, 'p')
    again.open(p.identity)
    expect(() => again.sendAgain(third)).toThrow(refused('fenced'))
    again.send('topic:t', 0, ['d', 'e'])
    again.sendAgain(again.last!)
    expect(last).toBeDefined()
  })

  test.each([false, true])('an end answers as it did; the other end is refused (bump: %s)', async (bump) => {
    const t = await open()
    for (const outcome of ['commit', 'abort'] as const) {
      const p = new TransactionalClient(t, outcome).open()
      p.send('topic:t', 0, [outcome])
      await t.settle()
      const { by } = p
      const ended = p.end(outcome, bump)
      expect(ended.identity.epoch).toBe(by.epoch + (bump ? 1 : 0))
      await t.settle()
      const other = outcome === 'commit' ? 'abort' : 'commit'
      const { producerTransactions } = t.broker
      expect(producerTransactions.end(by, outcome, bump)).toEqual(ended)
      expect(() => producerTransactions.end(by, other, bump)).toThrow(refused('bad_transaction_state'))
      await t.crash()
      expect(t.broker.producerTransactions.end(by, outcome, bump)).toEqual(ended)
      expect(() => t.broker.producerTransactions.end(by, other, bump)).toThrow(refused('bad_transaction_state'))
    }
    expect(await valuesOf(t)).toEqual(['commit'])
  })

  test('there is nothing to commit without a transaction', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    expect(() => p.end('commit')).toThrow(refused('bad_transaction_state'))
    p.end('abort')
    expect(() => p.end('commit', true)).toThrow(refused('bad_transaction_state'))
  })
})

describe('time', () => {
  test('a transaction that takes too long is aborted; its producer can go on, and hears why', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p', 10_000).open()
    p.send('topic:t', 0, ['a'])
    p.addOffset('g', 'in', 0, 3)
    await t.advance(9_999)
    expect(stateOf(t)).toBe('open')
    await t.advance(1)
    expect(stateOf(t)).toBe('aborted')
    expect(() => p.send('topic:t', 0, ['b'])).toThrow(refused('transaction_timeout'))
    expect(() => p.end('commit')).toThrow(refused('transaction_timeout'))
    expect(() => p.end('commit', true)).toThrow(refused('transaction_timeout'))
    p.open(p.identity)
    p.send('topic:t', 0, ['c'])
    await t.settle()
    p.end('commit')
    expect(await valuesOf(t)).toEqual(['c'])
    expect(offsetOf(t)).toBeUndefined()
  })

  test('its time goes on over a restart, and begins anew with each transaction', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p', 10_000).open()
    p.send('topic:t', 0, ['a'])
    await t.advance(8_000)
    p.end('commit')
    p.send('topic:t', 0, ['b'])
    await t.advance(6_000)
    await t.crash()
    expect(stateOf(t)).toBe('open')
    await t.advance(3_999)
    expect(stateOf(t)).toBe('open')
    await t.advance(1)
    expect(stateOf(t)).toBe('aborted')
    expect(await valuesOf(t)).toEqual(['a'])
  })

  test('an operator aborts', async () => {
    const t = await open()
    const p = new TransactionalClient(t, 'p').open()
    expect(t.broker.producerTransactions.abort('p')).toBe(false)
    p.send('topic:t', 0, ['a'])
    expect(t.broker.producerTransactions.abort('p')).toBe(true)
    expect(() => p.end('commit')).toThrow(refused('transaction_timeout'))
    expect(p.end('abort', true).identity.epoch).toBe(1)
    expect(() => t.broker.producerTransactions.abort('x')).toThrow(refused('not_found'))
  })
})

describe('limits', () => {
  test('are checked before anything is changed', async () => {
    const t = await open({
      transactions: { partitionsMax: 2, bytesMax: 2000, openBytesMax: 3000, producersMax: 2, timeoutMsMax: 1000 },
    })
    expect(() => new TransactionalClient(t, 'p', 1001).open()).toThrow(refused('limit_reached'))
    expect(() => new TransactionalClient(t, '', 1000).open()).toThrow(refused('bad_request'))
    const p = new TransactionalClient(t, 'p', 1000).open()
    const q = new TransactionalClient(t, 'q', 1000).open()
    expect(() => new TransactionalClient(t, 'r', 1000).open()).toThrow(refused('limit_reached'))
    p.enlist('topic:t', 0, 1)
    expect(() => p.enlist('topic:t', 2)).toThrow(refused('limit_reached'))
    expect(() => p.send('topic:t', 2, ['a'])).toThrow(refused('limit_reached'))
    p.send('topic:t', 0, ['x'.repeat(1500)])
    expect(() => p.send('topic:t', 0, ['x'.repeat(1500)])).toThrow(refused('limit_reached'))
    expect(() => q.send('topic:t', 0, ['x'.repeat(1500)])).toThrow(refused('overloaded'))
    expect(stateOf(t, 'q')).toBe('empty')
    p.end('abort')
    q.send('topic:t', 0, ['x'.repeat(1500)])
    expect(t.broker.producerTransactions.describe('q')!.partitions).toEqual([{ kind: 'topic', name: 't', partition: 0 }])
    const many = Array.from({ length: 40 }, () => ({ topic: 'in', partition: 0, offset: 1, metadata: 'm'.repeat(4000) }))
    expect(() => t.broker.producerTransactions.addOffsets(q.by, 'g', many, undefined, 'begin')).toThrow(refused('limit_reached'))
  })
})

describe('large ones', () => {
  const VALUE = 'x'.repeat(400)

  async function openLarge(): Promise<{ t: TestBroker; p: TransactionalClient; values: string[] }> {
    const t = await open({ storage: { commitBytesMax: 3000, tailCacheBytes: 3000 } })
    const p = new TransactionalClient(t, 'p').open()
    const values = Array.from({ length: 30 }, (_, n) => `${n} ${VALUE}`)
    for (const value of values) p.send('topic:t', 0, [value])
    p.addOffset('g', 'in', 0, 30)
    await t.settle()
    return { t, p, values }
  }

  test('are published in pieces, in order; the producer is busy meanwhile, and its offsets come last', async () => {
    const { t, p, values } = await openLarge()
    expect(p.end('commit').isPublished).toBe(false)
    expect(stateOf(t)).toBe('committing')
    for (const early of [
      (): unknown => p.send('topic:t', 0, ['b']),
      (): unknown => p.enlist('topic:t', 1),
      (): unknown => p.addOffset('g', 'in', 0, 1),
      (): unknown => new TransactionalClient(t, 'p').open(),
      (): unknown => t.broker.producerTransactions.abort('p'),
    ]) {
      expect(early).toThrow(refused('transaction_busy'))
    }
    expect(() => p.end('abort')).toThrow(refused('bad_transaction_state'))
    expect(p.end('commit').isPublished).toBe(false)
    expect(t.broker.groups.offset('g', 'in', 0)).toBeUndefined()
    await t.platform.until(t.broker.producerTransactions.whenPublished('p'))
    expect(offsetOf(t)).toBe(30)
    expect(await valuesOf(t)).toEqual(values)
    expect(stateOf(t)).toBe('committed')
    await t.platform.until(t.broker.producerTransactions.whenPublished('p'))
  })

  test('who waits for the end is told when the broker stops before', async () => {
    const { t, p, values } = await openLarge()
    p.end('commit')
    const waiting = t.broker.producerTransactions.whenPublished('p').catch((error: unknown) => error)
    await t.restart()
    expect(await waiting).toEqual(refused('draining'))
    expect(await valuesOf(t)).toEqual(values)
  })
})

test('many that were committed before a restart are all published, a few at a time', async () => {
  const t = await open({ storage: { commitBytesMax: 700_000, tailCacheBytes: 3000 } })
  const large = 'x'.repeat(200_000)
  const clients = Array.from({ length: 12 }, (_, n) => new TransactionalClient(t, `p${n}`).open())
  for (const p of clients) for (const part of ['a', 'b', 'c']) p.send('topic:t', 0, [`${p.transactionalId}${part} ${large}`])
  await t.settle()
  for (const p of clients) expect(p.end('commit').isPublished).toBe(false)
  const decided = t.broker.ticket()
  while (t.broker.committedTicket < decided) {
    t.platform.runTurn()
    await Promise.resolve()
  }
  await t.crash()
  for (const { transactionalId } of clients) {
    await t.platform.until(t.broker.producerTransactions.whenPublished(transactionalId))
  }
  const found = (await valuesOf(t)).map((value) => value!.split(' ')[0])
  expect(found).toHaveLength(36)
  expect(new Set(found)).toEqual(new Set(clients.flatMap((p) => ['a', 'b', 'c'].map((part) => p.transactionalId + part))))
})
