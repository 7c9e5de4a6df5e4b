import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '@millrace/client'
import { startServer } from './compose.ts'
import { loadConfig } from './config/load.ts'
import type { Config } from './config/config.ts'
import { silentLog } from './log/log.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-compose-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function config(flags: Record<string, unknown>): Promise<Config> {
  return loadConfig({
    flags: {
      engine: 'memory',
      listen: ['native=0', 'http=0', 'kafka=0', 'amqp=0', 'management=0'],
      drainTimeoutMs: 1000,
      ...flags,
    },
  })
}

test('opens all doors, tells where in the ready file, and takes it away at the end', async () => {
  const readyFile = join(directory, 'ready.json')
  const server = await startServer(await config({ readyFile }), silentLog)
  expect(Object.keys(server.listeners)).toEqual(['native', 'http', 'kafka', 'amqp', 'management'])
  expect(JSON.parse(readFileSync(readyFile, 'utf8'))).toEqual({ pid: process.pid, listeners: server.listeners })
  await Promise.all([server.close(), server.close()])
  expect(existsSync(readyFile)).toBe(false)
})

test('works without any listener', async () => {
  const server = await startServer(await config({ listen: 'none' }), silentLog)
  expect(server.listeners).toEqual({})
  await server.close()
})

test('what was confirmed by one door is there for the other, also after a restart', async () => {
  const settings = { engine: 'disk', data: join(directory, 'data') }
  const server = await startServer(await config(settings), silentLog)
  const client = await connect(`millrace://${server.listeners['native']}`)
  await client.queue('mail').publish('by the native door', { key: 'k' })
  const url = `http://${server.listeners['http']}/v1/queues/mail/messages`
  await fetch(url, { method: 'POST', body: 'by HTTP' })
  await client.close()
  await server.close()

  const again = await startServer(await config(settings), silentLog)
  expect(again.broker.id).toBe(server.broker.id)
  const peeked = (await (await fetch(`http://${again.listeners['http']}/v1/queues/mail/messages`)).json()) as {
    messages: unknown
  }
  expect(peeked.messages).toMatchObject([
    { offset: 0, key: 'k', body: 'by the native door' },
    { offset: 1, body: 'by HTTP' },
  ])
  const other = await connect(`millrace://${again.listeners['native']}`)
  const received = await other.queue('mail').pull({ max: 2, waitMs: 10_000 })
  expect(received.map((message) => message.text())).toEqual(['by the native door', 'by HTTP'])
  await Promise.all(received.map((message) => message.ack()))
  await other.close()
  await again.close()
})

test('a failed start leaves nothing open', async () => {
  const blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  const { port } = blocker.address() as AddressInfo
  const settings = { engine: 'disk', data: join(directory, 'failed') }
  const taken = startServer(await config({ ...settings, listen: ['native=0', `http=${port}`] }), silentLog)
  await expect(taken).rejects.toMatchObject({ code: 'address_in_use' })
  blocker.close()
  // The data directory is free again.
  const server = await startServer(await config(settings), silentLog)
  await server.close()
})

test('two brokers on one directory: the second is refused and does the first no harm', async () => {
  const settings = { engine: 'disk', data: join(directory, 'shared') }
  const first = await startServer(await config(settings), silentLog)
  await expect(startServer(await config(settings), silentLog)).rejects.toMatchObject({ code: 'data_in_use' })
  const response = await fetch(`http://${first.listeners['http']}/v1/queues/q/messages`, { method: 'POST', body: 'x' })
  expect(response.status).toBe(201)
  await first.close()
})

test('listening beyond this machine without users is refused before anything is opened', async () => {
  const data = join(directory, 'never')
  const refused = startServer(await config({ engine: 'disk', data, listen: ['native=0.0.0.0:0'] }), silentLog)
  await expect(refused).rejects.toMatchObject({ code: 'insecure_bind' })
  expect(existsSync(data)).toBe(false)
})
