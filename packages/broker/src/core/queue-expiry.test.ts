import { expect, test } from 'vitest'
import { TestBroker } from '../../test/core/harness.ts'

const EXPIRE_MS = 60_000

async function open(): Promise<TestBroker> {
  const t = await TestBroker.open()
  t.broker.createQueue({ name: 'inbox', expireMs: EXPIRE_MS })
  await t.settle()
  return t
}

function exists(t: TestBroker): boolean {
  return t.broker.queues().some((queue) => queue.name === 'inbox')
}

test('a queue that nobody uses is deleted after its time, and before a quarter more', async () => {
  const t = await open()
  t.publish('queue:inbox', 'answer')
  await t.advance(EXPIRE_MS - 1)
  expect(exists(t)).toBe(true)
  await t.advance(EXPIRE_MS / 4 + 1)
  expect(exists(t)).toBe(false)
  await t.crash()
  expect(exists(t)).toBe(false)
})

test('consumers, even for a moment, and creating it again are use; publishes are not', async () => {
  const t = await open()
  const consumer = t.consume('queue:inbox')
  await t.advance(5 * EXPIRE_MS)
  consumer.consumer.close()
  await t.advance(EXPIRE_MS - 1)
  expect(exists(t)).toBe(true)
  t.consume('queue:inbox').consumer.close()
  await t.advance(EXPIRE_MS - 1)
  expect(exists(t)).toBe(true)
  t.broker.createQueue({ name: 'inbox', expireMs: EXPIRE_MS })
  await t.advance(EXPIRE_MS - 1)
  expect(exists(t)).toBe(true)
  t.broker.useQueue('inbox')
  await t.advance(EXPIRE_MS - 1)
  expect(exists(t)).toBe(true)
  t.publish('queue:inbox', 'late')
  await t.advance(EXPIRE_MS / 2)
  expect(exists(t)).toBe(false)
})

test('a restart is use, and the time is remembered', async () => {
  const t = await open()
  await t.advance(EXPIRE_MS - 1)
  await t.crash()
  expect(t.broker.queue('inbox').expireMs).toBe(EXPIRE_MS)
  await t.advance(EXPIRE_MS - 1)
  expect(exists(t)).toBe(true)
  await t.advance(EXPIRE_MS / 4 + 1)
  expect(exists(t)).toBe(false)
})

test('the time can be changed and taken away; one that was taken away does not come back', async () => {
  const t = await open()
  expect(() => t.broker.createQueue({ name: 'inbox' })).toThrow(expect.objectContaining({ code: 'already_exists' }))
  expect(() => t.broker.updateQueue('inbox', { expireMs: -1 })).toThrow(expect.objectContaining({ code: 'bad_request' }))
  t.broker.updateQueue('inbox', { expireMs: 0 })
  await t.advance(10 * EXPIRE_MS)
  expect(t.broker.queue('inbox').expireMs).toBeUndefined()
  await t.crash()
  await t.advance(10 * EXPIRE_MS)
  expect(exists(t)).toBe(true)
  t.broker.updateQueue('inbox', { expireMs: 1000 })
  await t.advance(1300)
  expect(exists(t)).toBe(false)
})

test('a queue of the same name that is made later has nothing to do with it', async () => {
  const t = await open()
  t.broker.deleteQueue('inbox')
  t.broker.createQueue({ name: 'inbox' })
  await t.advance(10 * EXPIRE_MS)
  expect(exists(t)).toBe(true)
})

test('to ask for a message is use, and so is to hold one; a consumer that only may ask again is not', async () => {
  const t = await open()
  t.publish('queue:inbox', 'answer')
  const poll = t.consume('queue:inbox', 0, { polls: true, leaseMs: 10 * EXPIRE_MS })
  await t.advance(EXPIRE_MS - 1)
  poll.consumer.grant(1)
  await t.advance(2 * EXPIRE_MS)
  expect(poll.messages).toMatchObject([{ value: 'answer' }])
  expect(exists(t)).toBe(true)
  poll.ack(0)
  await t.advance(EXPIRE_MS - 1)
  expect(exists(t)).toBe(true)
  poll.consumer.grant(1)
  poll.consumer.drain()
  await t.advance(EXPIRE_MS - 1)
  expect(exists(t)).toBe(true)
  await t.advance(EXPIRE_MS / 4 + 1)
  expect(exists(t)).toBe(false)
  expect(poll.reason?.code).toBe('not_found')
})
