import type { Millrace, OutgoingMessage } from '@millrace/client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'

let broker: NativeBroker
let client: Millrace

beforeEach(async () => {
  broker = await startNativeBroker()
  client = await broker.connect()
  await client.admin.createQueue({ name: 'work', priorities: 10 })
})

afterEach(async () => {
  await client.close()
  await broker.close()
})

function identified(id: string, priority: number): OutgoingMessage {
  return { body: id, priority, headers: { 'message-id': id } }
}

it('tells where each message of a batch is, and delivers the highest first', async () => {
  const work = client.queue('work')
  const receipts = await work.publishBatch([
    { body: 'a' },
    { body: 'b', priority: 9 },
    { body: 'c', priority: 255 },
    { body: 'd', priority: 3, headers: { kind: 'x', priority: '8' } },
    { body: 'e', priority: 0 },
  ])
  expect(receipts.map(({ partition, offset }) => `${partition}:${offset}`)).toEqual(['0:0', '9:0', '9:1', '3:0', '0:1'])
  expect(await work.publish('f', { priority: 3 })).toEqual({ partition: 3, offset: 1 })
  expect(await work.publish('g')).toEqual({ partition: 0, offset: 2 })
  expect((await work.peek()).map((message) => message.text())).toEqual(['b', 'c', 'd', 'f', 'a', 'e', 'g'])
  expect((await work.peek({ partition: 3, max: 1 })).map((message) => message.text())).toEqual(['d'])

  const messages = await work.pull({ max: 4 })
  expect(messages.map((message) => [message.text(), message.priority, message.partition])).toEqual([
    ['b', 9, 9],
    ['c', 255, 9],
    ['d', 3, 3],
    ['f', 3, 3],
  ])
  expect(Object.keys(messages[2]!.headers)).toEqual(['kind', 'priority'])
  await Promise.all([
    messages[0]!.ack(),
    messages[1]!.nack({ delayMs: 60_000 }),
    messages[2]!.reject('bad'),
    messages[3]!.extend(),
  ])
  const info = await client.admin.queue('work')
  expect(info).toMatchObject({ priorities: 10, ready: 4, inFlight: 1, counters: { acked: 1, dropped: 1 } })
  expect(info.levels).toEqual([
    { priority: 9, ready: 1, inFlight: 0 },
    { priority: 3, ready: 0, inFlight: 1 },
    { priority: 0, ready: 3, inFlight: 0 },
  ])
  const [next] = await work.pull({ max: 1 })
  expect([next!.text(), next!.priority]).toEqual(['a', 0])
})

it('tells the places of duplicates among others', async () => {
  await client.admin.createQueue({ name: 'once', priorities: 5, dedup: { windowMs: 60_000 } })
  const once = client.queue('once')
  await once.publishBatch([identified('a', 4), identified('b', 1)])
  const again = await once.publishBatch([
    identified('c', 1),
    identified('a', 0),
    identified('d', 4),
    identified('b', 4),
    identified('e', 4),
  ])
  expect(again).toEqual([
    { partition: 1, offset: 1 },
    { partition: 4, offset: 0, duplicate: true },
    { partition: 4, offset: 1 },
    { partition: 1, offset: 0, duplicate: true },
    { partition: 4, offset: 2 },
  ])
})

it('tells the places of what a transaction publishes, duplicates among it', async () => {
  await client.admin.createQueue({ name: 'once', priorities: 5, dedup: { windowMs: 60_000 } })
  await client.queue('once').publishBatch([identified('a', 4), identified('b', 1)])
  const published = await client.transaction((transaction) =>
    [identified('c', 1), identified('a', 0), identified('d', 4), identified('b', 4)].map(({ body, ...options }) =>
      transaction.multicast(['queue:once', 'queue:plain'], body, options),
    ),
  )
  expect(published.map(({ receipts }) => receipts![0])).toEqual([
    { partition: 1, offset: 1 },
    { partition: 4, offset: 0, duplicate: true },
    { partition: 4, offset: 1 },
    { partition: 1, offset: 0, duplicate: true },
  ])
  expect(published.map(({ receipts }) => receipts![1])).toEqual([0, 1, 2, 3].map((offset) => ({ partition: 0, offset })))
})

it('looks by selector through all levels', async () => {
  const messages = Array.from({ length: 30 }, (_, n) => ({
    body: `${n}`,
    priority: n % 10,
    headers: { third: String(n % 3 === 0) },
  }))
  await client.queue('work').publishBatch(messages)
  const found = await client.queue('work').peek({ filter: "third = 'true'", max: 4 })
  expect(found.map((message) => message.text())).toEqual(['9', '18', '27', '6'])
  expect(found.next).toBeUndefined()
  const rest = await client.queue('work').peek({ filter: 'JMSPriority < 1', max: 2, partition: 0 })
  expect([...rest.map((message) => message.text()), rest.next]).toEqual(['0', '10', { offset: 2 }])
})

it('takes priorities through publishers, transactions, multicasts and delays', async () => {
  await client.admin.createQueue({ name: 'plain' })
  const publisher = client.publisher('queue:work', { idempotent: true })
  for (const priority of [1, 7, 4]) publisher.send(`p${priority}`, { priority })
  await publisher.close()
  const published = await client.transaction((transaction) => [
    transaction.publish('queue:work', 't2', { priority: 2 }),
    transaction.publish('queue:work', 't8', { priority: 8 }),
  ])
  expect(published.map(({ receipts }) => receipts)).toEqual([[{ partition: 2, offset: 0 }], [{ partition: 8, offset: 0 }]])
  expect(await client.multicast(['queue:plain', 'queue:work'], 'm5', { priority: 5 })).toEqual([
    { partition: 0, offset: 0 },
    { partition: 5, offset: 0 },
  ])
  await client.queue('work').publish('d9', { priority: 9, delayMs: 20 })
  await expect.poll(async () => (await client.admin.queue('work')).ready).toBe(7)
  const messages = await client.queue('work').pull({ max: 10 })
  expect(messages.map((message) => message.text())).toEqual(['d9', 't8', 'p7', 'm5', 'p4', 't2', 'p1'])
  const [plain] = await client.queue('plain').pull({ max: 1 })
  expect(plain!.priority).toBe(5)
})

it('refuses what is no priority, before or at the broker', async () => {
  for (const priority of [-1, 256, 1.5, Number.NaN, '7' as never]) {
    const refused = expect.objectContaining({
      code: 'bad_request',
      message: expect.stringContaining('whole number from 0 to 255'),
    })
    await expect(client.queue('work').publish('x', { priority })).rejects.toEqual(refused)
    await expect(client.transaction((transaction) => transaction.publish('queue:work', 'x', { priority }))).rejects.toEqual(
      refused,
    )
  }
  await expect(client.queue('work').publish('x', { headers: { priority: 'high' } })).rejects.toMatchObject({
    code: 'bad_request',
  })
  await client.queue('plain').publish('x', { headers: { priority: 'high' } })
  expect((await client.queue('plain').pull({ max: 1 }))[0]!.priority).toBe(0)
  await expect(client.admin.createQueue({ name: 'bad', priorities: 257 })).rejects.toMatchObject({ code: 'bad_request' })
  await expect(client.admin.updateQueue('work', { priorities: 9 })).rejects.toThrow(/can only grow/)
  await client.admin.updateQueue('work', { priorities: 20 })
  expect(await client.admin.queue('work')).toMatchObject({ priorities: 20 })
})
