import { expect, test } from 'vitest'
import { HttpOfFile } from '../../../test/harness/http-of-file.ts'

const http = new HttpOfFile()

interface Answer {
  readonly status: number
  readonly body: { readonly messages: readonly { readonly headers: object; readonly handle: string }[] }
}

async function call(method: string, path: string, body?: object | string): Promise<Answer> {
  return await http.call(method, path, body)
}

test('a message says itself how often and after which waits it is delivered again', async () => {
  const query = 'maxAttempts=4&backoff=exponential:1s..1m,factor=3,jitter=0.5'
  expect(await call('POST', `/v1/queues/own/messages?${query}`, 'x')).toMatchObject({ status: 201 })
  await call('POST', '/v1/queues/own/messages', { messages: [{ body: 'y', retry: { maxAttempts: 1 } }] })
  const { messages } = (await call('GET', '/v1/queues/own/messages')).body
  const backoff = { kind: 'exponential', initialMs: 1000, maxMs: 60_000, factor: 3, jitter: 0.5 }
  expect(messages.map(({ headers }) => headers)).toMatchObject([
    { 'millrace-retry': JSON.stringify({ maxAttempts: 4, backoff }) },
    { 'millrace-retry': '{"maxAttempts":1}' },
  ])
  const [, last] = (await call('POST', '/v1/queues/own/messages/receive?max=2')).body.messages
  const nack = { handles: [last!.handle], outcome: 'nack' }
  expect(await call('POST', '/v1/queues/own/messages/settle', nack)).toMatchObject({ status: 200 })
  expect((await call('GET', '/v1/queues/own')).body).toMatchObject({ ready: 0, inFlight: 1, counters: { dropped: 1 } })
})

test('what is no policy is a bad request', async () => {
  for (const wrong of [
    'maxAttempts=0',
    'maxAttempts=9999999',
    'backoff=soon',
    'backoff=fixed:2000d',
    'backoff=fixed:1s,jitter=2',
  ]) {
    const detail: unknown = expect.stringMatching(/maxAttempts|backoff/)
    const answer = await call('POST', `/v1/queues/none/messages?${wrong}`, 'x')
    expect(answer).toMatchObject({ status: 400, body: { code: 'bad_request', detail } })
  }
})

test('transactions and multicasts publish such messages', async () => {
  const retry = { maxAttempts: 1 }
  await call('POST', '/v1/transactions', { publish: [{ to: ['queue:both'], body: 'a', retry }] })
  await call('POST', '/v1/multicast', { to: ['queue:both'], body: 'b', retry })
  const { messages } = (await call('GET', '/v1/queues/both/messages')).body
  expect(messages).toMatchObject([
    { headers: { 'millrace-retry': '{"maxAttempts":1}' } },
    { headers: { 'millrace-retry': '{"maxAttempts":1}' } },
  ])
})

test('a time that has passed is refused', async () => {
  for (const query of ['delayMs=-1', 'deliverAtMs=1000', 'deliverAtMs=-5', `deliverAtMs=${Date.now() - 2000}`]) {
    const detail: unknown = expect.stringContaining('To publish the message now, leave it out')
    const answer = await call('POST', `/v1/queues/later/messages?${query}`, 'x')
    expect(answer).toMatchObject({ status: 400, body: { code: 'time_in_past', detail } })
  }
})
