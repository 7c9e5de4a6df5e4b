import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestBroker } from '../../../test/core/harness.ts'
import { type RunningServer, startServer } from '../compose.ts'
import { loadConfig } from '../config/load.ts'
import { silentLog } from '../log/log.ts'
import { Tail } from './tail.ts'

let server: RunningServer
let base: string

beforeAll(async () => {
  server = await startServer(await loadConfig({ flags: { engine: 'memory', listen: ['native=none', 'http=0'] } }), silentLog)
  base = `http://${server.listeners['http']}/v1/topics`
})
afterAll(() => server.close())

interface Page {
  readonly messages: readonly { readonly offset: number; readonly partition: number; readonly body: number }[]
  readonly next?: string
}

async function send(method: string, path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${base}/${path}`, { method, headers, body: JSON.stringify(body) })
  expect(response.ok).toBe(true)
}

/** Messages whose body and header `n` are 0, 1, 2, ... */
async function publishNumbers(topic: string, partitions: number, count: number): Promise<void> {
  await send('PUT', topic, { partitions })
  const messages = Array.from({ length: count }, (_, n) => ({ body: n, key: String(n), headers: { n: String(n) } }))
  await send('POST', `${topic}/messages`, { messages })
}

async function peek(topic: string, query: Record<string, string>): Promise<Page> {
  const response = await fetch(`${base}/${topic}/messages?${new URLSearchParams(query)}`)
  expect(response.status).toBe(200)
  return (await response.json()) as Page
}

async function refusal(path: string): Promise<unknown> {
  const response = await fetch(`${base}/${path}`)
  const { code, detail } = (await response.json()) as { code: string; detail: string }
  return [response.status, code, detail]
}

test('peek filters, and pages over all partitions', async () => {
  await publishNumbers('pages', 3, 60)
  const seen: number[] = []
  let pages = 0
  for (let after: string | undefined = ''; after !== undefined; pages++) {
    const page: Page = await peek('pages', { filter: 'n % 5 = 0', max: '5', after })
    expect(page.messages.length).toBeLessThanOrEqual(5)
    seen.push(...page.messages.map(({ body }) => body))
    after = page.next
  }
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n * 5))
  expect(pages).toBe(3)
  const all = await peek('pages', { max: '1000' })
  expect([all.messages.length, all.next]).toEqual([60, undefined])
})

test('a tail with a filter shows what matches', async () => {
  await publishNumbers('sieve', 1, 30)
  const leaving = new AbortController()
  const query = new URLSearchParams({ from: 'earliest', filter: 'n % 7 = 3' })
  const response = await fetch(`${base}/sieve/tail?${query}`, { signal: leaving.signal })
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes('id: 0:25\n')) break
  }
  leaving.abort()
  const events = [...text.matchAll(/^id: (.*)\ndata: (.*)\n\n/gm)]
  expect(events.map(([, id, data]) => [id, (JSON.parse(data!) as { body: number }).body])).toEqual(
    [3, 10, 17, 24].map((n) => [`0:${n + 1}`, n]),
  )
})

test('a quiet tail with a filter says how far it is, so that whoever comes back need not wait for the same again', async () => {
  const t = await TestBroker.open()
  for (let n = 0; n < 5; n++) t.publish('topic:quiet', 'x')
  await t.settle()
  const options = {
    source: 'topic:quiet',
    partition: undefined,
    from: 'earliest',
    filter: 'n = 1',
    lastEventId: undefined,
    authorize: () => undefined,
  } as const
  const tail = new Tail(t.broker, t.platform, options, () => undefined)
  const reader = tail.stream().getReader()
  const decoder = new TextDecoder()
  const next = async (): Promise<string> => decoder.decode((await reader.read()).value)
  expect(await next()).toBe(': tail\n\n')
  await t.advance(15_000)
  expect(await next()).toBe('id: 0:5\n\n')
  tail.close()
})

test('a selector that is wrong is refused with the place of the mistake', async () => {
  await publishNumbers('wrong', 1, 1)
  for (const what of ['messages', 'tail']) {
    const explained = expect.stringContaining('column 4') as string
    expect(await refusal(`wrong/${what}?filter=n%20%3D`)).toEqual([400, 'bad_selector', explained])
  }
  expect(await refusal('wrong/messages?after=nonsense')).toMatchObject([400, 'bad_request', expect.stringContaining('`after`')])
  expect(await refusal('wrong/tail?from=offset:9')).toMatchObject([expect.any(Number), 'offset_out_of_range', expect.anything()])
})
