import { connect, type ConnectOptions } from '@millrace/client'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as tlsConnect, type SecureVersion } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startServer, type RunningServer } from '../src/server/compose.ts'
import { loadConfig } from '../src/server/config/load.ts'
import { silentLog } from '../src/server/log/log.ts'
import { testCertificate } from './harness/test-certificate.ts'

const authority = testCertificate('test authority')
const broker = testCertificate('localhost', authority)
const ann = testCertificate('ann', authority)
const stranger = testCertificate('ann', testCertificate('another authority'))

let directory: string
let server: RunningServer
let native: string
let http: string
const file = (name: string): string => join(directory, name)

async function start(flags: Record<string, unknown>): Promise<RunningServer> {
  const settings = { engine: 'memory', drainTimeoutMs: 0, listen: ['native=0', 'http=0'], ...flags }
  return startServer(await loadConfig({ flags: settings }), silentLog)
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
  writeFileSync(file('cert.pem'), broker.cert)
  writeFileSync(file('key.pem'), broker.key)
  writeFileSync(file('ca.pem'), authority.cert)
  server = await start({ tlsCert: file('cert.pem'), tlsKey: file('key.pem'), tlsCa: file('ca.pem') })
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  server.security.users.create({ name: 'ann', rules: ['allow publish queue:a'] })
  ;({ native, http } = server.listeners as { native: string; http: string })
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

const trust = { ca: authority.cert }
const root = { user: 'root', password: 'toor' }

async function use(url: string, options: ConnectOptions): Promise<void> {
  const client = await connect(url, { connectTimeoutMs: 2000, ...options })
  await client.queue('a').publish('x'.repeat(300_000))
  await client.close()
}

function get(path: string, options: object): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const [host, port] = http.split(':')
    const asked = request({ host, port, path, ...options }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    asked.on('error', reject)
    asked.end()
  })
}

test('TCP, WebSocket and HTTP are served over TLS', async () => {
  await use(`millraces://${native}`, { ...root, tls: trust })
  await use(`wss://${http}`, { ...root, tls: trust, WebSocket })
  expect(await get('/readyz', trust)).toBe(200)
  expect(await get('/v1/queues', trust)).toBe(401)
  expect(await get('/v1/queues', { ...trust, auth: 'root:toor' })).toBe(200)
})

test('a certificate that nobody vouches for is not trusted, unless one says so', async () => {
  await expect(use(`millraces://${native}`, root)).rejects.toThrow(/certificate/)
  await use(`millraces://${native}`, { ...root, tls: { rejectUnauthorized: false } })
  await expect(use(`millraces://${native}`, { ...root, tls: { ...trust, servername: 'example.com' } })).rejects.toThrow(
    /example.com/,
  )
  await expect(use(`millrace://${native}`, { ...root, tls: trust })).rejects.toMatchObject({ code: 'bad_request' })
  await expect(use(`wss://${http}`, { ...root, tls: trust })).rejects.toMatchObject({ code: 'unsupported' })
})

test('the common name of a certificate is the user', async () => {
  const { cert, key } = ann
  await use(`millraces://${native}`, { tls: { ...trust, cert, key } })
  expect(await get('/v1/queues', { ...trust, cert, key })).toBe(403)
  const client = await connect(`millraces://${native}`, { tls: { ...trust, cert, key } })
  await expect(client.queue('b').publish('x')).rejects.toMatchObject({ code: 'forbidden' })
  await client.close()
  await expect(use(`millraces://${native}`, { tls: { ...trust, cert: stranger.cert, key: stranger.key } })).rejects.toMatchObject(
    {
      code: 'unauthorized',
    },
  )
})

test('TLS 1.1 is refused', async () => {
  const [host, port] = native.split(':') as [string, string]
  const handshake = (maxVersion: SecureVersion): Promise<string | null> =>
    new Promise((resolve, reject) => {
      const settings = {
        host,
        port: Number(port),
        ...trust,
        minVersion: 'TLSv1',
        maxVersion,
        ciphers: 'DEFAULT@SECLEVEL=0',
      } as const
      const socket = tlsConnect(settings, () => {
        resolve(socket.getProtocol())
        socket.destroy()
      })
      socket.on('error', reject)
    })
  await expect(handshake('TLSv1.1')).rejects.toThrow(/alert|version/i)
  expect(await handshake('TLSv1.2')).toBe('TLSv1.2')
})

test('a listener can have its own certificate, ask for those of clients, or have none', async () => {
  const config = file('config.yaml')
  const own = `{ cert: ${file('cert.pem')}, key: ${file('key.pem')}, ca: ${file('ca.pem')}, clientCertificates: required }`
  writeFileSync(config, `engine: memory\nlisten:\n  native: { address: 127.0.0.1:0, tls: ${own} }\n  http: 127.0.0.1:0\n`)
  const other = await startServer(await loadConfig({ file: config }), silentLog)
  const url = `millraces://${other.listeners['native']}`
  await expect(use(url, { tls: trust })).rejects.toThrow(/certificate|closed/)
  await use(url, { tls: { ...trust, cert: ann.cert, key: ann.key } })
  expect((await fetch(`http://${other.listeners['http']}/readyz`)).status).toBe(200)
  await other.close()
})

test('a certificate that is replaced is used without a restart; one that cannot be used is not', async () => {
  const shown = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const [host, port] = native.split(':') as [string, string]
      const socket = tlsConnect({ host, port: Number(port), rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subject.CN as string)
        socket.destroy()
      })
      socket.on('error', reject)
    })
  const renewed = testCertificate('renewed', authority)
  writeFileSync(file('cert.pem'), renewed.cert)
  server.reload()
  expect(await shown()).toBe('localhost')
  writeFileSync(file('key.pem'), renewed.key)
  server.reload()
  expect(await shown()).toBe('renewed')
  await use(`millraces://${native}`, { ...root, tls: trust })
})

test.each([
  [{ tlsCert: 'x.pem' }, /tls.key is missing/],
  [{ tlsCa: 'x.pem' }, /tls.ca is for listeners with TLS/],
  [{ tlsCert: '/nowhere/c.pem', tlsKey: '/nowhere/k.pem' }, /cannot be read/],
  [{ listen: [{ native: { address: '0', tls: { cert: 'x' } } }] }, /where cert and key must be/],
])('%j is refused with what to do', async (flags, message) => {
  await expect(start(flags)).rejects.toMatchObject({ code: 'bad_config', message })
})
