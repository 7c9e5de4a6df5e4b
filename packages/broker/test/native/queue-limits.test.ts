import type { Millrace } from '@millrace/client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'

let broker: NativeBroker
let client: Millrace

beforeEach(async () => {
  broker = await startNativeBroker()
  client = await broker.connect()
  await client.admin.createQueue({ name: 'work', limits: { messages: 3 } })
})

afterEach(async () => {
  await client.close()
  await broker.close()
})

const texts = async (): Promise<string[]> => (await client.queue('work').peek()).map((message) => message.text())

it('takes of messages that are published together as many as there is room for', async () => {
  const work = client.queue('work')
  const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((body) => work.publish(body)))
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.offset : outcome.reason.code))).toEqual([
    0,
    1,
    2,
    'queue_full',
    'queue_full',
  ])
  expect(await texts()).toEqual(['a', 'b', 'c'])
  await expect(work.publishBatch([{ body: 'f' }, { body: 'g' }])).rejects.toMatchObject({ code: 'queue_full' })
})

it('tells a publisher how many were confirmed and how many were not', async () => {
  let confirmed = 0
  let failed = 0
  const publisher = client.publisher('queue:work', {
    onConfirm: (messages) => (confirmed += messages),
    onError: (_, messages) => (failed += messages),
  })
  for (const body of 'abcde') publisher.send(body)
  await expect(publisher.flush()).rejects.toMatchObject({ code: 'queue_full' })
  expect([confirmed, failed]).toEqual([3, 2])
  expect(await texts()).toEqual(['a', 'b', 'c'])
  await publisher.close()
})
