import { type DeathEntry, encodeBatch } from '@millrace/wire'
import { beforeEach, expect, test } from 'vitest'
import { TestBroker, headersOf } from '../../../test/core/harness.ts'
import type { QueueSpec } from '../broker.ts'

let t: TestBroker

beforeEach(async () => {
  t = await TestBroker.open()
})

function queue(name: string, spec: Omit<QueueSpec, 'name'> = {}): void {
  t.broker.createQueue({ name, ...spec })
}

function exchange(name: string, ...bindings: readonly (readonly [key: string, queue: string])[]): void {
  t.broker.router.createExchange({ name, type: 'direct' })
  for (const [key, to] of bindings) t.broker.router.bind({ source: name, destination: `queue:${to}`, key })
}

/** Consumes one message and rejects it. */
async function reject(name: string): Promise<void> {
  const consumer = t.consume(`queue:${name}`, 1)
  await t.settle()
  expect(consumer.messages).toHaveLength(1)
  consumer.consumer.settle(0, consumer.messages[0]!.offset, consumer.messages[0]!.offset, { kind: 'reject' })
  consumer.consumer.close()
  await t.settle()
}

interface Shown {
  readonly key: string | null
  readonly value: string | null
  readonly headers: Record<string, string>
  readonly history: unknown
}

async function lettersOf(name: string): Promise<readonly Shown[]> {
  const reader = t.read(`queue:${name}`, 'earliest')
  await t.settle()
  return reader.messages.map(({ value, record }) => {
    const headers = headersOf(record)
    const history = headers['millrace-dead-history']
    const key = record.key === null ? null : new TextDecoder().decode(record.key)
    return { key, value, headers, history: history === undefined ? undefined : JSON.parse(history) }
  })
}

async function values(name: string): Promise<readonly (string | null)[]> {
  return (await lettersOf(name)).map(({ value }) => value)
}

test('a letter is routed by the key of the policy, and says so', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:dlx/failed' } })
  queue('dead')
  exchange('dlx', ['failed', 'dead'])
  t.publishKeyed('queue:work', -1, [['order 7', 'm']])
  await reject('work')
  const [letter] = await lettersOf('dead')
  expect(letter).toMatchObject({
    key: 'failed',
    value: 'm',
    headers: { exchange: 'dlx', 'millrace-dead-reason': 'rejected', 'millrace-dead-source': 'queue:work' },
  })
  expect(letter!.history).toEqual([
    { source: 'queue:work', reason: 'rejected', count: 1, firstMs: expect.any(Number), exchange: '', keys: ['order 7'] },
  ])
  expect(t.broker.queue('work').counters).toMatchObject({ deadLettered: 1, dropped: 0 })
})

test('or else by its own key, or else by the name of the queue', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:dlx' } })
  queue('by-key')
  queue('by-name')
  exchange('dlx', ['k', 'by-key'], ['work', 'by-name'])
  t.publishKeyed('queue:work', -1, [
    ['k', 'm'],
    [null, 'n'],
  ])
  const batch = encodeBatch([
    { timestampMs: 0, value: new TextEncoder().encode('o'), headers: [{ key: 'exchange', value: 'x' }] },
  ])
  t.broker.destination('queue:work', false).publish(0, batch)
  for (let n = 0; n < 3; n++) await reject('work')
  expect(await lettersOf('by-key')).toMatchObject([{ key: 'k', value: 'm' }])
  expect(await lettersOf('by-name')).toMatchObject([{ key: 'work', value: 'n' }])
  // Published through an exchange with an empty key: that is its key.
  expect(t.broker.queue('work').counters).toMatchObject({ deadLettered: 2, dropped: 1 })
})

test('the default exchange finds queues by name', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:/dead' } })
  queue('dead')
  t.publish('queue:work', 'm')
  await reject('work')
  const [letter] = await lettersOf('dead')
  expect(letter).toMatchObject({ key: null, value: 'm' })
  expect(letter!.headers).not.toHaveProperty('exchange')
})

test('where there is no such exchange, or nothing takes them, letters are dropped and counted', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:none' } })
  t.publish('queue:work', '1', '2')
  await reject('work')
  exchange('none')
  await reject('work')
  expect(t.broker.queue('work').counters).toMatchObject({ deadLettered: 0, dropped: 2 })
  expect(t.broker.queue('work').ready).toBe(0)
  expect(t.warnings).toEqual([])
})

test('letters of one batch go different ways, each once', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:dlx' } })
  for (const name of ['a', 'b']) queue(name)
  queue('levels', { priorities: 3 })
  exchange('dlx', ['a', 'a'], ['b', 'b'], ['both', 'a'], ['both', 'b'], ['both', 'levels'])
  t.publishKeyed(
    'queue:work',
    -1,
    ['a', 'none', 'a', 'both', 'both', 'none', 'b'].map((key, n) => [key, String(n)] as const),
  )
  const consumer = t.consume('queue:work')
  await t.settle()
  consumer.consumer.settle(0, 0, 6, { kind: 'reject' })
  await t.settle()
  await t.crash()
  expect(await values('a')).toEqual(['0', '2', '3', '4'])
  expect(await values('b')).toEqual(['3', '4', '6'])
  expect(await values('levels')).toEqual(['3', '4'])
  expect(t.broker.queue('work').counters).toMatchObject({ deadLettered: 5, dropped: 2 })
})

test('expired messages round in a circle are dropped where they died already', async () => {
  exchange('dlx')
  queue('a', { delivery: { ttlMs: 1000, deadLetter: 'exchange:dlx/k' } })
  queue('b')
  for (const name of ['a', 'b']) t.broker.router.bind({ source: 'dlx', destination: `queue:${name}`, key: 'k' })
  t.publish('queue:a', 'm')
  await t.advance(30_000)
  expect(t.broker.queue('a').ready).toBe(0)
  expect(await lettersOf('b')).toMatchObject([{ value: 'm', headers: { 'millrace-dead-reason': 'expired' } }])
  expect(t.broker.queue('a').counters).toMatchObject({ deadLettered: 1 })
})

test('a circle in which a consumer rejects goes on for as long as it does, and the history counts', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:/retry' } })
  queue('retry', { delivery: { ttlMs: 1000, deadLetter: 'exchange:/work' } })
  t.publishKeyed('queue:work', -1, [['order 1', 'm']])
  for (let round = 0; round < 40; round++) {
    await reject('work')
    expect(t.broker.queue('retry').ready).toBe(1)
    await t.advance(5000)
    expect(t.broker.queue('work').ready).toBe(1)
  }
  const [letter] = await lettersOf('work')
  expect(letter!.history).toEqual([
    { source: 'queue:retry', reason: 'expired', count: 40, firstMs: expect.any(Number), exchange: '', keys: ['retry'] },
    { source: 'queue:work', reason: 'rejected', count: 40, firstMs: expect.any(Number), exchange: '', keys: ['order 1'] },
  ])
})

test('the history tells how long the message had to live', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:/dead' } })
  queue('dead')
  const nowMs = t.platform.clock.nowMs()
  const headers = [{ key: 'expires-at', value: String(nowMs + 1500) }]
  t.broker.destination('queue:work', false).publish(0, encodeBatch([{ timestampMs: nowMs, value: new Uint8Array(1), headers }]))
  await t.advance(20_000)
  const [letter] = await lettersOf('dead')
  expect(letter!.history).toMatchObject([{ reason: 'expired', expiration: '1500' }])
  expect(letter!.headers).not.toHaveProperty('expires-at')
})

test('a redrive takes letters back as they were published', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:dlx/failed' } })
  queue('dead')
  exchange('dlx', ['failed', 'dead'])
  exchange('x', ['k', 'work'])
  t.broker.destination('exchange:x/k', false).publish(0, encodeBatch([{ timestampMs: 0, value: new TextEncoder().encode('m') }]))
  t.publish('queue:work', 'n')
  t.publishKeyed('queue:work', -1, [['own', 'o']])
  for (let n = 0; n < 3; n++) await reject('work')
  expect(await lettersOf('dead')).toHaveLength(3)
  t.broker.redrive({ source: 'queue:dead' })
  await t.settle()
  const back = await lettersOf('work')
  expect(back).toMatchObject([
    { key: 'k', value: 'm', headers: { exchange: 'x' } },
    { key: null, value: 'n' },
    { key: 'own', value: 'o' },
  ])
  for (const { history } of back) expect(history).toBeUndefined()
  expect(back[1]!.headers).not.toHaveProperty('exchange')
})

test.each(['exchange:a\u0000', 'exchange:' + 'x'.repeat(256)])('%j is no exchange for dead letters', (deadLetter) => {
  expect(() => queue('work', { delivery: { deadLetter } })).toThrow(expect.objectContaining({ code: 'illegal_name' }))
})

function batchOf(...texts: readonly string[]): Uint8Array {
  const encoder = new TextEncoder()
  return encodeBatch(texts.map((text) => ({ timestampMs: 0, value: encoder.encode(text) })))
}

// ---- refused, and to the dead letters -------------------------------------------------------------------------------

test('what a full queue refuses goes to its dead letters, and the publisher is told', async () => {
  queue('work', { limits: { messages: 2, overflow: 'reject-dead-letter' }, delivery: { deadLetter: 'exchange:/dead' } })
  queue('dead')
  const destination = t.broker.destination('queue:work', false)
  destination.publishWhatFits(0, batchOf('1', '2', '3'))
  expect(destination.refused).toMatchObject([{ position: 2, error: { code: 'queue_full' } }])
  expect(() => destination.publish(0, batchOf('4', '5'))).toThrow(expect.objectContaining({ code: 'queue_full' }))
  expect(() => destination.publishWhatFits(0, batchOf('6'))).toThrow(expect.objectContaining({ code: 'queue_full' }))
  t.broker.router.createExchange({ name: 'x', type: 'fanout' })
  t.broker.router.bind({ source: 'x', destination: 'queue:work', key: '' })
  expect(t.broker.destination('exchange:x', false).publishWhatFits(0, batchOf('7'))).toBe(-1)
  const letters = await lettersOf('dead')
  expect(letters.map(({ value }) => value)).toEqual(['3', '4', '5', '6', '7'])
  expect(letters[0]!.headers).toMatchObject({
    'millrace-dead-reason': 'overflow',
    'millrace-dead-attempts': '0',
    'millrace-dead-offset': '-1',
  })
  expect((await lettersOf('work')).map(({ value }) => value)).toEqual(['1', '2'])
  // A transaction that is refused has changed nothing.
  expect(() => t.broker.transact([{ kind: 'publish', to: destination, partition: 0, batch: batchOf('8') }])).toThrow('full')
  expect(t.broker.queue('dead').ready).toBe(5)
})

test('such letters go to queues and topics as well', async () => {
  queue('work', { limits: { messages: 1, overflow: 'reject-dead-letter' }, delivery: { deadLetter: 'queue:dead' } })
  t.publish('queue:work', '1')
  expect(() => t.publish('queue:work', '2')).toThrow('full')
  expect((await lettersOf('dead')).map(({ value, history }) => [value, history])).toEqual([['2', undefined]])
})

test('the default exchange of a virtual host finds queues there by the keys that letters have', async () => {
  queue('v::work', { delivery: { deadLetter: 'exchange:v::' } })
  queue('v::failed')
  queue('failed')
  t.publishKeyed('queue:v::work', -1, [['failed', 'm']])
  await reject('v::work')
  expect(await lettersOf('v::failed')).toMatchObject([{ key: null, value: 'm' }])
  expect(await values('failed')).toEqual([])
})

test('the key of what was published to a queue of a virtual host is its name there', async () => {
  queue('v::work', { delivery: { deadLetter: 'exchange:v::dlx' } })
  queue('v::dead')
  exchange('v::dlx', ['work', 'v::dead'])
  t.publishKeyed('queue:v::work', -1, [[null, 'm']])
  await reject('v::work')
  expect(await lettersOf('v::dead')).toMatchObject([{ key: 'work', value: 'm', headers: { exchange: 'v::dlx' } }])
})

// ---- delayed exchanges ----------------------------------------------------------------------------------------------

function publishDelayed(to: string, key: string, value: string, delay: string): void {
  const record = {
    timestampMs: t.platform.clock.nowMs(),
    key: new TextEncoder().encode(key),
    value: new TextEncoder().encode(value),
  }
  const headers = [{ key: 'x-delay', value: delay }]
  t.broker.destination(to, false).publish(0, encodeBatch([{ ...record, headers }]))
}

test('letters wait in delayed exchanges as their header says, once, and those without do not', async () => {
  for (const name of ['later', 'again']) t.broker.router.createExchange({ name, type: 'direct', delayed: true })
  queue('work', { delivery: { deadLetter: 'exchange:later' } })
  queue('now')
  queue('dead', { delivery: { deadLetter: 'exchange:again' } })
  queue('end')
  t.broker.router.bind({ source: 'later', destination: 'queue:dead', key: 'k' })
  t.broker.router.bind({ source: 'again', destination: 'queue:end', key: 'k' })
  for (const [value, delay] of [
    ['1', '5000'],
    ['2', '0'],
    ['3', '5000'],
    ['4', '9000'],
    ['5', '-3'],
  ] as const)
    publishDelayed('queue:work', 'k', value, delay)
  for (let n = 0; n < 5; n++) await reject('work')
  expect(t.broker.queue('work').counters).toMatchObject({ deadLettered: 5, dropped: 0 })
  expect([await values('dead'), t.broker.stats().scheduledMessages]).toEqual([['2', '5'], 3])
  await t.advance(4900)
  expect(await values('dead')).toEqual(['2', '5'])
  await t.crash()
  await t.advance(200)
  expect(await values('dead')).toEqual(['2', '5', '1', '3'])
  await t.advance(4000)
  const letters = await lettersOf('dead')
  expect(letters.map(({ value, headers }) => [value, headers['x-delay']])).toEqual([
    ['2', '0'],
    ['5', '-3'],
    ['1', '-5000'],
    ['3', '-5000'],
    ['4', '-9000'],
  ])
  expect(letters[2]).toMatchObject({ key: 'k', headers: { exchange: 'later', 'millrace-dead-reason': 'rejected' } })
  for (let n = 0; n < 5; n++) await reject('dead')
  expect([await values('end'), t.broker.stats().scheduledMessages]).toEqual([['2', '5', '1', '3', '4'], 0])
})

test('a delayed exchange behind a delayed exchange does not keep a message again', async () => {
  for (const name of ['first', 'second']) t.broker.router.createExchange({ name, type: 'fanout', delayed: true })
  queue('q')
  t.broker.router.bind({ source: 'first', destination: 'exchange:second', key: '' })
  t.broker.router.bind({ source: 'second', destination: 'queue:q', key: '' })
  publishDelayed('exchange:first', 'k', 'm', '1000')
  await t.advance(990)
  expect(await values('q')).toEqual([])
  await t.advance(20)
  expect(await lettersOf('q')).toMatchObject([{ value: 'm', headers: { 'x-delay': '-1000' } }])
})

test('a letter that nothing takes when it has waited is dropped then, and counted by the exchange', async () => {
  t.broker.router.createExchange({ name: 'later', type: 'direct', delayed: true })
  queue('work', { delivery: { deadLetter: 'exchange:later' } })
  publishDelayed('queue:work', 'k', 'm', '1000')
  await reject('work')
  expect(t.broker.queue('work').counters).toMatchObject({ deadLettered: 1, dropped: 0 })
  await t.advance(2000)
  expect(t.broker.router.exchange('later').counters).toMatchObject({ unroutable: 1 })
  expect(t.broker.stats().scheduledMessages).toBe(0)
})

// ---- more keys ------------------------------------------------------------------------------------------------------

function publishWithKeys(to: string, key: string, value: string, moreKeys: string, delay?: string): void {
  const headers = [
    { key: 'millrace-more-keys', value: moreKeys },
    ...(delay === undefined ? [] : [{ key: 'x-delay', value: delay }]),
  ]
  const record = { timestampMs: 0, key: new TextEncoder().encode(key), value: new TextEncoder().encode(value), headers }
  t.broker.destination(to, false).publish(0, encodeBatch([record]))
}

test('letters are routed by all keys of the message, once to each queue, and the history tells them', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:dlx' } })
  for (const name of ['a', 'b', 'c']) queue(name)
  exchange('dlx', ['a', 'a'], ['b', 'b'], ['b', 'a'], ['c', 'c'])
  publishWithKeys('queue:work', 'a', '1', '["b"]')
  publishWithKeys('queue:work', 'none', '2', '["c", 7, "b"]')
  publishWithKeys('queue:work', 'a', '3', '{"b": 1}')
  publishWithKeys('queue:work', 'c', '4', '["b"')
  for (let n = 0; n < 4; n++) await reject('work')
  expect([await values('a'), await values('b'), await values('c')]).toEqual([
    ['1', '2', '3'],
    ['1', '2'],
    ['2', '4'],
  ])
  const histories = (await lettersOf('a')).map(({ history }) => (history as readonly DeathEntry[])[0]!.keys)
  expect(histories).toEqual([['a', 'b'], ['none', 'c', 'b'], ['a']])
  expect((await lettersOf('b'))[0]).toMatchObject({ key: 'a', headers: { 'millrace-more-keys': '["b"]' } })
})

test('by the key of the policy alone, if it has one, and then also when they die again; a redrive brings the others back', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:dlx/failed' } })
  queue('dead', { delivery: { deadLetter: 'exchange:dlx' } })
  queue('b')
  exchange('dlx', ['failed', 'dead'], ['b', 'b'])
  publishWithKeys('queue:work', 'k', 'm', '["b"]')
  await reject('work')
  const [letter] = await lettersOf('dead')
  expect(letter!.headers).not.toHaveProperty('millrace-more-keys')
  expect(letter!.history).toMatchObject([{ keys: ['k', 'b'] }])
  t.broker.redrive({ source: 'queue:dead' })
  await t.settle()
  expect(await lettersOf('work')).toMatchObject([{ key: 'k', value: 'm', headers: { 'millrace-more-keys': '["b"]' } }])
  await reject('work')
  await reject('dead')
  expect(await values('b')).toEqual([])
})

test('the default exchange gives letters to the queues of all keys, in virtual hosts to those there', async () => {
  for (const vhost of ['', 'v::']) {
    queue(`${vhost}work`, { delivery: { deadLetter: `exchange:${vhost}` } })
    for (const name of ['a', 'b']) queue(vhost + name)
    publishWithKeys(`queue:${vhost}work`, 'a', `m${vhost}`, '["b"]')
    await reject(`${vhost}work`)
    for (const name of ['a', 'b']) expect(await lettersOf(vhost + name)).toMatchObject([{ key: 'a', value: `m${vhost}` }])
  }
})

test('a message that has waited is routed by all its keys; one that is published anew by its own', async () => {
  t.broker.router.createExchange({ name: 'dlx', type: 'direct', delayed: true })
  queue('work', { delivery: { deadLetter: 'exchange:dlx' } })
  for (const name of ['a', 'b']) {
    queue(name)
    t.broker.router.bind({ source: 'dlx', destination: `queue:${name}`, key: name })
  }
  publishWithKeys('queue:work', 'a', '1', '["b"]', '1000')
  await reject('work')
  await t.advance(1100)
  expect([await values('a'), await values('b')]).toEqual([['1'], ['1']])
  publishWithKeys('exchange:dlx', 'a', '2', '["b"]')
  publishWithKeys('exchange:dlx', 'a', '3', '["b"]', '1000')
  await t.advance(1100)
  expect([await values('a'), await values('b')]).toEqual([['1', '2', '3'], ['1']])
})

test('the history stays small when there are many keys', async () => {
  queue('work', { delivery: { deadLetter: 'exchange:/dead' } })
  queue('dead')
  publishWithKeys('queue:work', 'k', 'm', JSON.stringify(Array.from({ length: 500 }, (_, n) => `key ${n}`)))
  await reject('work')
  expect((await lettersOf('dead'))[0]!.history).toMatchObject([{ source: 'queue:work', keys: ['k'] }])
})
