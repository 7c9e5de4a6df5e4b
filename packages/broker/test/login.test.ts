import { connect, type ConnectOptions } from '@millrace/client'
import { createServer, type Socket } from 'node:net'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startServer, type RunningServer } from '../src/server/compose.ts'
import { loadConfig } from '../src/server/config/load.ts'
import { silentLog } from '../src/server/log/log.ts'
import { bytesOf } from './native/fakes.ts'

let directory: string
let server: RunningServer
let native: string
let http: string

const start = async (): Promise<RunningServer> =>
  startServer(
    await loadConfig({ flags: { data: join(directory, 'data'), listen: ['native=0', 'http=0'], drainTimeoutMs: 0 } }),
    silentLog,
  )

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-login-'))
  server = await start()
  server.security.users.create({ name: 'root', password: 'tö,=or', rules: ['allow all **'] })
  server.security.users.create({ name: 'ann', password: 'secret', rules: ['allow publish,consume queue:a'] })
  ;({ native, http } = server.listeners as { native: string; http: string })
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

async function publishes(url: string, options: ConnectOptions): Promise<void> {
  const client = await connect(url, options)
  try {
    await client.queue('a').publish('x')
    await expect(client.queue('b').publish('x')).rejects.toMatchObject({ code: 'forbidden' })
  } finally {
    await client.close()
  }
}

test('a client logs in over TCP and over a WebSocket, by options and by URL', async () => {
  const ann = { user: 'ann', password: 'secret' }
  await publishes(`millrace://${native}`, ann)
  await publishes(`millrace://ann:secret@${native}`, {})
  await publishes(`ws://${http}`, { ...ann, WebSocket })
  const root = await connect(`millrace://root:${encodeURIComponent('tö,=or')}@${native}`)
  expect((await root.admin.queues()).map(({ name }) => name)).toEqual(['a'])
  await root.close()
})

test('a token stands for user and password, in the client and over HTTP', async () => {
  const { token } = server.security.users.createToken('ann', 'test')
  await publishes(`millrace://${native}`, { token })
  const url = `http://${http}/v1/queues/a/messages`
  const post = (authorization: string): Promise<Response> => fetch(url, { method: 'POST', body: 'x', headers: { authorization } })
  expect((await post(`Bearer ${token}`)).status).toBe(201)
  expect((await post('Bearer x')).status).toBe(401)
  expect((await post('Digest x')).status).toBe(401)
  expect((await post(`Basic ${Buffer.from('ann').toString('base64')}`)).status).toBe(401)
})

test('who is not let in is told why, and does not try again', async () => {
  for (const options of [{ user: 'ann', password: 'wrong' }, { user: 'nobody', password: 'x' }, { token: 'x' }])
    await expect(connect(`millrace://${native}`, options)).rejects.toMatchObject({ code: 'unauthorized', message: /not right/ })
  await expect(connect(`millrace://${native}`)).rejects.toMatchObject({ code: 'unauthorized', message: /MILLRACE_USER/ })
})

test('something that lets everybody in, without knowing the password, is not talked to', async () => {
  const sockets: Socket[] = []
  const impostor = createServer((socket) => {
    sockets.push(socket)
    const facts = { brokerId: 'x', brokerVersion: 'x', heartbeatMs: 10_000, frameBytesMax: 1e6, batchBytesMax: 1e6 }
    socket.write(bytesOf('welcome', { version: 1, facts }))
  })
  await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve))
  const { port } = impostor.address() as { port: number }
  await expect(connect(`millrace://ann:secret@127.0.0.1:${port}`)).rejects.toMatchObject({
    code: 'unauthorized',
    message: /did not prove/,
  })
  for (const socket of sockets) socket.destroy()
  impostor.close()
})

test('users outlive the process, in a file that only its owner reads', async () => {
  const file = join(directory, 'data', 'users.json')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await server.close()
  server = await start()
  ;({ native, http } = server.listeners as { native: string; http: string })
  await publishes(`millrace://ann:secret@${native}`, {})

  // Changed by hand, as configuration management does.
  const stored = JSON.parse(readFileSync(file, 'utf8')) as { users: { name: string; rules: string[] }[] }
  stored.users.find(({ name }) => name === 'ann')!.rules = ['allow publish queue:*']
  writeFileSync(file, JSON.stringify(stored))
  server.reload()
  const client = await connect(`millrace://ann:secret@${native}`)
  await client.queue('b').publish('x')
  await client.close()
  // A file that is lost does not open the broker to everybody.
  for (const content of [
    '{',
    '{"version":1,"secret":"x","users":[]}',
    JSON.stringify({ ...stored, users: [{ name: 'x', rules: ['?'] }] }),
  ]) {
    writeFileSync(file, content)
    server.reload()
    await expect(connect(`millrace://${native}`)).rejects.toMatchObject({ code: 'unauthorized' })
  }
})
