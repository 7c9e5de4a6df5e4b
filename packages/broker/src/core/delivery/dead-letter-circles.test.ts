import { encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { TestBroker, headersOf } from '../../../test/core/harness.ts'
import { DEATHS_MAX } from './letter-writer.ts'

/** Two queues, each of which is where the dead letters of the other go. */
async function circle(delivery: object): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'a', delivery: { deadLetter: 'queue:b', ...delivery } })
  t.broker.updateQueue('b', { delivery: { deadLetter: 'queue:a', ...delivery } })
  await t.settle()
  return t
}

function waiting(t: TestBroker): number {
  return t.broker.queue('a').ready + t.broker.queue('b').ready
}

test('a circle of dead letters is gone through so many times; then messages are kept, and nothing goes on', async () => {
  const t = await circle({ ttlMs: 1000 })
  t.publish('queue:a', 'one', 'two')
  await t.advance(600_000)
  expect(waiting(t)).toBe(2)
  const deaths = t.broker.queue('a').counters.deadLettered + t.broker.queue('b').counters.deadLettered
  expect(deaths).toBe(2 * DEATHS_MAX)
  expect(t.warnings.filter((warning) => warning.includes('round in circles'))).toHaveLength(1)

  const ticket = t.broker.committedTicket
  await t.advance(300_000)
  expect(t.broker.committedTicket).toBe(ticket)
  await t.crash()
  await t.advance(300_000)
  expect(waiting(t)).toBe(2)
  const consumer = t.consume('queue:a')
  await t.settle()
  expect(consumer.values).toEqual([])
  consumer.consumer.close()

  // New ones still go round.
  t.publish('queue:b', 'three')
  await t.advance(11_000)
  expect(t.broker.queue('b').counters.deadLettered).toBeGreaterThan(0)
  expect(waiting(t)).toBe(3)
})

test('what is kept can be redriven, and begins anew', async () => {
  const t = await circle({ ttlMs: 1000 })
  t.publish('queue:a', 'one')
  await t.advance(600_000)
  const last = t.broker.queue('a').ready === 1 ? 'queue:a' : 'queue:b'
  t.broker.createQueue({ name: 'end' })
  t.broker.redrive({ source: last, to: 'queue:end' })
  await t.settle()
  const end = t.read('queue:end', 'earliest')
  await t.settle()
  expect(end.values).toEqual(['one'])
  expect(headersOf(end.messages[0]!.record)).not.toHaveProperty('millrace-dead-count')
  expect(waiting(t)).toBe(0)
})

test('what is kept can be purged', async () => {
  const t = await circle({ ttlMs: 1000 })
  t.publish('queue:a', 'one')
  await t.advance(600_000)
  t.broker.purgeQueue('a')
  t.broker.purgeQueue('b')
  await t.settle()
  await t.crash()
  expect(waiting(t)).toBe(0)
})

test('a rejected message that went round so often is kept, too', async () => {
  const t = await circle({})
  t.publish('queue:a', 'poison')
  const consumers = ['queue:a', 'queue:b'].map((source) => t.consume(source))
  let rejected = 0
  for (let round = 0; round < 2 * DEATHS_MAX; round++) {
    await t.settle()
    for (const consumer of consumers) {
      for (const message of consumer.messages.splice(0)) {
        consumer.consumer.settle(0, message.offset, message.offset, { kind: 'reject' })
        rejected++
      }
    }
  }
  expect(rejected).toBe(DEATHS_MAX + 1)
  expect(waiting(t)).toBe(1)
})

test('a count that somebody else wrote is not trusted to be a number', async () => {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'work', delivery: { ttlMs: 1000, deadLetter: 'queue:dead' } })
  const headers = [{ key: 'millrace-dead-count', value: new TextEncoder().encode('many') }]
  const batch = encodeBatch([{ timestampMs: t.platform.clock.nowMs(), value: new Uint8Array(1), headers }])
  t.broker.destination('queue:work', false).publish(0, batch)
  await t.advance(20_000)
  const dead = t.read('queue:dead', 'earliest')
  await t.settle()
  expect(headersOf(dead.messages[0]!.record)['millrace-dead-count']).toBe('1')
})
