import { queue, serializers, tombstone, topic } from '@millrace/client'
import { type KeyedStream, type Stream, streams, type Streams, type TableChange } from '@millrace/streams'
import { testBroker, type TestBroker } from 'millrace/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { anything } from '../test/anything.ts'

const Order = z.object({ id: z.number(), customer: z.string(), total: z.number(), at: z.coerce.date().optional() })
type Order = z.infer<typeof Order>
const orders = topic('orders', { schema: Order, key: ({ customer }) => customer, partitions: 3 })
const customers = topic('customers', {
  schema: z.object({ name: z.string(), city: z.string() }),
  key: (customer) => customer.name,
  partitions: 3,
  cleanup: 'compact',
})
const results = queue('results', { schema: anything<unknown>() })

let broker: TestBroker
let app: Streams

beforeEach(async () => {
  broker = await testBroker()
  app = streams(broker.client, 'shop')
})

afterEach(async () => {
  await app.stop()
  await broker.close()
})

function order(id: number, customer = 'ann', total = 10): Order {
  return { id, customer, total }
}

async function publish(...list: readonly Order[]): Promise<void> {
  for (const each of list) {
    await broker.client.use(orders).publish(each)
    // One after the other: they are in different partitions.
    await broker.clock.settle()
  }
}

describe('streams', () => {
  it('map, filter, flatMap, peek, branch and merge', async () => {
    const peeked: number[] = []
    const { big, rest } = app
      .from(orders)
      .filter(({ id }) => id !== 3)
      .peek(({ id }) => peeked.push(id))
      .branch({ big: ({ total }) => total > 100 })
    big
      .map(({ id }) => `big ${id}`)
      .merge(rest.flatMap(({ id, total }) => (total > 50 ? [`medium ${id}`, `again ${id}`] : [])))
      .to(results)
    await app.start()
    await publish(order(1, 'ann', 500), order(2, 'bob', 60), order(3), order(4), order(5, 'ann', 101))
    expect(broker.published(results).json()).toEqual(['big 1', 'medium 2', 'again 2', 'big 5'])
    expect(peeked).toEqual([1, 2, 4, 5])
    const { processed, operators } = app.info()
    expect(processed).toBe(5)
    expect(operators.map(({ kind, received, emitted }) => [kind, received, emitted])).toEqual([
      ['source', 5, 5],
      ['filter', 5, 4],
      ['peek', 4, 4],
      ['branch', 4, 4],
      ['map', 2, 2],
      ['flatMap', 2, 2],
      ['merge', 4, 4],
      ['to', 4, 4],
    ])
  })

  it('keep key, timestamp and place of a record, and give them to functions', async () => {
    const seen: unknown[] = []
    const copies = topic('copies', { schema: anything<Order>(), partitions: 2 })
    const stream = app.from(orders)
    stream.forEach((_, { key, timestampMs, headers, topic: from, offset }) =>
      seen.push([key, timestampMs, Object.keys(headers), from, offset]),
    )
    stream.to(copies, { headers: ({ id }) => ({ 'order-id': `${id}` }) })
    await app.start()
    await broker.client.use(orders).publish(order(7, 'eve'), { timestampMs: 1234, headers: { source: 'web' } })
    await broker.clock.settle()
    expect(seen).toEqual([['eve', 1234, ['content-type', 'source'], 'orders', 0]])
    const [copy] = await broker.client.topic('copies').peek({ max: 1, partition: broker.published(copies).last!.partition })
    expect(copy).toMatchObject({ timestampMs: 1234 })
    expect(broker.published(copies).last).toMatchObject({ key: 'eve', headers: { 'order-id': '7' } })
  })

  it('get a new key by way of a topic, where equal keys meet, dates and all', async () => {
    const seen: string[] = []
    app
      .from(orders)
      .key('bucket', ({ id }) => `bucket ${id % 2}`)
      .peek(({ at }, { key, topic: from, partition }) => seen.push(`${key} ${from}/${partition} ${at?.getTime()}`))
      .reduce('sums', (sum, { total }) => ({ ...sum, total: sum.total + total }))
      .changes()
      .map(({ key, value }) => [key, value?.total])
      .to(results)
    await app.start()
    for (const [id, customer] of [1, 2, 3, 4, 5].entries()) {
      await broker.client.use(orders).publish({ id, customer: `c${customer}`, total: 1, at: new Date(id) })
    }
    await broker.clock.settle()
    const sums = broker.published(results).json() as readonly (readonly [string, number])[]
    expect(new Map(sums)).toEqual(new Map([['bucket 0', 3], ['bucket 1', 2]])) // prettier-ignore
    expect(seen.toSorted()[0]).toMatch(/^bucket 0 shop\.key\.bucket\/\d 0$/)
    expect(new Set(seen.map((text) => text.replace(/ \d+$/, ''))).size).toBe(2)
    expect((await broker.client.admin.topic('shop.key.bucket')).partitions).toBe(3)
  })
})

describe('tables', () => {
  it('answer queries with what is committed, and tell changes', async () => {
    const changes: TableChange<number>[] = []
    const perCustomer = app.from(orders).byKey().count('per-customer')
    perCustomer.changes().forEach((change) => changes.push(change))
    expect(() => perCustomer.get('ann')).toThrow('shop: per-customer cannot be asked: shop is new.')
    await app.start()
    await broker.clock.settle()
    expect(perCustomer.get('ann')).toBeUndefined()
    await publish(order(1, 'ann'), order(2, 'bob'), order(3, 'ann'))
    expect(perCustomer.get('ann')).toBe(2)
    expect(new Map(perCustomer.entries())).toEqual(new Map([['ann', 2], ['bob', 1]])) // prettier-ignore
    expect(changes).toEqual([
      { key: 'ann', value: 1, previous: undefined },
      { key: 'bob', value: 1, previous: undefined },
      { key: 'ann', value: 2, previous: 1 },
    ])
    expect(app.info().operators.find(({ name }) => name === 'per-customer')).toMatchObject({ entries: 2 })
  })

  it('do not let functions change state in place', async () => {
    app
      .from(orders)
      .byKey()
      .aggregate('ids', {
        initial: () => ({ ids: [] as number[] }),
        add: (state, { id }) => {
          state.ids.push(id)
          return state
        },
      })
    await app.start()
    await publish(order(1), order(2))
    await expect(app.done).rejects.toThrow(/^shop: ids failed at topic:orders partition \d offset 1: .*not extensible/)
  })

  it('join streams: inner and left, tombstones take keys away', async () => {
    const table = app.table(customers)
    const stream = app.from(orders).byKey()
    stream.join(table, ({ id }, { city }) => `${id} ${city}`).to(results)
    stream.leftJoin(table, ({ id }, customer) => `left ${id} ${customer?.city}`).to(results)
    await app.start()
    const { client, clock } = broker
    await publish(order(1, 'ann'))
    await client.use(customers).publish({ name: 'ann', city: 'Rome' })
    await clock.settle()
    await publish(order(2, 'ann'), order(3, 'bob'))
    expect(table.get('ann')).toEqual({ name: 'ann', city: 'Rome' })
    await client.transaction((tx) => tx.publish('topic:customers', tombstone, { key: 'ann' }))
    await clock.settle()
    await publish(order(4, 'ann'))
    expect(table.get('ann')).toBeUndefined()
    expect(broker.published(results).json()).toEqual([
      'left 1 undefined',
      '2 Rome',
      'left 2 Rome',
      'left 3 undefined',
      'left 4 undefined',
    ])
  })

  it('join with what was there at that time, when both are read from the beginning', async () => {
    const { client } = broker
    for (const [n, city] of ['Rome', 'Oslo', 'Lima'].entries()) {
      await client.use(customers).publish({ name: 'ann', city }, { timestampMs: 1000 * n })
      await client.use(orders).publish({ ...order(n), at: undefined }, { timestampMs: 1000 * n + 500 })
    }
    const table = app.table(customers)
    app
      .from(orders)
      .byKey()
      .join(table, ({ id }, { city }) => `${id} ${city}`)
      .to(results)
    await app.start()
    await app.caughtUp()
    await broker.clock.settle()
    expect(broker.published(results).json()).toEqual(['0 Rome', '1 Oslo', '2 Lima'])
  })

  it('need as many partitions as what is joined with them', async () => {
    const small = topic('small', { schema: anything<string>(), partitions: 2 })
    app
      .from(orders)
      .byKey()
      .join(app.table(small), () => 1)
      .to(results)
    await expect(app.start()).rejects.toThrow(
      'needs topics with equally many partitions, so that equal keys meet: orders has 3, small has 2. Put `key` before it.',
    )
    expect(app.info()).toMatchObject({ state: 'failed', failure: expect.stringContaining('orders has 3') })
  })
})

describe('streams of the same keys', () => {
  const left = topic('left', { schema: anything<string>() })
  const right = topic('right', { schema: anything<string>() })

  it('are joined where they are near in time, whichever comes first, over a restart', async () => {
    const { client, clock } = broker
    const define = (to: Streams): void => {
      const lefts = to.from(left).byKey()
      lefts.joinStream('pairs', to.from(right).byKey(), (a, b) => `${a}${b}`, { within: 10, grace: 5 }).to(results)
    }
    define(app)
    await app.start()
    const at = async (side: typeof left, value: string, timestampMs: number, key = 'k'): Promise<void> => {
      await client.use(side).publish(value, { key, timestampMs })
      await clock.settle()
    }
    await at(left, 'a', 100)
    await at(right, '1', 110)
    await at(right, '2', 111)
    await at(right, '3', 105, 'other')
    await app.stop()
    app = streams(client, 'shop')
    define(app)
    await app.start()
    await clock.settle()
    await at(left, 'b', 106)
    // Late: 111 has been seen, the grace is 5.
    await at(left, 'c', 105)
    await at(right, '4', 300)
    await at(left, 'd', 295)
    expect(broker.published(results).json()).toEqual(['a1', 'b1', 'b2', 'd4'])
    expect(app.info().late).toBe(1)
    expect(app.info().operators.find(({ name }) => name === 'pairs')).toMatchObject({ entries: 2 })
  })
})

describe('definitions', () => {
  it('are refused when they make no sense', async () => {
    const stream: Stream<Order> = app.from(orders)
    const keyed: KeyedStream<Order> = stream.byKey()
    keyed.count('n')
    expect(() => keyed.count('n')).toThrow('The name n is taken')
    expect(() => keyed.count('a/b')).toThrow('"a/b" is no name')
    expect(() => app.from(orders, { start: 'latest' })).toThrow('Topic orders is read twice in different ways')
    expect(() => streams(broker.client, 'an app')).toThrow('"an app" is no name')
    expect(() => streams(broker.client, 'x', { batchRecords: 0 })).toThrow('`batchRecords`')
    expect(() => streams(broker.client, 'x').from(orders).merge(stream)).toThrow('of another application')
    await app.start()
    expect(() => stream.map(() => 1)).toThrow('shop was started')
    await expect(app.start()).rejects.toThrow('shop is running: an application is started once')
  })

  it('begin at the end, where told so, and stay there', async () => {
    const { client, clock } = broker
    await publish(order(1))
    app
      .from(orders, { start: 'latest' })
      .map(({ id }) => id)
      .to(results)
    await app.start()
    await clock.settle()
    await app.stop()
    await publish(order(2))
    app = streams(client, 'shop', { serializer: serializers.json })
    app
      .from(orders, { start: 'latest' })
      .map(({ id }) => id)
      .to(results)
    await app.start()
    await publish(order(3))
    expect(broker.published(results).json()).toEqual([2, 3])
  })
})
