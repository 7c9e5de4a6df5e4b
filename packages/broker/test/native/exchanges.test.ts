import type { Millrace } from '@millrace/client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'

let broker: NativeBroker
let client: Millrace

beforeEach(async () => {
  broker = await startNativeBroker()
  client = await broker.connect()
  await client.admin.createExchange({ name: 'a/b', type: 'topic' })
  for (const name of ['one', 'all']) await client.admin.createQueue({ name })
  await client.admin.bind({ source: 'a/b', destination: 'queue:one', key: '*.one' })
  await client.admin.bind({ source: 'a/b', destination: 'queue:all', key: 'k.#' })
})

afterEach(async () => {
  await client.close()
  await broker.close()
})

async function texts(queue: string): Promise<readonly string[]> {
  return (await client.queue(queue).peek({ max: 100 })).map((message) => message.text())
}

it('tells each message of a batch whether something took it', async () => {
  const exchange = client.exchange('a/b')
  const keys = ['k.one', 'nobody', 'k.two', 'none', 'other', 'x.one']
  const outcomes = await Promise.allSettled(keys.map((key) => exchange.publish(key, { key })))
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code))).toEqual([
    { partition: 0, offset: -1 },
    'unroutable',
    { partition: 0, offset: -1 },
    'unroutable',
    'unroutable',
    { partition: 0, offset: -1 },
  ])
  expect(await texts('one')).toEqual(['k.one', 'x.one'])
  expect(await texts('all')).toEqual(['k.one', 'k.two'])
  expect((await client.admin.exchange('a/b')).counters).toEqual({ in: 6, out: 4, unroutable: 3 })
})

it('counts for a publisher what was confirmed and what was not', async () => {
  let confirmed = 0
  let failed = 0
  const publisher = client.publisher('exchange:a%2Fb/nobody', {
    onConfirm: (messages) => (confirmed += messages),
    onError: (_, messages) => (failed += messages),
  })
  for (const body of 'abc') publisher.send(body)
  await expect(publisher.flush()).rejects.toMatchObject({ code: 'unroutable' })
  expect([confirmed, failed, publisher.unconfirmed]).toEqual([0, 3, 0])
  await publisher.close()
})

it('publishes with a key, later, in transactions and to lists', async () => {
  await client.exchange('a/b', 'k.one').publish('fixed', { key: 'own' })
  const [message] = await client.queue('one').pull({ waitMs: 1000 })
  const decoder = new TextDecoder()
  const [key, exchange] = [message!.key!, message!.headers['exchange']!].map((bytes) => decoder.decode(bytes))
  expect([message!.text(), key, exchange]).toEqual(['fixed', 'k.one', 'a/b'])
  const receipt = await client.exchange('a/b').publish('later', { key: 'k.x', delayMs: 60_000 })
  expect(await client.cancelScheduled(receipt.scheduled!)).toBe(true)
  await client.multicast(['exchange:a%2Fb/k.y', 'queue:one'], 'both')
  await expect(client.multicast(['exchange:a%2Fb/nobody', 'queue:one'], 'none')).rejects.toMatchObject({ code: 'unroutable' })
  expect(await texts('all')).toEqual(['fixed', 'both'])
  expect(await texts('one')).toEqual(['fixed', 'both'])
})

it('has an exchange that is missing, or internal, or deleted meanwhile, told', async () => {
  await client.admin.createExchange({ name: 'inner', type: 'fanout', internal: true })
  await expect(client.exchange('none').publish('m')).rejects.toMatchObject({ code: 'not_found' })
  await expect(client.exchange('inner').publish('m')).rejects.toMatchObject({ code: 'forbidden' })
  const exchange = client.exchange('a/b', 'k.one')
  await exchange.publish('before')
  await client.admin.deleteExchange('a/b')
  await expect(exchange.publish('after')).rejects.toMatchObject({ code: 'not_found' })
  await client.admin.createExchange({ name: 'a/b', type: 'fanout' })
  await client.admin.bind({ source: 'a/b', destination: 'queue:all' })
  await exchange.publish('again')
  expect(await texts('all')).toEqual(['before', 'again'])
})

it('lists, changes and deletes exchanges and bindings', async () => {
  const { admin } = client
  await admin.createExchange({ name: 'h', type: 'headers', autoDelete: true, labels: { owner: 'me' } })
  const binding = {
    source: 'h',
    destination: 'exchange:a%2Fb',
    key: '',
    match: { mode: 'any', headers: { a: 1, b: null } },
  } as const
  await admin.bind(binding)
  await admin.bind(binding)
  expect((await admin.exchanges()).map(({ name, type }) => `${name} ${type}`)).toEqual(['a/b topic', 'h headers'])
  expect(await admin.bindings({ source: 'h' })).toEqual([binding])
  expect(await admin.bindings({ destination: 'queue:all' })).toEqual([{ source: 'a/b', destination: 'queue:all', key: 'k.#' }])
  expect(await admin.bindings()).toHaveLength(3)
  await expect(admin.deleteExchange('a/b', { ifUnused: true })).rejects.toMatchObject({ code: 'in_use' })
  await admin.unbind(binding)
  await expect(admin.exchange('h')).rejects.toMatchObject({ code: 'not_found' })
})
