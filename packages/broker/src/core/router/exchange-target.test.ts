import { encodeBatch, type HeaderToWrite } from '@millrace/wire'
import { beforeEach, expect, test } from 'vitest'
import { TestBroker, headersOf } from '../../../test/core/harness.ts'
import { messageWith } from '../../../test/core/routed-message.ts'
import type { Destination, TransactionAction } from '../broker.ts'

let t: TestBroker

beforeEach(async () => {
  t = await TestBroker.open()
})

/** `key value`, or a value without a key; headers for all of them. */
function batchOf(records: readonly string[], headers: readonly HeaderToWrite[] = []): Uint8Array {
  const encoder = new TextEncoder()
  return encodeBatch(
    records.map((record) => {
      const [key, value] = record.split(' ') as [string, string | undefined]
      const timestampMs = t.platform.clock.nowMs()
      if (value === undefined) return { timestampMs, value: encoder.encode(key), headers }
      return { timestampMs, key: encoder.encode(key), value: encoder.encode(value), headers }
    }),
  )
}

function bound(exchange: string, key: string, ...queues: readonly string[]): void {
  for (const name of queues) {
    t.broker.createQueue({ name })
    t.broker.router.bind({ source: exchange, destination: `queue:${name}`, key })
  }
}

function to(address: string): Destination {
  return t.broker.destination(address, true)
}

async function messagesOf(source: string): Promise<readonly string[]> {
  const reader = t.read(source, 'earliest')
  await t.settle()
  return reader.messages.map(
    ({ value, record }) => `${record.key === null ? '-' : new TextDecoder().decode(record.key)} ${value}`,
  )
}

test('each record goes by its key, and says which exchange it came by', async () => {
  t.broker.router.createExchange({ name: 'orders/eu', type: 'topic' })
  bound('orders/eu', 'paid.*', 'paid')
  bound('orders/eu', '#', 'all')
  const destination = to('exchange:orders%2Feu')
  expect([destination.kind, destination.name, destination.partitions]).toEqual(['exchange', 'orders/eu', 1])
  expect(destination.publish(-1, batchOf(['paid.1 a', 'sent.1 b', 'paid.2 c', 'd']))).toBe(-1)
  expect(await messagesOf('queue:paid')).toEqual(['paid.1 a', 'paid.2 c'])
  expect(await messagesOf('queue:all')).toEqual(['paid.1 a', 'sent.1 b', 'paid.2 c', '- d'])
  const reader = t.read('queue:all', 'earliest')
  await t.settle()
  expect(reader.messages.map(({ record }) => headersOf(record))).toEqual(
    Array.from({ length: 4 }, () => ({ exchange: 'orders/eu' })),
  )
  expect(t.broker.router.exchange('orders/eu').counters).toEqual({ in: 4, out: 6, unroutable: 0 })
})

test('a key in the address is that of all messages', async () => {
  t.broker.router.createExchange({ name: 'x', type: 'direct' })
  bound('x', 'a/b', 'q')
  to('exchange:x/a/b').publish(0, batchOf(['other m', 'n']))
  expect(await messagesOf('queue:q')).toEqual(['a/b m', 'a/b n'])
})

test('the default exchange gives messages to queues by name, as they are', async () => {
  t.broker.createQueue({ name: 'q' })
  to('exchange:/q').publish(0, batchOf(['k m', 'n']))
  to('exchange:').publish(0, batchOf(['q o']))
  expect(await messagesOf('queue:q')).toEqual(['k m', '- n', 'q o'])
  expect(() => to('exchange:/none').publish(0, batchOf(['m']))).toThrow(expect.objectContaining({ code: 'unroutable' }))
})

test('headers exchanges go by the headers of each record', async () => {
  t.broker.router.createExchange({ name: 'x', type: 'headers' })
  t.broker.createQueue({ name: 'q' })
  t.broker.router.bind({
    source: 'x',
    destination: 'queue:q',
    key: '',
    match: { mode: 'all', headers: { level: 3, area: 'eu' } },
  })
  const destination = to('exchange:x')
  destination.publish(
    0,
    batchOf(
      ['m'],
      [
        { key: 'level', value: '3' },
        { key: 'area', value: 'eu' },
      ],
    ),
  )
  expect(() => destination.publish(0, batchOf(['n'], [{ key: 'level', value: '4' }]))).toThrow('no binding')
  expect(await messagesOf('queue:q')).toEqual(['- m'])
})

test('what nothing takes is refused, and the rest with it unless told of each record', async () => {
  t.broker.router.createExchange({ name: 'x', type: 'direct' })
  bound('x', 'a', 'q')
  const destination = to('exchange:x')
  expect(() => destination.publish(0, batchOf(['a 1', 'b 2']))).toThrow(
    expect.objectContaining({ code: 'unroutable', retryable: false }),
  )
  expect(await messagesOf('queue:q')).toEqual([])
  destination.publishWhatFits(0, batchOf(['a 1', 'b 2', 'c 3', 'a 4', 'b 5']))
  expect(destination.refused!.map(({ position, records, error }) => [position, records, error.code])).toEqual([
    [1, 2, 'unroutable'],
    [4, 1, 'unroutable'],
  ])
  expect(await messagesOf('queue:q')).toEqual(['a 1', 'a 4'])
  destination.publishWhatFits(0, batchOf(['a 6']))
  expect(destination.refused).toBeUndefined()
  expect(t.broker.router.exchange('x').counters).toEqual({ in: 7, out: 3, unroutable: 4 })
})

test('a queue that is full refuses, and the others get it', async () => {
  t.broker.router.createExchange({ name: 'x', type: 'fanout' })
  bound('x', '', 'small', 'large')
  t.broker.updateQueue('small', { limits: { messages: 1 } })
  const destination = to('exchange:x')
  destination.publishWhatFits(0, batchOf(['1', '2', '3']))
  expect(destination.refused!.map(({ position, records, error }) => [position, records, error.code])).toEqual([
    [1, 2, 'queue_full'],
  ])
  expect(() => destination.publish(0, batchOf(['4']))).toThrow(expect.objectContaining({ code: 'queue_full' }))
  expect(await messagesOf('queue:small')).toEqual(['- 1'])
  expect(await messagesOf('queue:large')).toEqual(['- 1', '- 2', '- 3', '- 4'])
})

test('records that go elsewhere in between do not change the order in any destination', async () => {
  t.broker.router.createExchange({ name: 'x', type: 'topic' })
  bound('x', 'a.#', 'a')
  bound('x', 'b.#', 'b')
  bound('x', '*.both', 'a', 'b')
  const keys = ['a', 'b', 'a', 'a.both', 'a', 'b', 'b.both', 'b', 'a']
  to('exchange:x').publish(0, batchOf(keys.map((key, n) => `${key} ${n}`)))
  expect(await messagesOf('queue:a')).toEqual(['a 0', 'a 2', 'a.both 3', 'a 4', 'b.both 6', 'a 8'])
  expect(await messagesOf('queue:b')).toEqual(['b 1', 'a.both 3', 'b 5', 'b.both 6', 'b 7'])
})

test('internal, missing and deleted exchanges are told apart', () => {
  t.broker.router.createExchange({ name: 'inner', type: 'fanout', internal: true })
  expect(() => to('exchange:inner')).toThrow(expect.objectContaining({ code: 'forbidden' }))
  expect(() => to('exchange:none/key')).toThrow(expect.objectContaining({ code: 'not_found' }))
  t.broker.router.createExchange({ name: 'x', type: 'fanout' })
  const destination = to('exchange:x')
  t.broker.router.deleteExchange('x')
  expect(() => destination.publish(0, batchOf(['m']))).toThrow(expect.objectContaining({ code: 'not_found' }))
})

// ---- later ----------------------------------------------------------------------------------------------------------

test('what is scheduled for an exchange is routed when it is due', async () => {
  t.broker.router.createExchange({ name: 'x', type: 'topic' })
  const id = to('exchange:x/k.1').publishLater(-1, batchOf(['m', 'n']), t.platform.clock.nowMs() + 60_000)
  expect(t.broker.scheduled(id)).toBe('exchange:x')
  expect(t.broker.cancelScheduled(id + 1)).toBe(true)
  bound('x', 'k.*', 'q', 'r')
  await t.settle()
  await t.crash()
  await t.advance(61_000)
  expect(await messagesOf('queue:q')).toEqual(['k.1 m'])
  expect(await messagesOf('queue:r')).toEqual(['k.1 m'])
})

test('what waits for an exchange goes with it, also over a restart that ends it', async () => {
  t.broker.router.createExchange({ name: 'x', type: 'fanout' })
  t.broker.router.createExchange({ name: 'passing', type: 'fanout', durable: false })
  for (const name of ['x', 'passing']) to(`exchange:${name}`).publishLater(-1, batchOf(['m']), t.platform.clock.nowMs() + 5000)
  t.broker.router.deleteExchange('x')
  expect(t.warnings.at(-1)).toContain('exchange:x was deleted with 1 scheduled')
  await t.settle()
  await t.crash()
  expect(t.warnings.at(-1)).toContain('1 scheduled')
  await t.advance(10_000)
  expect(t.broker.stats().scheduledMessages).toBe(0)
})

test('messages wait in a delayed exchange as long as their header says, on whichever way they come', async () => {
  t.broker.router.createExchange({ name: 'later', type: 'direct', delayed: true })
  t.broker.router.createExchange({ name: 'x', type: 'fanout' })
  t.broker.router.bind({ source: 'x', destination: 'exchange:later', key: '' })
  bound('later', 'k', 'q')
  bound('x', '', 'now')
  const source = t.broker.router.source('x')
  expect(source.byHeaders).toBe(true)
  const route = source.route(messageWith('k', { 'x-delay': 2000 }))
  expect(route.destinations.map(({ kind, name }) => `${kind}:${name}`)).toEqual(['queue:now', 'exchange:later'])
  expect(source.route(messageWith('k', { 'x-delay': 3000 }))).not.toBe(route)
  expect(route.publish(batchOf(['k m']))).toBeUndefined()
  to('exchange:later').publish(0, batchOf(['k n'], [{ key: 'x-delay', value: '1000' }]))
  to('exchange:later').publish(0, batchOf(['k o'], [{ key: 'x-delay', value: 'soon' }]))
  // Nobody can tell now whether somebody will take it then.
  to('exchange:later').publish(0, batchOf(['nobody p'], [{ key: 'x-delay', value: '1000' }]))
  await t.settle()
  expect(await messagesOf('queue:now')).toEqual(['k m'])
  expect(await messagesOf('queue:q')).toEqual(['k o'])
  await t.advance(1500)
  expect(await messagesOf('queue:q')).toEqual(['k o', 'k n'])
  await t.advance(1000)
  expect(await messagesOf('queue:q')).toEqual(['k o', 'k n', 'k m'])
  expect(t.broker.router.exchange('later').counters.unroutable).toBe(1)
})

test('what a message has to live counts from when its delay has passed', async () => {
  t.broker.router.createExchange({ name: 'later', type: 'fanout', delayed: true })
  bound('later', '', 'q')
  const nowMs = t.platform.clock.nowMs()
  const headers = [
    { key: 'x-delay', value: '1000' },
    { key: 'expires-at', value: String(nowMs + 500) },
  ]
  to('exchange:later').publish(0, batchOf(['k m'], headers))
  await t.advance(1001)
  const consumer = t.consume('queue:q')
  await t.settle()
  const [message] = consumer.messages
  expect(message!.value).toBe('m')
  expect(message!.record.timestampMs).toBe(nowMs + 1000)
  expect(headersOf(message!.record)).toMatchObject({ 'expires-at': String(nowMs + 1500) })
})

// ---- transactions ---------------------------------------------------------------------------------------------------

test('a transaction publishes through exchanges, all or nothing', async () => {
  t.broker.router.createExchange({ name: 'x', type: 'topic' })
  bound('x', 'a.#', 'a')
  bound('x', '*.both', 'a', 'b')
  t.broker.createQueue({ name: 'direct' })
  const exchange = to('exchange:x')
  const publish = (batch: Uint8Array): unknown =>
    t.broker.transact([
      { kind: 'publish', to: exchange, partition: -1, batch },
      { kind: 'multicast', to: [exchange, to('queue:direct'), to('queue:a')], batch },
    ])
  expect(() => publish(batchOf(['a.1 m', 'none n']))).toThrow(expect.objectContaining({ code: 'unroutable' }))
  t.broker.updateQueue('b', { limits: { messages: 1 } })
  expect(() => publish(batchOf(['a.1 m', 'x.both n']))).toThrow(expect.objectContaining({ code: 'queue_full' }))
  expect(await messagesOf('queue:a')).toEqual([])
  t.broker.updateQueue('b', { limits: {} })
  expect(publish(batchOf(['a.1 m', 'x.both n']))).toEqual([
    [{ partition: 0, baseOffset: -1 }],
    [
      { partition: 0, baseOffset: -1 },
      { partition: 0, baseOffset: 0 },
      { partition: 0, baseOffset: 2 },
    ],
  ])
  expect(await messagesOf('queue:direct')).toEqual(['a.1 m', 'x.both n'])
  expect(await messagesOf('queue:b')).toEqual(['x.both n', 'x.both n'])
  expect((await messagesOf('queue:a')).length).toBe(6)
  expect(t.broker.router.exchange('x').counters).toEqual({ in: 5, out: 6, unroutable: 1 })
})

test('what a transaction publishes to delayed exchanges waits from the commit on; what is refused leaves nothing there', async () => {
  t.broker.router.createExchange({ name: 'later', type: 'direct', delayed: true })
  t.broker.router.createExchange({ name: 'x', type: 'fanout' })
  t.broker.router.bind({ source: 'x', destination: 'exchange:later', key: '' })
  bound('later', 'k', 'q')
  bound('x', '', 'now')
  t.broker.createQueue({ name: 'full', limits: { messages: 1 } })
  t.publish('queue:full', 'm')
  await t.settle()
  const route = t.broker.router.source('x').route(messageWith('k', { 'x-delay': 2000 }))
  const batch = batchOf(['k m'], [{ key: 'x-delay', value: '2000' }])
  const actions: readonly TransactionAction[] = [
    { kind: 'route', route, batch },
    { kind: 'publish', to: to('exchange:x'), partition: -1, batch: batchOf(['k n'], [{ key: 'x-delay', value: '1000' }]) },
    { kind: 'publish', to: to('exchange:later'), partition: -1, batch: batchOf(['k o']) },
  ]
  const refused: TransactionAction = { kind: 'publish', to: to('queue:full'), partition: -1, batch }
  expect(() => t.broker.transact([...actions, refused])).toThrow(expect.objectContaining({ code: 'queue_full' }))
  await t.settle()
  expect(t.broker.stats().scheduledMessages).toBe(0)
  expect(await messagesOf('queue:now')).toEqual([])
  await t.advance(5000)
  const there = [{ partition: 0, baseOffset: -1 }]
  expect(t.broker.transact(actions)).toEqual([[], there, there])
  expect(t.broker.stats().scheduledMessages).toBe(2)
  expect(await messagesOf('queue:now')).toEqual(['k m', 'k n'])
  expect(await messagesOf('queue:q')).toEqual(['k o'])
  await t.advance(1500)
  expect(await messagesOf('queue:q')).toEqual(['k o', 'k n'])
  await t.advance(1000)
  expect(await messagesOf('queue:q')).toEqual(['k o', 'k n', 'k m'])
  expect(t.broker.router.exchange('x').counters).toEqual({ in: 2, out: 2, unroutable: 0 })
})

test('what was deleted after a transaction found its route takes nothing, and the others get all', async () => {
  t.broker.router.createExchange({ name: 'later', type: 'fanout', delayed: true })
  t.broker.router.createExchange({ name: 'x', type: 'fanout' })
  t.broker.router.bind({ source: 'x', destination: 'exchange:later', key: '' })
  bound('x', '', 'a', 'b')
  const route = t.broker.router.source('x').route(messageWith('k', { 'x-delay': 1000 }))
  t.broker.deleteQueue('a')
  t.broker.router.deleteExchange('later')
  t.broker.transact([{ kind: 'route', route, batch: batchOf(['k m'], [{ key: 'x-delay', value: '1000' }]) }])
  expect(t.broker.stats().scheduledMessages).toBe(0)
  expect(await messagesOf('queue:b')).toEqual(['k m'])
})
