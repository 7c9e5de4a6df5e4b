/** Dead letters, expiry and redrive as the client has them, over the native protocol and in virtual time. */
import { testBroker } from 'millrace/testing'
import { expect, test } from 'vitest'

test('what was rejected is redriven, and consumed like any other', async () => {
  await using broker = await testBroker()
  const { client } = broker
  await client.admin.createQueue({ name: 'work', delivery: { deadLetter: 'queue:dead' } })
  await client.queue('work').publishBatch([{ body: 'a' }, { body: 'b' }, { body: 'c' }])
  for (const message of await client.queue('work').pull({ max: 3 })) await message.reject(`not ${message.text()}`)
  await broker.deadLettered('queue:work').waitFor(3)

  const filter = `"millrace-dead-error" = 'not b'`
  expect(await client.admin.redrive('dead', { filter, dryRun: true })).toMatchObject({ state: 'done', moved: 1, scanned: 3 })
  expect(await client.admin.redrive('dead', { filter })).toMatchObject({ moved: 1 })
  const [back] = await client.queue('work').pull()
  expect(back!.text()).toBe('b')
  expect(new TextDecoder().decode(back!.headers['millrace-redriven-count']!)).toBe('1')

  expect(await client.admin.redrive('dead')).toMatchObject({ moved: 2, left: 0 })
  expect((await client.admin.redrives()).map(({ moved }) => moved)).toEqual([1, 1, 2])
  expect(await client.admin.queue('dead')).toMatchObject({ ready: 0 })
})

test('a slow redrive tells how far it is, and is cancelled by a signal', async () => {
  await using broker = await testBroker()
  const { client } = broker
  await client.admin.createQueue({ name: 'work' })
  await client.queue('dead').publishBatch(Array.from({ length: 100 }, (_, n) => ({ body: `m${n}` })))
  const cancel = new AbortController()
  const seen: number[] = []
  const redrive = client.admin.redrive('dead', {
    to: 'queue:work',
    ratePerSecond: 2,
    signal: cancel.signal,
    onProgress: ({ moved }) => {
      seen.push(moved)
      if (moved >= 5) cancel.abort()
    },
  })
  await broker.clock.advance('20s')
  const info = await redrive
  expect(info).toMatchObject({ state: 'cancelled', left: 0 })
  expect(seen.length).toBeGreaterThan(1)
  const { ready } = await client.admin.queue('work')
  expect(ready).toBe(info.moved)
  expect(ready).toBeLessThan(20)
  await expect(client.admin.redrive('dead', { to: 'queue:work', signal: cancel.signal })).rejects.toThrow('abort')
})

test('messages expire, by what their publisher says or by the policy', async () => {
  await using broker = await testBroker()
  const { client } = broker
  await client.admin.createQueue({ name: 'work', delivery: { deadLetter: 'queue:dead', ttlMs: 60_000 } })
  const work = client.queue('work')
  await work.publish('soon', { ttlMs: 1000 })
  await work.publish('by policy')
  await broker.clock.advance(1000)
  const [message] = await work.pull()
  expect(message!.text()).toBe('by policy')
  await message!.nack()
  await broker.clock.advance(120_000)
  expect(broker.deadLettered('queue:work').all.map(({ attempt, reason }) => [attempt, reason])).toEqual([
    [0, 'expired'],
    [1, 'expired'],
  ])
  expect(() => client.publisher('queue:work').send('x', { ttlMs: 0 })).toThrow(expect.objectContaining({ code: 'bad_request' }))
})

test('a publisher and a transaction keep the time to live', async () => {
  await using broker = await testBroker()
  const { client } = broker
  await using publisher = client.publisher('queue:work')
  publisher.send('a', { ttlMs: 1000 })
  await publisher.flush()
  await client.transaction((transaction) => {
    transaction.publish('queue:work', 'b', { ttlMs: 1000 })
    transaction.publish('queue:work', 'c')
  })
  await broker.clock.advance(1000)
  const messages = await client.queue('work').pull({ max: 10 })
  expect(messages.map((message) => message.text())).toEqual(['c'])
})

test('a queue is purged, and one that nobody uses goes away', async () => {
  await using broker = await testBroker()
  const { client } = broker
  await client.admin.createQueue({ name: 'inbox', expireMs: 60_000 })
  await client.queue('inbox').publishBatch([{ body: 'a' }, { body: 'b' }])
  expect(await client.admin.purgeQueue('inbox')).toBe(2)
  expect(await client.admin.queue('inbox')).toMatchObject({ ready: 0, expireMs: 60_000 })
  await broker.clock.advance(120_000)
  await expect(client.admin.queue('inbox')).rejects.toMatchObject({ code: 'not_found' })
})
