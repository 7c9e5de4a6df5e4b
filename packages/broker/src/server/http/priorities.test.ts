import { expect, test } from 'vitest'
import { HttpOfFile } from '../../../test/harness/http-of-file.ts'

const http = new HttpOfFile()

async function call(method: string, path: string, body?: object | string): Promise<Record<string, unknown>> {
  return (await http.call(method, path, body)).body as Record<string, unknown>
}

interface Received {
  readonly body: string
  readonly priority?: number
  readonly partition: number
  readonly handle: string
}

test('priorities over HTTP: definition, publish, look, receive and settle', async () => {
  const path = '/v1/queues/work'
  expect(await call('PUT', path, { priorities: 10 })).toMatchObject({
    priorities: 10,
    levels: [{ priority: 0, ready: 0, inFlight: 0 }],
  })
  expect(await call('POST', `${path}/messages?priority=7`, 'single')).toEqual({ partition: 7, offset: 0 })
  const messages = [{ body: 'none' }, { body: 'high', priority: 9 }, { body: 'also', priority: 7 }, { body: 'low', priority: 0 }]
  expect(await call('POST', `${path}/messages`, { messages })).toEqual({
    receipts: [
      { partition: 0, offset: 0 },
      { partition: 9, offset: 0 },
      { partition: 7, offset: 1 },
      { partition: 0, offset: 1 },
    ],
  })
  const peeked = (await call('GET', `${path}/messages`))['messages'] as Received[]
  expect(peeked.map(({ body, priority }) => [body, priority])).toEqual([
    ['high', 9],
    ['single', 7],
    ['also', 7],
    ['none', undefined],
    ['low', 0],
  ])
  expect((await call('GET', `${path}/messages?partition=7&max=1`))['messages']).toMatchObject([{ body: 'single', partition: 7 }])
  expect(await call('GET', `${path}/messages/1?partition=7`)).toMatchObject({ body: 'also' })

  const received = (await call('POST', `${path}/messages/receive?max=3`))['messages'] as Received[]
  expect(received.map(({ body }) => body)).toEqual(['high', 'single', 'also'])
  await call('POST', `${path}/messages/settle`, { outcome: 'ack', handles: received.map(({ handle }) => handle) })
  expect(await call('GET', path)).toMatchObject({ ready: 2, inFlight: 0, counters: { acked: 3 } })
  expect(await call('PATCH', path, { priorities: 5 })).toMatchObject({ code: 'bad_request' })
  expect(await call('PATCH', path, { priorities: 50 })).toMatchObject({ priorities: 50 })
})

test('what is no priority is a bad request', async () => {
  for (const priority of [-1, 256, 1.5]) {
    expect(await call('POST', `/v1/queues/bad/messages?priority=${priority}`, 'x')).toMatchObject({ code: 'bad_request' })
    expect(await call('POST', '/v1/queues/bad/messages', { messages: [{ body: 'x', priority }] })).toMatchObject({
      code: 'bad_request',
    })
  }
  expect(await call('PUT', '/v1/queues/bad', { priorities: 257 })).toMatchObject({ code: 'bad_request' })
})

test('a tail shows what comes to the levels', async () => {
  await call('PUT', '/v1/queues/tailed', { priorities: 3 })
  await call('POST', '/v1/queues/tailed/messages?priority=2', 'first')
  const stop = new AbortController()
  const tail = await fetch(`${http.url}/v1/queues/tailed/tail?from=earliest`, { signal: stop.signal })
  await call('POST', '/v1/queues/tailed/messages', { messages: [{ body: 'second' }, { body: 'third', priority: 2 }] })
  let text = ''
  for await (const chunk of tail.body!) {
    text += Buffer.from(chunk).toString()
    if (text.match(/^data:/gm)?.length === 3) break
  }
  stop.abort()
  const bodies = new Set([...text.matchAll(/"body":"(\w+)"/g)].map(([, body]) => body))
  expect(bodies).toEqual(new Set(['first', 'second', 'third']))
  expect(text).toMatch(/^id: (2:\d+,0:\d+|2:\d+|0:\d+)$/m)
})
