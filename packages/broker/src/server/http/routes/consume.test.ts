import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../../compose.ts'
import { loadConfig } from '../../config/load.ts'
import { silentLog } from '../../log/log.ts'

let server: RunningServer

beforeAll(async () => {
  server = await startServer(await loadConfig({ flags: { engine: 'memory', listen: ['none', 'http=0'] } }), silentLog)
})

afterAll(() => server.close())

async function call(method: string, path: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`http://${server.listeners['http']}/v1/queues/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function received(queue: string): Promise<{ readonly attempt: number; readonly handle: string }> {
  const { body } = await call('POST', `${queue}/messages/receive?waitMs=10000`)
  return (body['messages'] as { attempt: number; handle: string }[])[0]!
}

test('a message that is deferred comes again as the same attempt, however often', async () => {
  await call('PUT', 'patient', { delivery: { maxAttempts: 1 } })
  await call('POST', 'patient/messages', { order: 7 })
  for (let n = 0; n < 3; n++) {
    const { attempt, handle } = await received('patient')
    expect(attempt).toBe(1)
    const settled = await call('POST', 'patient/messages/settle', { handles: [handle], outcome: 'defer', delayMs: 5 })
    expect(settled).toEqual({ status: 200, body: { settled: 1 } })
  }
  const { handle } = await received('patient')
  await call('POST', 'patient/messages/settle', { handles: [handle], outcome: 'nack' })
  expect((await call('GET', 'patient')).body).toMatchObject({ ready: 0, counters: { dropped: 1 } })
})

test.each([
  [{ outcome: 'defer', error: 'no' }, 'error goes with nack, not with defer'],
  [{ outcome: 'ack', delayMs: 1 }, 'delayMs goes with nack and defer, not with ack'],
  [{ outcome: 'nack', reason: 'no' }, 'reason goes with reject, not with nack'],
])('what belongs to another outcome is refused: %j', async (body, detail) => {
  expect(await call('POST', 'patient/messages/settle', { handles: [], ...body })).toMatchObject({
    status: 400,
    body: { code: 'bad_request', detail: `In the body: ${detail}.` },
  })
})
