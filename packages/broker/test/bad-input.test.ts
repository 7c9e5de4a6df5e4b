import { readFile } from 'node:fs/promises'
import { connect, type Millrace, MillraceError, queue } from '@millrace/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { commandsFor } from './harness/run-command.ts'

let broker: BrokerProcess
let client: Millrace
let run: ReturnType<typeof commandsFor>
let catalogue: string

beforeAll(async () => {
  broker = await BrokerProcess.start()
  client = await connect(broker.url)
  run = commandsFor(broker.url)
  catalogue = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
})

afterAll(async () => {
  await client.close()
  await broker.stop()
})

/** Of a call that must fail with a code that the catalogue explains. */
async function failure(promise: PromiseLike<unknown>): Promise<Pick<MillraceError, 'code' | 'message'>> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(MillraceError)
  const { code, message } = error as MillraceError
  expect(catalogue).toContain(`### \`${code}\``)
  return { code, message }
}

async function http(method: string, path: string, body?: unknown): Promise<object> {
  const response = await fetch(`${broker.httpUrl}/v1/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const answer = (await response.json()) as { code?: string; detail?: string }
  return { status: response.status, code: answer.code, message: answer.detail }
}

test('a bad selector: the place is shown, wherever it is given', async () => {
  const expected = { code: 'bad_selector', message: expect.stringContaining('wrong at column 10: expected') }
  await client.queue('mail').publish('x')
  await client.topic('events').publish('x')
  const filter = 'colour = = 3'
  expect(await failure(client.queue('mail').peek({ filter }))).toEqual(expected)
  expect(await failure(client.admin.createSubscription({ topic: 'events', name: 'some', delivery: { filter } }))).toEqual(
    expected,
  )
  expect(await failure(client.admin.redrive('mail', { filter }))).toEqual(expected)
  expect(await http('GET', `queues/mail/messages?filter=${encodeURIComponent(filter)}`)).toEqual({ status: 400, ...expected })
  expect(await http('POST', 'queues/mail/redrive', { filter })).toEqual({ status: 400, ...expected })
  for (const command of [
    ['peek', 'queue:mail'],
    ['sub', 'topic:events', '--count', '1'],
    ['subscription', 'create', 'events/some'],
    ['dlq', 'redrive', 'mail'],
    ['queue', 'move', 'mail', 'queue:other'],
  ])
    expect(await run([...command, '--filter', filter])).toMatchObject({ code: 2, stderr: expected.message })
})

test('an unknown policy: what is wrong with it, and what there is', async () => {
  const unknown = { code: 'bad_request', message: expect.stringMatching(/retryPolicy.*not a known.*`backoff`/s) }
  const delivery = { retryPolicy: 'exponential' }
  expect(await failure(client.admin.createQueue({ name: 'unknown', delivery: delivery as object }))).toEqual(unknown)
  expect(await http('PUT', 'queues/unknown', { delivery })).toEqual({ status: 400, ...unknown })
  const wrong = { code: 'bad_request', message: expect.stringMatching(/kind.*fixed.*exponential/s) }
  const backoff = { kind: 'fibonacci' as 'fixed', initialMs: 5 }
  expect(await failure(client.admin.createQueue({ name: 'unknown', delivery: { backoff } }))).toEqual(wrong)
  expect(await http('PUT', 'queues/unknown', { delivery: { backoff } })).toEqual({ status: 400, ...wrong })
  for (const [option, value, known] of [
    ['--backoff', 'fibonacci:5s', 'fixed:5s, exponential:100ms'],
    ['--order', 'random', 'none, key, strict'],
    ['--overflow', 'spill', 'drop-head'],
  ])
    expect(await run(['queue', 'create', 'unknown', option!, value!])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(known!),
    })
  expect(await http('GET', 'queues/unknown')).toMatchObject({ status: 404 })
})

test('a delay that lies in the past', async () => {
  const expected = { code: 'time_in_past', message: expect.stringMatching(/is -5: that time has passed.*now, leave it out/s) }
  expect(await failure(client.queue('mail').publish('x', { delayMs: -5 }))).toEqual(expected)
  expect(await http('POST', 'queues/mail/messages?delayMs=-5', 'x')).toEqual({ status: 400, ...expected })
  expect(await run(['pub', 'queue:mail', 'x', '--delay', '-5s'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("'-5s' is invalid"),
  })
  const past = { code: 'time_in_past', message: expect.stringMatching(/that time has passed.*now, leave it out/s) }
  expect(await failure(client.queue('mail').publish('x', { deliverAt: new Date('2020-01-01') }))).toEqual(past)
  expect(await http('POST', 'queues/mail/messages?deliverAtMs=5', 'x')).toEqual({ status: 400, ...past })
  for (const more of [[], ['--count', '3']])
    expect(await run(['pub', 'queue:mail', 'x', '--at', '2020-01-01T00:00:00Z', ...more])).toMatchObject({
      code: 2,
      stderr: past.message,
    })
})

test('a handle that is used twice', async () => {
  await client.queue('twice').publishBatch([{ body: 'a' }, { body: 'b' }])
  const [message] = await client.queue('twice').pull({ max: 1, waitMs: 10_000 })
  await message!.ack()
  const again = { code: 'stale_delivery', message: expect.stringContaining('it was settled before') }
  expect(await failure(message!.ack())).toEqual(again)
  expect(await failure(message!.nack())).toEqual(again)
  expect(await failure(client.transaction((tx) => tx.ack(message!)))).toEqual(again)

  const response = await fetch(`${broker.httpUrl}/v1/queues/twice/messages/receive?waitMs=10000`, { method: 'POST' })
  const { messages } = (await response.json()) as { messages: { handle: string }[] }
  const { handle } = messages[0]!
  const settle = { handles: [handle], outcome: 'ack' }
  expect(await http('POST', 'queues/twice/messages/settle', settle)).toMatchObject({ status: 200 })
  expect(await http('POST', 'queues/twice/messages/settle', settle)).toMatchObject({ status: 409, code: 'stale_delivery' })
  expect(await http('DELETE', `queues/twice/messages/${handle}`)).toMatchObject({ status: 409, code: 'stale_delivery' })
  expect(await http('POST', 'transactions', { settle: [settle] })).toMatchObject({ status: 409, code: 'stale_delivery' })
  expect(await client.admin.queue('twice')).toMatchObject({ ready: 0, inFlight: 0, counters: { acked: 2 } })
})

test('a transaction after its timeout', async () => {
  const late = client.transaction(
    async (tx) => {
      tx.publish('queue:late', 'x')
      await new Promise((resolve) => tx.signal.addEventListener('abort', resolve))
      // Too late for this, too.
      expect(() => tx.publish('queue:late', 'y')).toThrow('This transaction is over')
    },
    { timeoutMs: 20 },
  )
  expect(await failure(late)).toEqual({ code: 'transaction_timeout', message: expect.stringContaining('20') })
  expect(await failure(client.admin.queue('late'))).toMatchObject({ code: 'not_found' })
})

test('a body that does not have its shape', async () => {
  await client.admin.createQueue({ name: 'unreadable' })
  const orders = queue('shaped', {
    schema: z.object({ id: z.number(), to: z.string() }),
    delivery: { deadLetter: 'queue:unreadable', maxAttempts: 5 },
  })
  await orders.declare(client)
  const expected = { code: 'schema_mismatch', message: expect.stringMatching(/shaped.*\bid\b/s) }
  expect(await failure(client.use(orders).publish({ id: 'seven' as never, to: 'ann' }))).toEqual(expected)
  await client.queue('shaped').publish({ id: 'seven', to: 'ann' })
  await client.queue('shaped').publish('{ not even JSON')
  expect(await client.use(orders).pull({ waitMs: 10_000, max: 2 })).toEqual([])
  await expect.poll(async () => (await client.admin.queue('unreadable')).ready).toBe(2)
  const { stdout } = await run(['dlq', 'inspect', 'unreadable', '-o', 'json'])
  expect(JSON.parse(stdout)).toMatchObject([
    { death: { reason: 'rejected', attempts: 1, error: expect.stringMatching(/shaped.*\bid\b/s) } },
    { death: { reason: 'rejected', attempts: 1 } },
  ])
})
