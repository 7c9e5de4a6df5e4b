import { MemoryIdempotencyStore, idempotent } from '@millrace/client'
import { testBroker } from 'millrace/testing'
import { expect, it } from 'vitest'

const POLICY = { maxAttempts: 1, deadLetter: 'queue:dead' } as const

it('a message that is deferred waits, comes again as the same attempt, and never dies of it', async () => {
  await using broker = await testBroker()
  const { client, clock } = broker
  await client.admin.createQueue({ name: 'dead' })
  await client.admin.createQueue({ name: 'work', delivery: POLICY })
  await client.queue('work').publishBatch([{ body: 'first' }, { body: 'second' }])
  for (let n = 0; n < 5; n++) {
    const [message] = await client.queue('work').pull({ max: 1, waitMs: 1000 })
    expect([message!.text(), message!.attempt]).toEqual(['first', 1])
    await message!.defer({ delayMs: 60_000 })
    // It does not hold up the others.
    const [other] = await client.queue('work').pull({ max: 1, waitMs: 1000 })
    expect(other!.text()).toBe('second')
    await other!.defer()
    await clock.advance('61s')
  }
  const both = await client.queue('work').pull({ max: 2 })
  await Promise.all(both.map((message) => message.nack()))
  expect(await client.admin.queue('work')).toMatchObject({ ready: 0, inFlight: 0 })
  const letters = await client.queue('dead').peek()
  expect(letters.map((letter) => new TextDecoder().decode(letter.headers['millrace-dead-attempts']!))).toEqual(['1', '1'])
})

it('transactions defer, too', async () => {
  await using broker = await testBroker()
  const { client } = broker
  await client.admin.createQueue({ name: 'work', delivery: { maxAttempts: 1 } })
  await client.queue('work').publish('x')
  const [message] = await client.queue('work').pull()
  await client.transaction((tx) => {
    tx.publish('queue:asked', 'is it paid?')
    tx.defer(message!)
  })
  const [again] = await client.queue('work').pull()
  expect([again!.text(), again!.attempt]).toEqual(['x', 1])
  expect((await client.queue('asked').peek()).map((asked) => asked.text())).toEqual(['is it paid?'])
  await expect(message!.defer()).rejects.toMatchObject({ code: 'stale_delivery' })
})

it('what an idempotent handler finds in progress elsewhere has lost no attempt', async () => {
  await using broker = await testBroker()
  const { client, clock } = broker
  await client.admin.createQueue({ name: 'dead' })
  await client.admin.createQueue({ name: 'work', delivery: POLICY })
  const store = new MemoryIdempotencyStore()
  const claim = await store.begin('mailer/id-1', { leaseMs: 1000, retentionMs: 60_000 })
  expect(claim.state).toBe('started')
  await client.queue('work').publish('x', { headers: { 'message-id': 'id-1' } })
  const handled: number[] = []
  const handler = idempotent(store, (message) => void handled.push(message.attempt), {
    consumer: 'mailer',
    waitMs: 0,
    fingerprint: false,
  })
  const consumption = client.queue('work').consume(handler)
  await expect.poll(async () => (await client.admin.queue('work')).counters.delivered).toBe(1)
  await store.release('mailer/id-1', claim.state === 'started' ? claim.fence : 0)
  await clock.advance('2s')
  await expect.poll(() => handled).toEqual([1])
  await consumption.stop()
  expect(await client.admin.queue('dead')).toMatchObject({ ready: 0 })
})
