import { connect, type Millrace } from '@millrace/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../../compose.ts'
import { loadConfig } from '../../config/load.ts'
import { silentLog } from '../../log/log.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers of any shape are compared
type Json = any

let server: RunningServer
let client: Millrace

beforeAll(async () => {
  server = await startServer(await loadConfig({ flags: { engine: 'memory', listen: ['native=0', 'http=0'] } }), silentLog)
  client = await connect(`millrace://${server.listeners['native']}`)
})
afterAll(async () => {
  await client.close()
  await server.close()
})

async function call(path: string, body: string, init: RequestInit = {}): Promise<{ status: number; body: Json }> {
  const response = await fetch(`http://${server.listeners['http']}/v1/${path}`, { method: 'POST', body, ...init })
  return { status: response.status, body: await response.json() }
}

/** What a worker over HTTP got. */
async function received(
  source: string,
): Promise<{ body: Json; handle: string; headers: Record<string, string>; attempt: number }> {
  const answer = await call(`${source}/messages/receive?waitMs=10000&create=true`, '')
  return answer.body.messages[0]
}

function inboxes(): readonly string[] {
  return server.broker.queues().flatMap(({ name }) => (name.startsWith('reply-http-') ? [name] : []))
}

describe('a request', () => {
  test('gets the reply to it, however many ask at once', async () => {
    const double = client.queue('double').consume(
      async (message) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
        await message.reply({ doubled: (message.json() as number) * 2 }, { headers: { by: 'worker' } })
      },
      { concurrency: 20 },
    )
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => call('queues/double/requests', String(n))))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(answers.map(({ body }) => body.body)).toEqual(answers.map((_, n) => ({ doubled: 2 * n })))
    expect(answers[0]!.body.headers.by).toBe('worker')
    await double.stop()
    // Every answer is acked.
    await expect.poll(() => server.broker.queue(inboxes()[0]!).counters.acked, { timeout: 10_000 }).toBe(40)
    expect(inboxes()).toHaveLength(1)
  })

  test('is a message with key, headers and content type', async () => {
    const asked = call('queues/told/requests?ttlMs=60000&priority=3', '{"order":7}', {
      headers: { 'content-type': 'application/json', 'millrace-key': 'k', 'millrace-header-source': 'shop' },
    })
    const [message] = await client.queue('told').pull({ waitMs: 10_000 })
    const text = (name: string): string => Buffer.from(message!.headers[name]!).toString()
    expect([message!.json(), Buffer.from(message!.key!).toString(), text('source')]).toEqual([{ order: 7 }, 'k', 'shop'])
    expect([message!.priority, text('reply-to')]).toEqual([3, inboxes()[0]])
    await message!.reply('fine')
    await message!.ack()
    expect((await asked).body.body).toBe('fine')
  })

  test('without a reply in time is a problem with status 504, and a reply that comes later is dropped', async () => {
    const late = await call('queues/nobody/requests?timeoutMs=20', 'hello?')
    expect(late).toMatchObject({
      status: 504,
      body: { code: 'timeout', detail: 'Nobody answered from queue:nobody within 20 ms.' },
    })
    const [message] = await client.queue('nobody').pull({ waitMs: 10_000 })
    const { acked } = server.broker.queue(inboxes()[0]!).counters
    await message!.reply('too late')
    await message!.ack()
    await expect.poll(() => server.broker.queue(inboxes()[0]!).counters.acked, { timeout: 10_000 }).toBe(acked + 1)
  })

  test('with maxReplies gets a list: as many as it wants, or those that came in time', async () => {
    for (const name of ['a', 'b', 'c']) {
      await client.admin.createSubscription({ topic: 'offers', name }).catch(async () => {
        await client.admin.createTopic({ name: 'offers' })
        await client.admin.createSubscription({ topic: 'offers', name })
      })
      client
        .topic('offers')
        .subscription(name)
        .consume((message) => message.reply(`${name} for ${message.text()}`))
    }
    const all = await call('topics/offers/requests?maxReplies=3&timeoutMs=20000', 'a book')
    expect(all.body.replies.map(({ body }: Json) => body).toSorted()).toEqual(['a', 'b', 'c'].map((name) => `${name} for a book`))
    expect((await call('topics/offers/requests?maxReplies=2&timeoutMs=20000', 'a cup')).body.replies).toHaveLength(2)
    expect((await call('topics/offers/requests?maxReplies=5&timeoutMs=500', 'a hat')).body.replies).toHaveLength(3)
    const nobody = await call('queues/nobody-either/requests?maxReplies=5&timeoutMs=20', 'x')
    expect(nobody).toMatchObject({ status: 504, body: { code: 'timeout' } })
  })

  test('goes through an exchange, and nowhere without a binding', async () => {
    await client.admin.createExchange({ name: 'ask', type: 'topic' })
    expect(await call('exchanges/ask/requests?key=maths', '3')).toMatchObject({ status: 422, body: { code: 'unroutable' } })
    await client.admin.bind({ source: 'ask', destination: 'queue:double', key: 'maths' })
    const double = client.queue('double').consume((message) => message.reply(2 * (message.json() as number)))
    expect((await call('exchanges/ask/requests?key=maths', '3')).body.body).toBe(6)
    await double.stop()
  })

  test('whose client leaves is forgotten', async () => {
    const leave = new AbortController()
    const asked = call('queues/left/requests', 'x', { signal: leave.signal })
    const [message] = await client.queue('left').pull({ waitMs: 10_000 })
    leave.abort()
    await expect(asked).rejects.toThrow(/abort/)
    const { acked } = server.broker.queue(inboxes()[0]!).counters
    await message!.reply('are you there?')
    await message!.ack()
    await expect.poll(() => server.broker.queue(inboxes()[0]!).counters.acked, { timeout: 10_000 }).toBe(acked + 1)
  })

  test('fails when its inbox is deleted, and the next one has a new inbox', async () => {
    const asked = call('queues/lost/requests', 'x')
    const [message] = await client.queue('lost').pull({ waitMs: 10_000 })
    await message!.ack()
    const [inbox] = inboxes()
    await client.admin.deleteQueue(inbox!)
    expect(await asked).toMatchObject({ status: 503, body: { code: 'closed' } })
    expect((await call('queues/lost/requests?timeoutMs=20', 'y')).status).toBe(504)
    expect(inboxes()).toHaveLength(1)
    expect(inboxes()).not.toEqual([inbox])
  })

  test.each([
    ['queues/q/requests?timeoutMs=0', {}, 'timeoutMs'],
    ['queues/q/requests?timeoutMs=60001', {}, 'timeoutMs'],
    ['queues/q/requests?maxReplies=0', {}, 'maxReplies'],
    ['queues/q/requests?partition=1', {}, 'partition'],
    ['queues/q/requests?delayMs=5', {}, 'delayMs'],
    ['queues/q/requests', { 'millrace-header-reply-to': 'queue:mine' }, 'reply-to'],
    ['queues/q/requests', { 'millrace-header-correlation-id': '7' }, 'correlation-id'],
  ])('%s with %j is refused, and nothing is published', async (path, headers, detail) => {
    const answer = await call(path, 'x', { headers: headers as Record<string, string> })
    expect(answer).toMatchObject({ status: 400, body: { code: 'bad_request', detail: expect.stringContaining(detail) } })
    expect(server.broker.queues().map(({ name }) => name)).not.toContain('q')
  })
})

describe('a reply', () => {
  test('to a received message acknowledges it in the same commit', async () => {
    const asked = call('queues/square/requests', '12')
    const { handle, body, headers } = await received('queues/square')
    expect([body, headers['reply-to'], headers['correlation-id']]).toEqual(['12', inboxes()[0], expect.any(String)])
    const replied = await call(`queues/square/messages/${handle}/reply`, '{"result":144}', {
      headers: { 'content-type': 'application/json', 'millrace-header-by': 'http' },
    })
    expect(replied).toEqual({
      status: 201,
      body: { destination: `queue:${inboxes()[0]}`, partition: 0, offset: expect.any(Number) },
    })
    expect((await asked).body).toMatchObject({ body: { result: 144 }, headers: { by: 'http' } })
    expect(server.broker.queue('square')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 1 } })
    // The handle is used now.
    expect(await call(`queues/square/messages/${handle}/reply`, 'x')).toMatchObject({
      status: 409,
      body: { code: 'stale_delivery' },
    })
  })

  test('to a native client, of a subscription, in two parts', async () => {
    await client.admin.createTopic({ name: 'jobs' })
    await client.admin.createSubscription({ topic: 'jobs', name: 's' })
    const answers = client.request('topic:jobs', 'go', { answers: 2, timeoutMs: 20_000 })
    const { handle } = await received('topics/jobs/subscriptions/s')
    const reply = `topics/jobs/subscriptions/s/messages/${handle}/reply`
    expect((await call(`${reply}?ack=false`, 'half')).status).toBe(201)
    expect(server.broker.subscription('jobs', 's')).toMatchObject({ inFlight: 1, counters: { acked: 0 } })
    expect((await call(reply, 'all of it')).status).toBe(201)
    const texts: string[] = []
    for await (const answer of answers) texts.push(answer.text())
    expect(texts).toEqual(['half', 'all of it'])
    expect(await call(`${reply}?ack=false`, 'more')).toMatchObject({ status: 409, body: { code: 'stale_delivery' } })
  })

  test('goes to an address of any kind, with the correlation id as it is', async () => {
    const ids = [Uint8Array.of(0xff, 0), 'seven']
    for (const id of ids)
      await client.queue('by-hand').publish('x', { headers: { 'reply-to': 'topic:answers', 'correlation-id': id } })
    await client.admin.createTopic({ name: 'answers' })
    for (const _ of ids) {
      const { handle } = await received('queues/by-hand')
      expect((await call(`queues/by-hand/messages/${handle}/reply`, 'y')).status).toBe(201)
    }
    const answers = await client.topic('answers').peek()
    expect(answers.map(({ headers }) => Buffer.from(headers['correlation-id']!))).toEqual(
      ids.map((id) => Buffer.from(id as string)),
    )
  })

  test('to a message that asks for none, or to somebody who is gone, changes nothing', async () => {
    await client.queue('plain').publish('x')
    const { handle } = await received('queues/plain')
    const reply = `queues/plain/messages/${handle}/reply`
    expect(await call(reply, 'y')).toMatchObject({
      status: 400,
      body: { detail: 'Message 0 asks for no answer: it has no header `reply-to`.' },
    })
    expect((await call('queues/plain/messages/nonsense/reply', 'y')).body.code).toBe('bad_request')
    expect((await call(`queues/other/messages/${handle}/reply`, 'y')).body.code).toBe('bad_request')

    await client.queue('gone').publish('x', { headers: { 'reply-to': 'queue:nowhere' } })
    const gone = await received('queues/gone')
    expect(await call(`queues/gone/messages/${gone.handle}/reply`, 'y')).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    })
    expect(server.broker.queue('gone')).toMatchObject({ inFlight: 1, counters: { acked: 0 } })
    expect(server.broker.queues().map(({ name }) => name)).not.toContain('nowhere')
  })
})

test('requests that wait when the broker stops are told', async () => {
  const other = await startServer(await loadConfig({ flags: { engine: 'memory', listen: ['none', 'http=0'] } }), silentLog)
  const asked = fetch(`http://${other.listeners['http']}/v1/queues/q/requests`, { method: 'POST', body: 'x' })
  await expect
    .poll(() => other.broker.queues().some(({ name, ready }) => name === 'q' && ready === 1), { timeout: 10_000 })
    .toBe(true)
  await other.close()
  expect((await asked).status).toBe(503)
})
