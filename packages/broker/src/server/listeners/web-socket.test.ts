import { connect } from '@millrace/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startServer, type RunningServer } from '../compose.ts'
import { loadConfig } from '../config/load.ts'
import { silentLog } from '../log/log.ts'

let server: RunningServer
let url: string
beforeAll(async () => {
  server = await startServer(
    await loadConfig({ flags: { engine: 'memory', listen: ['none', 'http=0'], drainTimeoutMs: 2000 } }),
    silentLog,
  )
  url = `ws://${server.listeners['http']}/v1/native`
})
afterAll(() => server.close())

test('the client works over a WebSocket as over TCP', async () => {
  const client = await connect(url, { WebSocket })
  const queue = client.queue('by-web-socket')
  const bodies = Array.from({ length: 500 }, (_, n) => `message ${n}`)
  await queue.publishBatch(bodies.map((body) => ({ body })))
  await queue.publish('x'.repeat(3_000_000))
  const received: string[] = []
  for await (const message of queue.messages()) {
    received.push(message.text())
    await message.ack()
    if (received.length === 501) break
  }
  expect(received.slice(0, 500)).toEqual(bodies)
  expect(received[500]).toHaveLength(3_000_000)
  await client.close()
  expect(server.broker.queue('by-web-socket')).toMatchObject({ ready: 0, inFlight: 0 })
})

async function refusal(address: string, options: object = {}): Promise<string> {
  const socket = new WebSocket(address, options)
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => resolve(error.message))
    socket.once('open', () => {
      socket.terminate()
      reject(new Error('it was let in'))
    })
  })
}

describe('refused', () => {
  test('are pages of foreign origins, and paths that are not there', async () => {
    expect(await refusal(url, { origin: 'https://evil.example' })).toContain('403')
    expect(await refusal(url, { headers: { host: 'rebound.example' } })).toContain('403')
    expect(await refusal(url.replace('native', 'other'))).toContain('404')
  })

  test('is text', async () => {
    const socket = new WebSocket(url)
    socket.once('open', () => socket.send('hello'))
    const code = await new Promise((resolve) => socket.once('close', resolve))
    expect(code).toBe(1003)
  })

  test('are messages larger than any frame', async () => {
    const socket = new WebSocket(url)
    socket.once('open', () => socket.send(Buffer.alloc(server.broker.limits.batchBytesMax * 2)))
    socket.on('error', () => {})
    const code = await new Promise((resolve) => socket.once('close', resolve))
    expect([1006, 1009]).toContain(code)
    const again = await connect(url, { WebSocket })
    await again.close()
  })
})
