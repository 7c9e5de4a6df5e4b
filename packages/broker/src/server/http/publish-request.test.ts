import { describe, expect, test } from 'vitest'
import { readPublishRequest, type PublishRequest, type RawPublish } from './publish-request.ts'

function read(body: string | Uint8Array, more: Partial<RawPublish> = {}): PublishRequest {
  return readPublishRequest({
    contentType: undefined,
    body: typeof body === 'string' ? Buffer.from(body) : body,
    headers: [],
    key: undefined,
    timestampMs: undefined,
    ttlMs: undefined,
    priority: undefined,
    retry: undefined,
    batch: undefined,
    ...more,
  })
}

const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString())
const latin1 = (utf8: string): string => Buffer.from(utf8).toString('latin1')

function shown(request: PublishRequest): unknown[] {
  return request.messages.map(({ key, value, headers }) => ({
    key: text(key),
    value: text(value),
    headers: Object.fromEntries(headers.map((header) => [header.key, text(header.value)])),
  }))
}

const refused = (body: string, contentType: string, batch?: boolean): string => {
  try {
    read(body, { contentType, batch })
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad_request' })
    return (error as Error).message
  }
  throw new Error('it was taken')
}

describe('one message', () => {
  test.each([
    ['application/x-www-form-urlencoded', {}],
    ['application/x-www-form-urlencoded; charset=utf-8', {}],
    [undefined, {}],
    ['text/plain', { 'content-type': 'text/plain' }],
    ['application/json', { 'content-type': 'application/json' }],
  ])('of type %s is its body', (contentType, headers) => {
    const request = read('{"a":1}', { contentType })
    expect(request.isBatch).toBe(false)
    expect(shown(request)).toEqual([{ key: null, value: '{"a":1}', headers }])
  })

  test('may be empty, or not be JSON although it says so', () => {
    expect(shown(read(''))).toEqual([{ key: null, value: '', headers: {} }])
    expect(shown(read('{nonsense', { contentType: 'application/json' }))).toMatchObject([{ value: '{nonsense' }])
  })

  test('takes key and headers, UTF-8 as clients send it', () => {
    const request = read('x', {
      key: 'k',
      headers: [
        ['millrace-header-source', latin1('Müller')],
        ['accept', '*/*'],
      ],
    })
    expect(shown(request)).toEqual([{ key: 'k', value: 'x', headers: { source: 'Müller' } }])
  })
})

describe('a batch', () => {
  test('of JSON', () => {
    const body =
      '{ "messages": [{"body":"one"},{"body":{"two":2},"key":"k"},{"bodyBase64":"AQI=","keyBase64":"Aw=="},{"body":null,"headers":{"a":"b"}}] }'
    const request = read(body, { contentType: 'application/json' })
    expect(request.isBatch).toBe(true)
    expect(shown(request)).toEqual([
      { key: null, value: 'one', headers: {} },
      { key: 'k', value: '{"two":2}', headers: { 'content-type': 'application/json' } },
      { key: '\u0003', value: '\u0001\u0002', headers: {} },
      { key: null, value: null, headers: { a: 'b' } },
    ])
  })

  test('of NDJSON, with or without a last line end', () => {
    for (const end of ['', '\n', '\r\n', '\n\n']) {
      const request = read(`{"body":"one"}\r\n{"body":"two","timestampMs":5}${end}`, { contentType: 'application/x-ndjson' })
      expect(request.messages.map(({ timestampMs }) => timestampMs)).toEqual([undefined, 5])
      expect(request.isBatch).toBe(true)
    }
  })

  test('is not seen where it is not meant', () => {
    const body = '{"messages":[{"body":"one"}]}'
    expect(read(body, { contentType: 'text/plain' }).isBatch).toBe(false)
    expect(read(body, { contentType: 'application/json', batch: false }).isBatch).toBe(false)
    expect(read('{"messages":[],"more":1}', { contentType: 'application/json' }).isBatch).toBe(false)
    expect(read('{"messages":"text"}', { contentType: 'application/json' }).isBatch).toBe(false)
    expect(read(body, { contentType: undefined, batch: true }).isBatch).toBe(true)
  })

  test('that is wrong says where', () => {
    const json = 'application/json'
    expect(refused('{"messages":[]}', json)).toContain('no messages')
    expect(refused('{"messages":[{"body":"a"},{"bdy":"b"}]}', json)).toMatch(/message 2 of the batch.*bdy/)
    expect(refused('{"messages":[{"body":"a"},{}]}', json)).toMatch(/message 2.*`body` or `bodyBase64`/)
    expect(refused('{"messages":[{"body":"a","bodyBase64":""}]}', json)).toContain('either')
    expect(refused('{"messages":[{"bodyBase64":"?"}]}', json)).toContain('base64')
    expect(refused('{"messages":["a"]}', json)).toContain('an object')
    expect(refused('{"messages":[{"body":1', json)).toContain('not valid JSON')
    expect(refused('{"body":"a"}\n{oops', 'application/x-ndjson')).toContain('Line 2')
    expect(refused('', 'application/x-ndjson')).toContain('no messages')
    expect(refused('[1]', json, true)).toContain('A batch is')
    expect(refused(`{"messages":[${Array.from({ length: 10_001 }, () => '{"body":""}').join()}]}`, json)).toContain('10000')
  })
})

test('a retry policy becomes a header, of one message and of each of a batch', () => {
  const retry = { maxAttempts: 5, backoff: { kind: 'exponential', initialMs: 100, jitter: 0.5 } } as const
  const headers = { 'millrace-retry': '{"maxAttempts":5,"backoff":{"kind":"exponential","initialMs":100,"jitter":0.5}}' }
  expect(shown(read('x', { retry }))).toMatchObject([{ headers }])
  const batch = JSON.stringify({ messages: [{ body: 'a', retry }, { body: 'b', retry: {} }, { body: 'c' }] })
  const messages = shown(read(batch, { contentType: 'application/json' }))
  expect(messages).toMatchObject([{ headers }, { headers: {} }, { headers: {} }])
  expect(Object.keys((messages[1] as { headers: object }).headers)).toEqual([])
})

test.each([
  [{ maxAttempts: 0 }, 'maxAttempts'],
  [{ maxAttempts: 2_000_000 }, 'retry.maxAttempts must be a whole number from 1 to 1000000'],
  [{ backoff: { kind: 'linear', initialMs: 5 } }, 'kind'],
  [{ backoff: { kind: 'fixed', initialMs: 1e15 } }, 'retry.backoff.initialMs must be a whole number from 1 to'],
  [{ tries: 5 }, 'tries'],
])('the policy %j is refused where it stands', (retry, place) => {
  const batch = JSON.stringify({ messages: [{ body: 'a' }, { body: 'b', retry }] })
  const atPlace = expect.objectContaining({
    code: 'bad_request',
    message: expect.stringMatching(/message 2 of the batch/) as string,
  })
  expect(() => read(batch, { contentType: 'application/json' })).toThrow(atPlace)
  expect(() => read(batch, { contentType: 'application/json' })).toThrow(place)
})
