import { connect, type Millrace } from '@millrace/client'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../src/server/compose.ts'
import { loadConfig } from '../src/server/config/load.ts'
import { silentLog } from '../src/server/log/log.ts'

/** Which keys users may use in an exchange of topics counts by whatever door they come. */

let server: RunningServer
let http: string
let client: Millrace

beforeAll(async () => {
  const flags = { engine: 'memory', listen: ['native=0', 'http=0'], drainTimeoutMs: 0 }
  server = await startServer(await loadConfig({ flags }), silentLog)
  http = `http://${server.listeners['http']}`
  const { broker, security } = server
  for (const name of ['all', 'other']) broker.createQueue({ name })
  broker.router.createExchange({ name: 'news', type: 'topic' })
  broker.router.createExchange({ name: 'plain', type: 'direct' })
  broker.router.bind({ source: 'news', destination: 'queue:all', key: '#' })
  broker.router.bind({ source: 'plain', destination: 'queue:all', key: 'bob.1' })
  security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  security.users.create({
    name: 'ann',
    password: 'secret',
    rules: ['allow publish,read exchange:**', 'allow publish queue:**'],
    topicPermissions: [{ vhost: '/', exchange: 'news', write: '^ann\\.', read: '^public\\.' }],
  })
  client = await connect(`millrace://${server.listeners['native']}`, { user: 'ann', password: 'secret' })
})
beforeEach(() => {
  server.broker.purgeQueue('all')
})
afterAll(async () => {
  await client.close()
  await server.close()
})

const ready = (): number => server.broker.queue('all').ready
const forbidden = { code: 'forbidden', message: expect.stringContaining('"bob.1"') }

async function post(path: string, body: object | string): Promise<number> {
  const authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`
  const isText = typeof body === 'string'
  const headers = { authorization, 'content-type': isText ? 'text/plain' : 'application/json' }
  const answer = await fetch(http + path, { method: 'POST', headers, body: isText ? body : JSON.stringify(body) })
  return answer.status
}

test.each([
  ['a message', '/v1/exchanges/news/messages?key=KEY', 'x'],
  ['a message for later', '/v1/exchanges/news/messages?key=KEY&delayMs=100000', 'x'],
  ['one to several', '/v1/multicast', { to: ['queue:other', 'exchange:news/KEY'], body: 'x' }],
  ['a transaction', '/v1/transactions', { publish: [{ to: ['exchange:news'], key: 'KEY', body: 'x' }] }],
])('over HTTP, %s', async (_, path, body) => {
  const withKey = (key: string): Promise<number> =>
    post(path.replace('KEY', key), JSON.parse(JSON.stringify(body).replace('KEY', key)) as object | string)
  const before = server.broker.queue('other').ready
  expect(await withKey('bob.1')).toBe(403)
  expect([ready(), server.broker.queue('other').ready]).toEqual([0, before])
  expect(await withKey('ann.1')).toBeLessThan(300)
})

test('over HTTP, of a batch all or nothing', async () => {
  const messages = [
    { key: 'ann.1', body: 'x' },
    { key: 'bob.1', body: 'y' },
  ]
  expect(await post('/v1/exchanges/news/messages', { messages })).toBe(403)
  expect(ready()).toBe(0)
})

test('from the client, those messages alone that have such a key', async () => {
  const exchange = client.exchange('news')
  const publishes = ['ann.1', 'bob.1', 'ann.2'].map((key) => exchange.publish(key, { key }))
  const outcomes = await Promise.allSettled(publishes)
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(outcomes[1]).toMatchObject({ reason: forbidden })
  expect(ready()).toBe(2)
})

test('from the client, with a key of the exchange, for later and in transactions', async () => {
  await expect(client.exchange('news', 'bob.1').publish('x')).rejects.toMatchObject(forbidden)
  await expect(client.exchange('news').publish('x', { key: 'bob.1', delayMs: 100_000 })).rejects.toMatchObject(forbidden)
  await expect(client.transaction((tx) => void tx.publish('exchange:news/bob.1', 'x'))).rejects.toMatchObject(forbidden)
  await client.exchange('news', 'ann.1').publish('x')
  await client.exchange('plain', 'bob.1').publish('other kinds of exchanges have no such keys')
  expect(ready()).toBe(2)
})

test('a change of them counts at once', async () => {
  const exchange = client.exchange('news')
  const { users } = server.security
  await expect(exchange.publish('x', { key: 'bob.1' })).rejects.toMatchObject(forbidden)
  users.permitTopic('ann', { vhost: '/', exchange: 'news', write: '^bob', read: '^public\\.' })
  await exchange.publish('x', { key: 'bob.1' })
  users.permitTopic('ann', { vhost: '/', exchange: 'news', write: '^ann\\.', read: '^public\\.' })
  await expect(exchange.publish('x', { key: 'bob.1' })).rejects.toMatchObject(forbidden)
})

test('bindings to such an exchange, by the right to read', async () => {
  const { admin } = client
  const binding = { source: 'news', destination: 'queue:other' }
  await expect(admin.bind({ ...binding, key: 'bob.1' })).rejects.toMatchObject(forbidden)
  await admin.bind({ ...binding, key: 'public.#' })
  await expect(admin.unbind({ ...binding, key: 'bob.1' })).rejects.toMatchObject(forbidden)
  await admin.unbind({ ...binding, key: 'public.#' })
})
