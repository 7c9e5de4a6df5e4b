import { encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { TestBroker } from '../../test/core/harness.ts'

const code = (name: string): unknown => expect.objectContaining({ code: name })
const names = (t: TestBroker): string[] => t.broker.queues().map(({ name }) => name)

async function withSelfDeleting(): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'q', autoDelete: true })
  t.publish('queue:q', 'a', 'b')
  await t.settle()
  return t
}

describe('a queue that is not durable', () => {
  test('is gone with its messages, logs and scheduled messages when the data is opened again', async () => {
    for (const again of ['crash', 'restart'] as const) {
      const t = await TestBroker.open()
      t.broker.createQueue({ name: 'kept' })
      await t.settle()
      const logs = t.store.logs().length
      t.broker.createQueue({ name: 'brief', durable: false, priorities: 3, dedup: { windowMs: 1000 } })
      expect(t.broker.queue('brief')).toMatchObject({ durable: false, autoDelete: false })
      t.publish('queue:brief', 'a', 'b')
      t.publish('queue:kept', 'c')
      const later = encodeBatch([{ timestampMs: 0, key: null, value: new Uint8Array(1) }])
      const dueMs = t.platform.clock.nowMs() + 1_000_000
      t.broker.destination('queue:brief', false).publishLater(-1, later, dueMs)
      await t.settle()
      expect(t.broker.stats().scheduledMessages).toBe(1)
      await t[again]()
      expect(names(t)).toEqual(['kept'])
      expect(t.broker.stats().scheduledMessages).toBe(0)
      await t.settle()
      expect(t.store.logs().length).toBe(logs + 1)
      t.broker.createQueue({ name: 'brief' })
      expect(t.broker.queue('brief')).toMatchObject({ durable: true, ready: 0 })
      await t.settle()
      await t.crash()
      expect(names(t)).toEqual(['kept', 'brief'])
    }
  })
})

describe('a queue that deletes itself', () => {
  test('goes with its last consumer, not before it had one', async () => {
    const t = await withSelfDeleting()
    await t.advance(1_000_000)
    expect(names(t)).toEqual(['q'])
    const first = t.consume('queue:q', 1)
    const second = t.consume('queue:q', 0)
    const reader = t.read('queue:q', 'earliest')
    await t.settle()
    first.consumer.close()
    expect(names(t)).toEqual(['q'])
    second.consumer.close()
    second.consumer.close()
    expect(names(t)).toEqual([])
    expect(reader.reason?.code).toBe('not_found')
    await t.settle()
    await t.crash()
    expect(names(t)).toEqual([])
  })

  test('is not deleted by a restart, a crash, or consumers that were sent away', async () => {
    const t = await withSelfDeleting()
    t.consume('queue:q')
    await t.settle()
    await t.restart()
    expect(names(t)).toEqual(['q'])
    t.consume('queue:q')
    await t.settle()
    await t.crash()
    expect(t.broker.queue('q')).toMatchObject({ autoDelete: true, ready: 2 })
  })

  test('does not mind those who poll', async () => {
    const t = await withSelfDeleting()
    const poll = t.consume('queue:q', 1, { polls: true })
    await t.settle()
    expect(poll.taken()).toEqual(['a#1'])
    const consumer = t.consume('queue:q', 0, { exclusive: true })
    expect(t.broker.queue('q').consumers).toBe(1)
    poll.consumer.close()
    expect(names(t)).toEqual(['q'])
    consumer.consumer.close()
    expect(names(t)).toEqual([])
  })

  test('goes when its last consumer retires, with what that holds', async () => {
    const t = await withSelfDeleting()
    const consumer = t.consume('queue:q', 1)
    await t.settle()
    consumer.consumer.retire()
    expect(names(t)).toEqual([])
    expect(consumer.reason?.code).toBe('not_found')
    expect(() => consumer.ack(0)).toThrow(code('stale_delivery'))
  })

  test('can be told not to', async () => {
    const t = await withSelfDeleting()
    t.broker.updateQueue('q', { autoDelete: false })
    t.consume('queue:q').consumer.close()
    expect(names(t)).toEqual(['q'])
    t.broker.updateQueue('q', { autoDelete: true })
    t.consume('queue:q').consumer.close()
    expect(names(t)).toEqual([])
  })
})

test('a consumer that retired gets nothing, keeps nobody away, and may settle what it holds', async () => {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'q', delivery: { consumers: 'single' } })
  t.publish('queue:q', 'a', 'b', 'c')
  const first = t.consume('queue:q', 1, { exclusive: true })
  await t.settle()
  first.consumer.grant(1)
  await t.settle()
  expect(first.taken()).toEqual(['a#1', 'b#1'])
  first.consumer.retire()
  first.consumer.retire()
  first.consumer.grant(10)
  expect(t.broker.queue('q').consumers).toBe(0)
  const second = t.consume('queue:q')
  await t.settle()
  expect([first.taken(), second.taken()]).toEqual([[], ['c#1']])
  first.ack(0)
  first.consumer.close(true)
  await t.settle()
  expect(second.taken()).toEqual(['b#1'])
  expect(t.broker.queue('q')).toMatchObject({ inFlight: 2, counters: { acked: 1 } })
})

describe('labels', () => {
  test('are part of what a queue or topic is, can be changed, and are kept', async () => {
    const t = await TestBroker.open()
    const labels = { 'x-queue-type': 'quorum', nested: { list: [1, 'two', null] } }
    t.broker.createQueue({ name: 'q', labels })
    t.broker.createTopic({ name: 't', labels })
    t.broker.createQueue({ name: 'q', labels: structuredClone(labels) })
    t.broker.createTopic({ name: 't', labels: structuredClone(labels) })
    expect(() => t.broker.createQueue({ name: 'q' })).toThrow(code('already_exists'))
    expect(() => t.broker.createTopic({ name: 't', labels: { ...labels, nested: {} } })).toThrow(code('already_exists'))
    await t.settle()
    await t.crash()
    expect(t.broker.queue('q').labels).toEqual(labels)
    expect(t.broker.topic('t').labels).toEqual(labels)
    t.broker.updateQueue('q', { labels: { now: 1 } })
    t.broker.updateTopic('t', { labels: {} })
    t.broker.updateQueue('q', { expireMs: 1_000_000 })
    await t.settle()
    await t.crash()
    expect(t.broker.queue('q')).toMatchObject({ labels: { now: 1 }, expireMs: 1_000_000 })
    expect(t.broker.topic('t')).not.toHaveProperty('labels')
    t.broker.createTopic({ name: 't' })
  })

  test('are JSON of at most 16 KiB', async () => {
    const t = await TestBroker.open()
    const deep = JSON.parse(`${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`) as Record<string, unknown>
    for (const labels of [{ text: 'ä'.repeat(8200) }, deep, { big: 1n }, [] as never, 'text' as never, 7 as never]) {
      expect(() => t.broker.createQueue({ name: 'q', labels })).toThrow(code('bad_request'))
      expect(() => t.broker.createTopic({ name: 't', labels })).toThrow(code('bad_request'))
    }
    for (let n = 0; n < 1000; n++) t.broker.createQueue({ name: `q${n}`, labels: { text: 'x'.repeat(16_000), n } })
    await t.settle()
    await t.crash()
    expect(t.broker.queue('q999').labels).toMatchObject({ n: 999 })
    expect(names(t)).toHaveLength(1000)
  })
})

test('whoever listens hears of each queue and topic that is gone, whatever ended it', async () => {
  const t = await TestBroker.open()
  const gone: string[] = []
  const stop = t.broker.onDeleted((address) => gone.push(address))
  t.broker.createTopic({ name: 'topic' })
  for (const name of ['deleted', 'unused', 'again']) t.broker.createQueue({ name, expireMs: name === 'unused' ? 1000 : 0 })
  t.broker.createQueue({ name: 'left', autoDelete: true })
  t.broker.deleteTopic('topic')
  t.broker.deleteQueue('deleted')
  t.consume('queue:left').consumer.close()
  expect(gone).toEqual(['topic:topic', 'queue:deleted', 'queue:left'])
  await t.advance(2000)
  expect(gone.splice(0)).toContain('queue:unused')
  stop()
  t.broker.deleteQueue('again')
  expect(gone).toEqual([])
})
