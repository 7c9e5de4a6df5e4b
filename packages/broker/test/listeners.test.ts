import { connect } from '@millrace/client'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type RunningServer, startServer } from '../src/server/compose.ts'
import { loadConfig } from '../src/server/config/load.ts'
import { silentLog } from '../src/server/log/log.ts'
import { KafkaConnection } from '../src/cli/doctor/kafka-connection.ts'
import { metadata } from '../src/protocols/kafka/messages/cluster.ts'

/** Every door may have several listeners, of which each lets in whom it is told to. */

let directory: string
let server: RunningServer
const readyFile = (): string => join(directory, 'ready.json')
const url = (scheme: string, listener: string): string => `${scheme}://${server.listeners[listener]}`

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-listeners-'))
  const inside = { address: '127.0.0.1:0', login: 'none' }
  const outside = { address: '127.0.0.1:0', login: 'required' }
  const listen = {
    amqp: 'none',
    management: 'none',
    native: inside,
    'native/outside': outside,
    http: inside,
    'http/outside': outside,
    'http/both': '127.0.0.1:0',
    kafka: inside,
    'kafka/outside': { ...outside, advertised: 'broker.example:9093' },
  }
  const flags = { engine: 'memory', drainTimeoutMs: 0, readyFile: readyFile(), listen, kafkaAdvertised: 'inside.example:9092' }
  server = await startServer(await loadConfig({ flags }), silentLog)
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  server.security.users.create({ name: 'anonymous', rules: ['allow publish,consume,read queue:*', 'allow describe topic:*'] })
})

afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

const root = { user: 'root', password: 'toor' }
const basic = { authorization: `Basic ${Buffer.from('root:toor').toString('base64')}` }

test('the ready file names them', () => {
  const { listeners } = JSON.parse(readFileSync(readyFile(), 'utf8')) as { listeners: Record<string, string> }
  expect(Object.keys(listeners)).toEqual([
    'native',
    'native/outside',
    'http',
    'http/outside',
    'http/both',
    'kafka',
    'kafka/outside',
  ])
  expect(new Set(Object.values(listeners)).size).toBe(7)
})

test.each([
  ['millrace', 'native'],
  ['ws', 'http'],
])('%s takes those who log in at one listener, and those who do not at the other', async (scheme, door) => {
  const [inside, outside] = [url(scheme, door), url(scheme, `${door}/outside`)]
  for (const [address, login] of [
    [inside, {}],
    [outside, root],
  ] as const) {
    const client = await connect(address, { ...login, WebSocket })
    await client.queue(`by-${scheme}`).publish('x')
    await client.close()
  }
  await expect(connect(outside, { WebSocket })).rejects.toMatchObject({ code: 'unauthorized' })
  await expect(connect(inside, { ...root, WebSocket })).rejects.toMatchObject({ code: 'unauthorized' })
})

const post = (to: string, headers: Record<string, string>): Promise<Response> => fetch(to, { method: 'POST', body: 'x', headers })

test('HTTP does the same, and what was received at one listener is settled at the other', async () => {
  const queue = (listener: string): string => `${url('http', listener)}/v1/queues/shared/messages`
  expect((await post(queue('http/outside'), {})).status).toBe(401)
  expect((await post(queue('http'), basic)).status).toBe(401)
  expect((await post(queue('http'), {})).status).toBe(201)
  const received = (await (await post(`${queue('http/both')}/receive?max=1`, basic)).json()) as { messages: { handle: string }[] }
  const { handle } = received.messages[0]!
  expect((await fetch(`${queue('http/outside')}/${handle}`, { method: 'DELETE', headers: basic })).status).toBe(204)
  expect((await fetch(`${url('http', 'http/outside')}/livez`)).status).toBe(200)
})

async function brokersOf(listener: string): Promise<unknown> {
  const [host, port] = server.listeners[listener]!.split(':') as [string, string]
  const connection = await KafkaConnection.open({ host, port: Number(port) }, undefined)
  try {
    return (await connection.ask(metadata, 2, { topics: [] })).brokers.map(({ host: at, port: on }) => `${at}:${on}`)
  } finally {
    connection.close()
  }
}

test('Kafka clients are told the address of the listener at which they are', async () => {
  expect(await brokersOf('kafka')).toEqual(['inside.example:9092'])
  await expect(brokersOf('kafka/outside')).rejects.toThrow(/closed/)
  server.security.users.delete('anonymous')
  await expect(brokersOf('kafka')).rejects.toThrow(/closed/)
})

test('a rule for some addresses counts by every door', async () => {
  server.security.users.create({ name: 'near', password: 'by', rules: ['allow publish queue:near from 127.0.0.2'] })
  const postFrom = (localAddress: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const [host, port] = server.listeners['http/both']!.split(':')
      const path = '/v1/queues/near/messages'
      const asked = request({ host, port, path, method: 'POST', localAddress, auth: 'near:by' }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      asked.on('error', reject)
      asked.end('x')
    })
  expect([await postFrom('127.0.0.1'), await postFrom('127.0.0.2')]).toEqual([403, 201])
  const client = await connect(url('millrace', 'native/outside'), { user: 'near', password: 'by' })
  await expect(client.queue('near').publish('x')).rejects.toMatchObject({ code: 'forbidden' })
  await client.close()
})

test('figures tell them apart', async () => {
  const scraped = await (await fetch(`${url('http', 'http/outside')}/metrics`, { headers: basic })).text()
  const accepted = [...scraped.matchAll(/millrace_connections_accepted_total\{door="kafka",listener="([^"]+)"\} (\d+)/g)]
  expect(accepted.map(([, listener, count]) => [listener, Number(count) > 0])).toEqual([
    ['kafka', true],
    ['kafka/outside', true],
  ])
})
