import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type RunningServer } from '../compose.ts'
import { loadConfig } from '../config/load.ts'
import { silentLog } from '../log/log.ts'

/** For `expect.poll`: machines that are busy need time, and a test that passes does not use it up. */
const soon = { timeout: 20_000 }

// oxlint-disable-next-line typescript/no-explicit-any -- answers of any shape are compared
type Json = any

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Json
}

/** Reads events until there are `count`, then leaves. */
async function events(
  url: string,
  count: number,
  headers: Record<string, string> = {},
  ready?: () => unknown,
): Promise<{ id: string; data: Json }[]> {
  const leaving = new AbortController()
  const response = await fetch(url, { headers, signal: leaving.signal })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  let text = ''
  const found = (): { id: string; data: Json }[] =>
    [...text.matchAll(/^id: (.*)\ndata: (.*)\n\n/gm)].map(([, id, data]) => ({ id: id!, data: JSON.parse(data!) }))
  const decoder = new TextDecoder()
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    if (text === '') void ready?.()
    text += decoder.decode(chunk, { stream: true })
    if (found().length >= count) break
  }
  leaving.abort()
  return found()
}

/** The value of a Prometheus series. */
const value = (text: string, name: string): number => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1])

describe.each(['memory', 'disk'] as const)('the HTTP API over the %s engine', (engine) => {
  let directory: string
  let server: RunningServer
  let base: string

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-http-'))
    server = await start({})
    base = `http://${server.listeners['http']}`
  })
  afterAll(async () => {
    await server.close()
    rmSync(directory, { recursive: true })
  })

  async function start(flags: Record<string, unknown>): Promise<RunningServer> {
    const data = mkdtempSync(join(directory, 'data-'))
    return startServer(
      await loadConfig({ flags: { engine, data, listen: ['none', 'http=0'], drainTimeoutMs: 2000, ...flags } }),
      silentLog,
    )
  }

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const isText = typeof body === 'string'
    const response = await fetch(base + path, {
      method,
      headers: { ...(body === undefined || isText ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }

  const publish = (queue: string, ...bodies: unknown[]): Promise<Answer> =>
    call('POST', `/v1/queues/${queue}/messages`, { messages: bodies.map((body) => ({ body })) })
  const receive = async (queue: string, query = ''): Promise<Json[]> =>
    (await call('POST', `/v1/queues/${queue}/messages/receive${query}`)).body.messages
  const settle = (queue: string, body: unknown): Promise<Answer> => call('POST', `/v1/queues/${queue}/messages/settle`, body)

  describe('definitions', () => {
    test('of topics: create, again, get, change, list, delete', async () => {
      const spec = { partitions: 3, retention: { ms: 60_000 } }
      const created = await call('PUT', '/v1/topics/orders', spec)
      expect(created.status).toBe(201)
      expect(created.body).toMatchObject({
        name: 'orders',
        partitions: 3,
        retention: { ms: 60_000 },
        cleanup: 'delete',
        subscriptions: [],
      })
      expect((await call('PUT', '/v1/topics/orders', spec)).status).toBe(200)
      expect(await call('PUT', '/v1/topics/orders', { partitions: 4 })).toMatchObject({
        status: 409,
        body: { code: 'already_exists' },
      })
      expect((await call('PATCH', '/v1/topics/orders', { partitions: 5 })).body).toMatchObject({ partitions: 5 })
      expect(await call('PATCH', '/v1/topics/orders', { partitions: 1 })).toMatchObject({ status: 400 })
      expect((await call('GET', '/v1/topics/orders')).body.partitionInfo).toHaveLength(5)
      expect((await call('DELETE', '/v1/topics/orders')).status).toBe(204)
      expect(await call('GET', '/v1/topics/orders')).toMatchObject({ status: 404, body: { code: 'not_found' } })
      expect(await call('DELETE', '/v1/topics/orders')).toMatchObject({ status: 404 })
    })

    test('of queues and subscriptions', async () => {
      expect(await call('PUT', '/v1/queues/work', { delivery: { maxAttempts: 3, deadLetter: 'queue:dead' } })).toMatchObject({
        status: 201,
        body: { name: 'work', delivery: { maxAttempts: 3, deadLetter: 'queue:dead' }, ready: 0, inFlight: 0 },
      })
      expect((await call('PATCH', '/v1/queues/work', { delivery: { maxAttempts: 5 } })).body).toMatchObject({
        delivery: { maxAttempts: 5 },
      })
      await call('PUT', '/v1/topics/news')
      expect(await call('PUT', '/v1/topics/news/subscriptions/mail', { from: 'earliest' })).toMatchObject({
        status: 201,
        body: { topic: 'news', name: 'mail' },
      })
      const changed = await call('PATCH', '/v1/topics/news/subscriptions/mail', { delivery: { maxAttempts: 3 } })
      expect(changed).toMatchObject({ status: 200, body: { topic: 'news', name: 'mail', delivery: { maxAttempts: 3 } } })
      expect(await call('GET', '/v1/topics/news/subscriptions/mail')).toMatchObject({ status: 200, body: changed.body })
      expect((await call('PATCH', '/v1/topics/news/subscriptions/mail', { from: 'earliest' })).body).toMatchObject({
        code: 'bad_request',
        detail: expect.stringContaining('`change.from` is not a known property') as string,
      })
      expect((await call('PATCH', '/v1/topics/news/subscriptions/none', { delivery: {} })).status).toBe(404)
      expect((await call('GET', '/v1/topics/news/subscriptions')).body.items).toMatchObject([{ name: 'mail' }])
      expect((await call('GET', '/v1/subscriptions')).body.items).toMatchObject([{ topic: 'news', name: 'mail' }])
      expect((await call('DELETE', '/v1/topics/news/subscriptions/mail')).status).toBe(204)
      expect((await call('GET', '/v1/topics/news/subscriptions/mail')).status).toBe(404)
    })

    test('are listed in pages', async () => {
      for (const name of ['page-c', 'page-a', 'page-b']) await call('PUT', `/v1/queues/${name}`)
      const first = await call('GET', '/v1/queues?prefix=page-&limit=2')
      expect(first.body).toMatchObject({ items: [{ name: 'page-a' }, { name: 'page-b' }], next: 'page-b' })
      const second = await call('GET', `/v1/queues?prefix=page-&limit=2&after=${first.body.next}`)
      expect(second.body.items).toMatchObject([{ name: 'page-c' }])
      expect(second.body).not.toHaveProperty('next')
    })
  })

  describe('publish', () => {
    test('of what curl sends does what one expects', async () => {
      const answer = await call('POST', '/v1/queues/mail/messages', 'hello', {
        'content-type': 'application/x-www-form-urlencoded',
      })
      expect(answer).toMatchObject({ status: 201, body: { partition: 0, offset: 0 } })
      expect((await call('GET', '/v1/queues/mail/messages')).body.messages).toEqual([
        { partition: 0, offset: 0, timestampMs: expect.any(Number), headers: {}, body: 'hello' },
      ])
    })

    test('keeps key, headers, timestamp, and any bytes', async () => {
      const response = await fetch(`${base}/v1/queues/bytes/messages?timestampMs=1234`, {
        method: 'POST',
        headers: { 'content-type': 'image/png', 'millrace-key': 'k', 'millrace-header-source': 'shop' },
        body: new Uint8Array([0xff, 0, 1]),
      })
      expect(response.status).toBe(201)
      expect((await call('GET', '/v1/queues/bytes/messages')).body.messages).toEqual([
        {
          partition: 0,
          offset: 0,
          timestampMs: 1234,
          key: 'k',
          headers: { 'content-type': 'image/png', source: 'shop' },
          bodyBase64: '/wAB',
        },
      ])
    })

    test('of batches answers a receipt per message, in order', async () => {
      await call('PUT', '/v1/topics/parts', { partitions: 4 })
      const messages = Array.from({ length: 50 }, (_, n) => ({ body: { n }, key: `key-${n % 7}` }))
      const { status, body } = await call('POST', '/v1/topics/parts/messages', { messages })
      expect(status).toBe(201)
      expect(body.receipts).toHaveLength(50)
      // Read back, each message is where its receipt says.
      const peeked = (await call('GET', '/v1/topics/parts/messages?max=100')).body.messages as {
        partition: number
        offset: number
        body: { n: number }
        key: string
      }[]
      expect(peeked).toHaveLength(50)
      for (const message of peeked) {
        expect(body.receipts[message.body.n]).toEqual({ partition: message.partition, offset: message.offset })
        expect(message.key).toBe(`key-${message.body.n % 7}`)
      }
      const partitionsOfKey = new Map(peeked.map(({ key, partition }) => [key, partition]))
      expect(peeked.every(({ key, partition }) => partitionsOfKey.get(key) === partition)).toBe(true)
    })

    test('of NDJSON and to a chosen partition', async () => {
      const lines = await call('POST', '/v1/topics/parts/messages?partition=2', '{"body":"a"}\n{"body":"b"}\n', {
        'content-type': 'application/x-ndjson',
      })
      expect(lines.body.receipts).toMatchObject([{ partition: 2 }, { partition: 2 }])
      expect(await call('POST', '/v1/topics/parts/messages?partition=9', 'x')).toMatchObject({
        status: 400,
        body: { code: 'bad_request' },
      })
    })

    test('splits what is larger than a batch, and refuses what no batch can hold', async () => {
      const { batchBytesMax } = server.broker.limits
      const half = 'x'.repeat(Math.floor(batchBytesMax / 2))
      const { status, body } = await call('POST', '/v1/queues/large/messages', {
        messages: [{ body: half }, { body: half }, { body: 'small' }],
      })
      expect(status).toBe(201)
      expect(body.receipts).toMatchObject([{ offset: 0 }, { offset: 1 }, { offset: 2 }])
      expect(await call('POST', '/v1/queues/large/messages', 'x'.repeat(batchBytesMax + 1))).toMatchObject({
        status: 413,
        body: { code: 'record_too_large' },
      })
      await call('DELETE', '/v1/queues/large')
    })

    test('to names that are not legal, or of JSON that is not JSON, is refused', async () => {
      expect(await call('POST', '/v1/topics/a%20b/messages', 'x')).toMatchObject({ status: 400, body: { code: 'illegal_name' } })
      const broken = await call('POST', '/v1/queues/mail/messages?batch', '{"messages":', { 'content-type': 'application/json' })
      expect(broken).toMatchObject({
        status: 400,
        body: { code: 'bad_request', detail: expect.stringContaining('not valid JSON') },
      })
    })

    test('does not create what is missing when autoCreate is off', async () => {
      const strict = await start({ autoCreate: false })
      try {
        const response = await fetch(`http://${strict.listeners['http']}/v1/queues/nowhere/messages`, {
          method: 'POST',
          body: 'x',
        })
        expect(response.status).toBe(404)
        expect(await response.json()).toMatchObject({
          code: 'not_found',
          detail: expect.stringContaining('PUT /v1/queues/nowhere'),
        })
      } finally {
        await strict.close()
      }
    })
  })

  describe('publish for later', () => {
    test('publishes when the time has come', async () => {
      const answer = await call('POST', '/v1/queues/later/messages?delayMs=50', 'x')
      expect(answer).toMatchObject({ status: 201, body: { partition: 0, offset: -1, scheduled: expect.any(Number) as number } })
      const now = await call('POST', `/v1/queues/later/messages?deliverAtMs=${Date.now()}`, 'y')
      expect(now.body).toMatchObject({ partition: 0, offset: expect.any(Number) as number })
      await expect.poll(async () => (await call('GET', '/v1/queues/later/messages')).body.messages.length as number, soon).toBe(2)
    })

    test('takes back what still waits', async () => {
      const batch = { messages: [{ body: 'a' }, { body: 'b' }] }
      const { body } = await call('POST', '/v1/queues/cancelled/messages?delayMs=3600000', batch)
      expect((await call('GET', '/v1/queues/cancelled')).body).toMatchObject({ scheduled: 2, ready: 0 })
      const id = body.receipts[1].scheduled as number
      expect(id).toBe(body.receipts[0].scheduled + 1)
      expect(await call('DELETE', `/v1/scheduled/${id}`)).toMatchObject({ status: 200, body: { cancelled: true } })
      expect((await call('DELETE', `/v1/scheduled/${id}`)).body).toEqual({ cancelled: false })
      expect((await call('GET', '/v1/queues/cancelled')).body.scheduled).toBe(1)
    })

    test('refuses impossible times and ids', async () => {
      for (const query of ['delayMs=5&deliverAtMs=5', 'deliverAtMs=1800000000000000', 'delayMs=soon']) {
        const answer = await call('POST', `/v1/queues/later/messages?${query}`, 'x')
        expect(answer).toMatchObject({ status: 400, body: { code: 'bad_request' } })
      }
      expect((await call('DELETE', '/v1/scheduled/soon')).status).toBe(400)
    })
  })

  describe('consume', () => {
    test('receives, acknowledges by list and by handle, and is then empty', async () => {
      await publish('consume', 'one', { two: 2 }, 'three')
      const messages = await receive('consume', '?max=10')
      expect(messages).toMatchObject([
        { offset: 0, body: 'one', attempt: 1 },
        { offset: 1, body: { two: 2 }, attempt: 1 },
        { offset: 2, body: 'three' },
      ])
      expect((await call('GET', '/v1/queues/consume')).body).toMatchObject({ ready: 0, inFlight: 3 })
      const [one, two, three] = messages.map(({ handle }) => handle as string)
      expect(await settle('consume', { handles: [one, two], outcome: 'ack' })).toMatchObject({
        status: 200,
        body: { settled: 2 },
      })
      expect((await call('DELETE', `/v1/queues/consume/messages/${three}`)).status).toBe(204)
      expect((await call('GET', '/v1/queues/consume')).body).toMatchObject({ ready: 0, inFlight: 0 })
      expect(await receive('consume')).toEqual([])
    })

    test('gives one message unless told otherwise, and others to others', async () => {
      await publish('shared', 1, 2, 3)
      const first = await receive('shared')
      const rest = await receive('shared', '?max=5')
      expect(first.map(({ body }) => body)).toEqual([1])
      expect(rest.map(({ body }) => body)).toEqual([2, 3])
    })

    test('waits for the first message', async () => {
      await call('PUT', '/v1/queues/wait')
      const waiting = receive('wait', '?waitMs=20000&max=5')
      await expect.poll(async () => (await call('GET', '/v1/queues/wait')).body.consumers, soon).toBe(1)
      await publish('wait', 'there you are')
      expect(await waiting).toMatchObject([{ body: 'there you are' }])
    })

    test('ends a wait empty when nothing comes', async () => {
      await call('PUT', '/v1/queues/silence')
      const before = performance.now()
      expect(await receive('silence', '?waitMs=1200')).toEqual([])
      expect(performance.now() - before).toBeGreaterThan(1100)
      expect(await receive('silence')).toEqual([])
    })

    test('a client that leaves while it waits takes nothing with it', async () => {
      await call('PUT', '/v1/queues/leave')
      const leaving = new AbortController()
      const gone = fetch(`${base}/v1/queues/leave/messages/receive?waitMs=30000`, { method: 'POST', signal: leaving.signal })
      await expect.poll(async () => (await call('GET', '/v1/queues/leave')).body.consumers, soon).toBe(1)
      leaving.abort()
      await expect(gone).rejects.toThrow('abort')
      // The next one waits behind the one that left, and gets the message.
      const waiting = receive('leave', '?waitMs=20000')
      await publish('leave', 'still here')
      expect(await waiting).toMatchObject([{ body: 'still here', attempt: 1 }])
    })

    test('delivers again after nack, and after the lease', async () => {
      await publish('again', 'x')
      const [first] = await receive('again')
      expect(await settle('again', { handles: [first.handle], outcome: 'nack', error: 'not today' })).toMatchObject({
        status: 200,
      })
      const [second] = await receive('again', '?waitMs=10000&leaseMs=50')
      expect(second).toMatchObject({ offset: first.offset, attempt: 2 })
      const [third] = await receive('again', '?waitMs=10000')
      expect(third).toMatchObject({ offset: first.offset, attempt: 3 })

      // The same consumer holds it, but not by this handle.
      expect(await settle('again', { handles: [first.handle], outcome: 'extend' })).toMatchObject({
        status: 409,
        body: { code: 'stale_delivery', settled: 0 },
      })
      const stale = await settle('again', { handles: [first.handle, second.handle, third.handle], outcome: 'ack' })
      expect(stale).toMatchObject({
        status: 409,
        body: { code: 'stale_delivery', settled: 1, stale: [first.handle, second.handle] },
      })
      expect((await call('GET', '/v1/queues/again')).body).toMatchObject({ ready: 0, inFlight: 0 })
    })

    test('extends a lease', async () => {
      await publish('extend', 'x')
      const [message] = await receive('extend', '?leaseMs=3000')
      for (let n = 0; n < 2; n++) {
        await new Promise((resolve) => setTimeout(resolve, 1600))
        expect(await settle('extend', { handles: [message.handle], outcome: 'extend' })).toMatchObject({ status: 200 })
      }
      expect(await settle('extend', { handles: [message.handle], outcome: 'ack' })).toMatchObject({ status: 200 })
    })

    test('rejects to the dead letters', async () => {
      await call('PUT', '/v1/queues/fragile', { delivery: { deadLetter: 'queue:fragile.dead' } })
      await publish('fragile', 'poison')
      const [message] = await receive('fragile')
      expect(await settle('fragile', { handles: [message.handle], outcome: 'reject', reason: 'poison' })).toMatchObject({
        status: 200,
      })
      expect(await receive('fragile.dead', '?waitMs=10000')).toMatchObject([{ body: 'poison' }])
    })

    test('of subscriptions: each gets every message', async () => {
      for (const name of ['a', 'b'])
        expect(await call('POST', `/v1/topics/feed/subscriptions/${name}/messages/receive`)).toMatchObject({ status: 404 })
      await call('PUT', '/v1/topics/feed', { partitions: 2 })
      for (const name of ['a', 'b']) await call('PUT', `/v1/topics/feed/subscriptions/${name}`)
      await call('POST', '/v1/topics/feed/messages', {
        messages: [
          { body: 'x', key: '1' },
          { body: 'y', key: '2' },
          { body: 'z', key: '3' },
        ],
      })
      for (const name of ['a', 'b']) {
        const bodies: string[] = []
        while (bodies.length < 3) {
          const { body } = await call('POST', `/v1/topics/feed/subscriptions/${name}/messages/receive?max=3&waitMs=10000`)
          expect(body.messages).not.toEqual([])
          bodies.push(...body.messages.map((message: { body: string }) => message.body))
          const handles = body.messages.map((message: { handle: string }) => message.handle)
          expect(
            await call('POST', `/v1/topics/feed/subscriptions/${name}/messages/settle`, { handles, outcome: 'ack' }),
          ).toMatchObject({ status: 200 })
        }
        expect(bodies.toSorted()).toEqual(['x', 'y', 'z'])
      }
    })

    test('refuses what makes no sense', async () => {
      await publish('strict', 'x')
      const [message] = await receive('strict')
      expect(await settle('strict', { handles: ['nonsense'], outcome: 'ack' })).toMatchObject({ status: 400 })
      expect(await settle('strict', { handles: [message.handle], outcome: 'eat' })).toMatchObject({ status: 400 })
      expect(await settle('strict', { handles: [message.handle], outcome: 'ack', delayMs: 5 })).toMatchObject({ status: 400 })
      expect(await settle('again', { handles: [message.handle], outcome: 'ack' })).toMatchObject({
        status: 400,
        body: { detail: expect.stringContaining('queue:strict') },
      })
      expect(await call('POST', '/v1/queues/nowhere/messages/receive')).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      })
      expect(await call('POST', '/v1/queues/strict/messages/receive?max=0')).toMatchObject({ status: 400 })
      expect(await call('POST', '/v1/queues/strict/messages/receive?waitMs=999999')).toMatchObject({ status: 400 })
      expect(await call('POST', '/v1/queues/made/messages/receive?create')).toMatchObject({ status: 200, body: { messages: [] } })
    })

    test('ends waits when the queue is deleted', async () => {
      await call('PUT', '/v1/queues/doomed')
      const waiting = call('POST', '/v1/queues/doomed/messages/receive?waitMs=30000')
      await expect.poll(async () => (await call('GET', '/v1/queues/doomed')).body.consumers, soon).toBe(1)
      await call('DELETE', '/v1/queues/doomed')
      expect(await waiting).toMatchObject({ status: 404, body: { code: 'not_found' } })
      expect(await call('POST', '/v1/queues/doomed/messages/receive')).toMatchObject({ status: 404 })
      await publish('doomed', 'new life')
      expect(await receive('doomed', '?waitMs=10000')).toMatchObject([{ body: 'new life' }])
    })
  })

  describe('peek and tail', () => {
    test('peek reads from where it is told and consumes nothing', async () => {
      await publish('look', 'a', 'b', 'c')
      const bodies = async (query: string): Promise<unknown[]> =>
        (await call('GET', `/v1/queues/look/messages${query}`)).body.messages.map((message: { body: unknown }) => message.body)
      expect(await bodies('')).toEqual(['a', 'b', 'c'])
      expect(await bodies('?from=offset:1')).toEqual(['b', 'c'])
      expect(await bodies('?from=1&max=1')).toEqual(['b'])
      expect(await bodies('?from=latest')).toEqual([])
      expect((await call('GET', '/v1/queues/look')).body).toMatchObject({ ready: 3, inFlight: 0 })
      expect(await call('GET', '/v1/queues/nowhere/messages')).toMatchObject({ status: 404 })
      expect(await call('GET', '/v1/queues/look/messages?from=never')).toMatchObject({ status: 400 })
    })

    test('a tail shows what is published while it is open', async () => {
      await publish('live', 'before')
      const seen = await events(base + '/v1/queues/live/tail', 2, {}, () => publish('live', 'one', 'two'))
      expect(seen.map(({ data }) => data.body)).toEqual(['one', 'two'])
      expect(seen[0]!.data).toMatchObject({ partition: 0, offset: 1, headers: {} })
      expect((await call('GET', '/v1/queues/live')).body).toMatchObject({ ready: 3 })
    })

    test('Last-Event-ID goes on in every partition without gap or repetition', async () => {
      await call('PUT', '/v1/topics/stream', { partitions: 3 })
      const send = (from: number): Promise<Answer> =>
        call('POST', '/v1/topics/stream/messages', {
          messages: Array.from({ length: 30 }, (_, n) => ({ body: from + n, key: String(n) })),
        })
      await send(0)
      const first = await events(base + '/v1/topics/stream/tail?from=earliest', 17)
      await send(30)
      const last = first[16]!.id
      const rest = await events(base + '/v1/topics/stream/tail?from=earliest', 60 - 17, { 'last-event-id': last })
      const bodies = [...first.slice(0, 17), ...rest].map(({ data }) => data.body as number)
      expect(bodies.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n))
      expect(await call('GET', '/v1/topics/stream/tail', undefined, { 'last-event-id': 'nonsense' })).toMatchObject({
        status: 400,
      })
    })

    test('a reader that is slow gets everything all the same', async () => {
      const body = 'x'.repeat(100_000)
      await call('PUT', '/v1/queues/slow')
      const slow = httpRequest(`${base}/v1/queues/slow/tail?from=earliest`)
      slow.end()
      const response = await new Promise<IncomingMessage>((resolve) => slow.once('response', resolve))
      response.pause()
      for (let n = 0; n < 10; n++) await publish('slow', ...Array.from({ length: 60 }, () => body))
      let received = 0
      response.on('data', (chunk: Buffer) => (received += chunk.length))
      response.resume()
      await expect.poll(() => received, soon).toBeGreaterThan(600 * body.length)
      slow.destroy()
      await call('DELETE', '/v1/queues/slow')
    })

    test('a tail ends when its queue is deleted', async () => {
      await call('PUT', '/v1/queues/ending')
      const response = await fetch(`${base}/v1/queues/ending/tail`)
      await call('DELETE', '/v1/queues/ending')
      expect(await response.text()).toContain('event: end\ndata: {"code":"not_found"')
    })
  })

  describe('operations', () => {
    test('health', async () => {
      expect(await call('GET', '/livez')).toMatchObject({ status: 200, body: 'ok\n' })
      expect(await call('GET', '/readyz')).toMatchObject({ status: 200, body: 'ready\n' })
      expect((await call('GET', '/readyz?verbose')).body).toBe('[+] journal ok\n[+] disk ok\n[+] serving ok\nready\n')
    })

    test('status', async () => {
      expect((await call('GET', '/v1/status')).body).toMatchObject({ pid: process.pid, engine, listeners: server.listeners })
    })

    test('metrics', async () => {
      await publish('measured', 'x', 'y')
      const { body, headers } = await call('GET', '/metrics')
      expect(headers.get('content-type')).toContain('text/plain')
      const before = value(body, 'millrace_messages_published_total')
      expect(before).toBeGreaterThan(2)
      await publish('measured', 'z')
      const after = (await call('GET', '/metrics')).body as string
      expect(value(after, 'millrace_messages_published_total')).toBe(before + 1)
      expect(value(after, 'millrace_journal_commit_seconds_count')).toBeGreaterThan(0)
      expect(value(after, 'millrace_connections')).toBeGreaterThan(0)
      for (const name of [
        'millrace_journal_commits_total',
        'millrace_journal_live_bytes',
        'millrace_transactions_open',
        'process_resident_memory_bytes',
        'nodejs_eventloop_lag_p99_seconds',
      ]) {
        expect(value(after, name)).toBeGreaterThanOrEqual(0)
      }
      expect(after).not.toContain('queue="measured"')
    })

    test('metrics of objects, as many as allowed', async () => {
      const detailed = await start({ 'metrics.perObject': true, 'metrics.objectsMax': 2 })
      try {
        const url = `http://${detailed.listeners['http']}`
        for (const name of ['a', 'b', 'c']) await fetch(`${url}/v1/queues/${name}/messages`, { method: 'POST', body: 'x' })
        await fetch(`${url}/v1/topics/log/messages`, { method: 'POST', body: 'x' })
        for (const name of ['a', 'b', 'c']) {
          const headers = { 'content-type': 'application/json' }
          const body = JSON.stringify({ topic: 'log', to: 'earliest' })
          await fetch(`${url}/v1/groups/${name}/reset`, { method: 'POST', headers, body })
        }
        const text = await (await fetch(`${url}/metrics`)).text()
        expect(text).toContain('millrace_group_lag_messages{group="b",topic="log"} 1')
        expect(text).not.toContain('group="c"')
        expect(text).toContain('millrace_queue_ready_messages{queue="a"} 1')
        expect(text).toContain('millrace_queue_ready_messages{queue="b"} 1')
        expect(text).not.toContain('queue="c"')
        expect(text).toContain('millrace_objects_without_metrics 1')
      } finally {
        await detailed.close()
      }
    })
  })

  describe('everything else', () => {
    test('unknown paths and methods are problems', async () => {
      const unknown = await call('GET', '/v1/nothing')
      expect(unknown).toMatchObject({
        status: 404,
        body: {
          type: 'urn:millrace:error:not_found',
          status: 404,
          code: 'not_found',
          title: expect.any(String),
          detail: expect.stringContaining('/v1/nothing'),
        },
      })
      expect(unknown.headers.get('content-type')).toBe('application/problem+json')
      const wrong = await call('PUT', '/v1/queues/mail/messages', 'x')
      expect(wrong).toMatchObject({ status: 405, body: { code: 'bad_request' } })
      expect(wrong.headers.get('allow')).toBe('POST, GET')
    })

    test('bodies are bounded, whether or not they say how long they are', async () => {
      const small = await start({ 'limits.httpBodyBytesMax': '64KiB' })
      try {
        const url = `http://${small.listeners['http']}/v1/queues/q/messages`
        const declared = await fetch(url, { method: 'POST', body: 'x'.repeat(100_000) })
        expect(declared.status).toBe(413)
        expect(await declared.json()).toMatchObject({
          code: 'record_too_large',
          detail: expect.stringContaining('limits.httpBodyBytesMax'),
        })
        const chunked = new ReadableStream({
          pull(controller) {
            controller.enqueue(new Uint8Array(10_000))
          },
        })
        const endless = await fetch(url, { method: 'POST', body: chunked, duplex: 'half' } as RequestInit).catch(
          (error: unknown) => error as Error,
        )
        // The answer may be lost behind the broken upload; that the upload ends is what matters.
        if (endless instanceof Response) expect(endless.status).toBe(413)
        expect(await (await fetch(`http://${small.listeners['http']}/livez`)).text()).toBe('ok\n')
      } finally {
        await small.close()
      }
    })

    test('bodies are bounded together', async () => {
      const small = await start({ 'limits.httpBodiesBytesMax': '1MiB', 'limits.httpBodyBytesMax': '900KiB' })
      try {
        const [host, port] = small.listeners['http']!.split(':') as [string, string]
        const holder = connect(Number(port), host)
        holder.write(
          'POST /v1/queues/q/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 800000\r\n\r\n' + 'x'.repeat(700_000),
        )
        const url = `http://${small.listeners['http']}/v1/queues/q/messages`
        // Refused as soon as what the other sent has arrived, and accepted again when it is gone.
        await expect
          .poll(
            async () => (await fetch(url, { method: 'POST', body: 'x'.repeat(500_000) }).catch(() => undefined))?.status,
            soon,
          )
          .toBe(503)
        holder.destroy()
        await expect.poll(async () => (await fetch(url, { method: 'POST', body: 'x'.repeat(500_000) })).status, soon).toBe(201)
      } finally {
        await small.close()
      }
    })

    test('JSON that is not JSON, and settings that are not settings', async () => {
      for (const body of ['{', '[]', '"text"', '{"delivry":{}}', '{"delivery":{"leaseMs":0}}', '{"name":"other"}']) {
        expect(await call('PUT', '/v1/queues/bad', body, { 'content-type': 'application/json' })).toMatchObject({
          status: 400,
          body: { code: 'bad_request' },
        })
      }
      expect(await call('GET', '/v1/queues/bad')).toMatchObject({ status: 404 })
    })

    test('answers carry security headers and are not shared with other origins', async () => {
      for (const path of ['/livez', '/v1/nothing', '/v1/queues', '/metrics']) {
        const { headers } = await call('GET', path)
        expect(headers.get('x-content-type-options')).toBe('nosniff')
        expect(headers.get('content-security-policy')).toContain("default-src 'none'")
        expect(headers.has('access-control-allow-origin')).toBe(false)
      }
    })

    test('writes from foreign web pages are refused', async () => {
      const answer = await call('POST', '/v1/queues/mail/messages', 'x', { origin: 'https://evil.example' })
      expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    })

    test('requests that are no HTTP do no harm', async () => {
      const port = Number(server.listeners['http']!.split(':')[1])
      for (const text of [
        'nonsense\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
        'GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
        'POST /v1/queues/%ff/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
      ]) {
        const answer = await new Promise<string>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1', () => socket.write(text))
          let received = ''
          socket.on('data', (chunk) => {
            received += chunk.toString()
            if (received.includes('\r\n\r\n')) socket.destroy()
          })
          socket.on('error', reject)
          socket.on('close', () => resolve(received))
        })
        expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
      }
      expect(await call('GET', '/livez')).toMatchObject({ status: 200 })
    })
  })

  test('closing ends waits and streams, and refuses what comes later', async () => {
    const closing = await start({})
    const url = `http://${closing.listeners['http']}`
    await fetch(`${url}/v1/queues/q`, { method: 'PUT' })
    const waiting = fetch(`${url}/v1/queues/q/messages/receive?waitMs=30000`, { method: 'POST' })
    const tail = await fetch(`${url}/v1/queues/q/tail`)
    await expect.poll(() => closing.broker.queue('q').consumers, soon).toBe(1)
    const closed = closing.close()
    const answer = await waiting
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).not.toBeNull()
    expect(await answer.json()).toMatchObject({ code: 'draining' })
    await tail.text()
    await closed
    await expect(fetch(`${url}/livez`)).rejects.toThrow('fetch failed')
  })
})
