import { expect, test } from 'vitest'
import { testBroker } from './test-broker.ts'

test('transactions show in the logs, and fail as a whole', async () => {
  await using broker = await testBroker()
  const { client } = broker
  await client.queue('in').publishBatch([{ body: 'a' }, { body: 'b' }])
  const [a, b] = await client.queue('in').pull({ max: 2, waitMs: 1000 })
  const run = (): Promise<void> =>
    client.transaction((tx) => {
      tx.publish('queue:out', 'one')
      tx.multicast(['queue:out', 'topic:log', 'queue:out'], 'all')
      tx.ack(a!)
      tx.nack(b!, { error: 'later' })
    })
  broker.failNext('settle', 'overloaded', { at: 'queue:in' })
  await expect(run()).rejects.toMatchObject({ code: 'overloaded' })
  broker.failNext('publish', 'disk_full', { at: 'topic:log' })
  await expect(run()).rejects.toMatchObject({ code: 'disk_full' })
  expect(broker.published('queue:out').count).toBe(0)
  expect(broker.acked('queue:in').count).toBe(0)
  await run()
  expect(broker.published('queue:out').texts()).toEqual(['one', 'all'])
  expect(broker.published('topic:log').texts()).toEqual(['all'])
  expect(broker.acked('queue:in').texts()).toEqual(['a'])
  expect(broker.nacked('queue:in').texts()).toEqual(['b'])
})

test('the connection can be lost before the answer', async () => {
  await using broker = await testBroker()
  broker.failNext('confirm', { at: 'queue:out' })
  await expect(broker.client.multicast(['queue:out'], 'x')).rejects.toMatchObject({ code: 'outcome_unknown' })
  await broker.published('queue:out').waitFor(1)
})
