import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../src/server/compose.ts'
import { loadConfig } from '../src/server/config/load.ts'
import { silentLog } from '../src/server/log/log.ts'
import { AmqpSocket } from './amqp/amqp-socket.ts'
import { type TestCertificate, testCertificate } from './harness/test-certificate.ts'

const authority = testCertificate('test authority')
const broker = testCertificate('localhost', authority)
const ann = testCertificate('ann', authority)
const nobody = testCertificate('nobody', authority)
const stranger = testCertificate('ann', testCertificate('another authority'))

const declaration = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false, arguments: {} }
const trust = { ca: authority.cert }
const withCertificate = ({ cert, key }: TestCertificate) => ({ ...trust, cert, key })
const external = { mechanism: 'EXTERNAL', response: '' }

let directory: string
let server: RunningServer
let address: string

async function start(clientCertificates: 'optional' | 'required'): Promise<RunningServer> {
  const [tlsCert, tlsKey, tlsCa] = ['cert.pem', 'key.pem', 'ca.pem'].map((name) => join(directory, name))
  const tls = { tlsCert, tlsKey, tlsCa, tlsClientCertificates: clientCertificates }
  const flags = { engine: 'memory', drainTimeoutMs: 0, listen: ['native=none', 'http=none', 'amqp=0'], ...tls }
  return startServer(await loadConfig({ flags }), silentLog)
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-amqp-tls-'))
  writeFileSync(join(directory, 'cert.pem'), broker.cert)
  writeFileSync(join(directory, 'key.pem'), broker.key)
  writeFileSync(join(directory, 'ca.pem'), authority.cert)
  server = await start('optional')
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  server.security.users.create({ name: 'ann', rules: ['allow create,publish,consume queue:ann.*'] })
  address = server.listeners['amqp']!
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

test('EXTERNAL logs in whom the certificate names, with the rights of that user', async () => {
  const client = await AmqpSocket.connect(address, { ...external, tls: withCertificate(ann) })
  await client.call(1, 'queue.declare', { ...declaration, queue: 'ann.mail' })
  const body = new Promise<string>((resolve) => (client.onDelivery = (delivery) => resolve(delivery.body)))
  await client.write(client.messageBytes('ann.mail', 'x'.repeat(200_000)))
  await client.call(1, 'basic.consume', {
    queue: 'ann.mail',
    consumerTag: 'c',
    noLocal: false,
    noAck: true,
    exclusive: false,
    noWait: false,
    arguments: {},
  })
  expect((await body).length).toBe(200_000)
  const refusal = new Promise<unknown>((resolve) => (client.onMethod = (method) => resolve(method)))
  client.send(1, 'queue.declare', { ...declaration, queue: 'other' })
  expect(await refusal).toMatchObject({
    name: 'channel.close',
    args: { replyCode: 403, replyText: expect.stringContaining("refused for user 'ann'") },
  })
  client.destroy()
})

test('a password does as well, with a certificate and without', async () => {
  const login = { mechanism: 'PLAIN', response: '\0root\0toor' }
  for (const tls of [trust, withCertificate(ann)]) {
    const client = await AmqpSocket.connect(address, { ...login, tls })
    expect(await client.call(1, 'queue.declare', { ...declaration, queue: 'other' })).toMatchObject({ queue: 'other' })
    client.destroy()
  }
})

test.each([
  ['no certificate', trust, false],
  ['a certificate of which the broker does not know the authority', withCertificate(stranger), false],
  ['a certificate of somebody who is no user', withCertificate(nobody), true],
])('with %s EXTERNAL is refused', async (_, tls, isOffered) => {
  const client = await AmqpSocket.dial(address, tls)
  expect((await client.greet()).includes('EXTERNAL')).toBe(isOffered)
  await expect(client.logIn(external)).rejects.toThrow(/^ACCESS_REFUSED - /)
  client.destroy()
})

test('who was logged in by a certificate leaves when there is no such user any more', async () => {
  server.security.users.create({ name: 'nobody', rules: ['allow create queue:a'] })
  const client = await AmqpSocket.connect(address, { ...external, tls: withCertificate(nobody) })
  const end = new Promise<unknown>((resolve) => (client.onMethod = (method) => resolve(method)))
  server.security.users.delete('nobody')
  expect(await end).toMatchObject({ name: 'connection.close', args: { replyCode: 320 } })
  client.destroy()
})

test('where certificates are required nobody gets as far as a login without one', async () => {
  const strict = await start('required')
  const at = strict.listeners['amqp']!
  // TLS 1.3 tells it after the handshake, and then the connection is over.
  const notLetIn = /alert|ECONNRESET|the connection ended|socket/
  await expect(AmqpSocket.connect(at, { tls: trust })).rejects.toThrow(notLetIn)
  await expect(AmqpSocket.connect(at, { tls: withCertificate(stranger) })).rejects.toThrow(notLetIn)
  const client = await AmqpSocket.connect(at, { tls: withCertificate(ann) })
  await client.call(1, 'queue.declare', { ...declaration, queue: 'mail' })
  client.destroy()
  await strict.close()
})

test('who does not speak TLS is sent away', async () => {
  const client = await AmqpSocket.dial(address)
  await expect(client.greet()).rejects.toThrow('the connection ended')
})
