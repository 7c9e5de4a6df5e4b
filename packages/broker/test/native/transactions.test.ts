import { connect, type Message, type Millrace, type MillraceError, tombstone, type Transaction } from '@millrace/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CuttingProxy } from './cutting-proxy.ts'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'

let broker: NativeBroker
let client: Millrace

beforeEach(async () => {
  broker = await startNativeBroker()
  client = await broker.connect()
})

afterEach(() => broker.close())

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return (error as MillraceError).code
  }
  return 'none'
}

async function bodiesOf(source: string): Promise<string[]> {
  const [kind, name] = source.split(':') as ['queue' | 'topic', string]
  const messages = await client[kind](name).peek({ max: 1000 })
  return messages.map((message) => message.text())
}

async function oneOf(name: string): Promise<Message> {
  const [message] = await client.queue(name).pull({ waitMs: 5000 })
  return message!
}

function id(text: string): { headers: Record<string, string> } {
  return { headers: { 'message-id': text } }
}

describe('client.transaction', () => {
  it('tells where its messages are, and which were published before', async () => {
    await client.admin.createQueue({ name: 'once', dedup: { windowMs: 60_000 } })
    await client.queue('once').publish('first', id('a'))
    const sent = await client.transaction((tx) => {
      const messages = [
        tx.publish('queue:once', 'new', id('b')),
        tx.publish('queue:once', 'again', id('a')),
        tx.publish('queue:once', 'newer', id('c')),
        tx.multicast(['queue:once', 'queue:copy'], 'to both', id('a')),
      ]
      expect(messages[0]!.receipts).toBeUndefined()
      return messages
    })
    expect(sent.map(({ receipts }) => receipts)).toEqual([
      [{ partition: 0, offset: 1 }],
      [{ partition: 0, offset: 0, duplicate: true }],
      [{ partition: 0, offset: 2 }],
      [
        { partition: 0, offset: 0, duplicate: true },
        { partition: 0, offset: 0 },
      ],
    ])
    expect(await client.multicast(['queue:once', 'queue:copy'], 'again to both', id('c'))).toEqual([
      { partition: 0, offset: 2, duplicate: true },
      { partition: 0, offset: 1 },
    ])
    expect(await bodiesOf('queue:once')).toEqual(['first', 'new', 'newer'])
  })

  it('publishes to several destinations and settles, as one, and returns what the function returned', async () => {
    await client.admin.createQueue({ name: 'in', delivery: { deadLetter: 'queue:dead' } })
    await client.queue('in').publishBatch(['a', 'b', 'c', 'd'].map((body) => ({ body })))
    const [a, b, c, d] = await client.queue('in').pull({ max: 4, waitMs: 5000 })
    const result = await client.transaction((tx) => {
      tx.publish('queue:out', 'one')
      tx.publish('topic:log', { two: 2 }, { key: 'k', headers: { h: 'x' } })
      tx.publish('queue:out', 'three')
      tx.multicast(['queue:out', 'queue:copy'], 'all')
      tx.ack(a!)
      tx.ack(b!)
      tx.nack(c!, { error: 'later' })
      tx.reject(d!, 'bad')
      return 42
    })
    expect(result).toBe(42)
    expect(await bodiesOf('queue:out')).toEqual(['one', 'three', 'all'])
    expect(await bodiesOf('queue:copy')).toEqual(['all'])
    const [logged] = await client.topic('log').peek()
    expect(logged!.json()).toEqual({ two: 2 })
    expect([Buffer.from(logged!.key!).toString(), Buffer.from(logged!.headers['h']!).toString()]).toEqual(['k', 'x'])
    const again = await oneOf('in')
    expect([again.text(), again.attempt]).toEqual(['c', 2])
    await again.ack()
    expect(await bodiesOf('queue:in')).toEqual([])
    expect(await bodiesOf('queue:dead')).toEqual(['d'])
    await expect(a!.ack()).rejects.toMatchObject({ code: 'stale_delivery' })
  })

  it('keeps keys in their partitions', async () => {
    await client.admin.createTopic({ name: 'keyed', partitions: 4 })
    const keys = Array.from({ length: 20 }, (_, n) => `key ${n}`)
    for (const key of keys) await client.topic('keyed').publish('first', { key })
    await client.transaction((tx) => {
      for (const key of keys) tx.publish('topic:keyed', 'second', { key })
      for (const key of keys) tx.publish('topic:keyed', 'third', { key })
    })
    const places = new Map<string, string[]>()
    for await (const message of client.topic('keyed').read({ from: 'earliest', untilEnd: true })) {
      const place = `${Buffer.from(message.key!).toString()} in ${message.partition}`
      places.set(place, [...(places.get(place) ?? []), message.text()])
    }
    expect(places.size).toBe(keys.length)
    for (const texts of places.values()) expect(texts).toEqual(['first', 'second', 'third'])
  })

  it('puts messages into the partition that is named, whatever their keys say, and none beyond the last', async () => {
    await client.admin.createTopic({ name: 'placed', partitions: 3 })
    await client.transaction((tx) => {
      for (const key of ['a', 'b', 'c']) tx.publish('topic:placed', key, { key, partition: 2 })
      tx.publish('topic:placed', 'first', { partition: 0 })
    })
    const { partitionInfo } = await client.admin.topic('placed')
    expect(partitionInfo.map(({ end }) => end)).toEqual([1, 0, 3])
    const beyond = client.transaction((tx) => tx.publish('topic:placed', 'x', { partition: 3 }))
    expect(await codeOf(beyond)).toBe('bad_request')
    const negative = client.transaction((tx) => tx.publish('topic:placed', 'x', { partition: -1 }))
    expect(await codeOf(negative)).toBe('bad_request')
  })

  it('creates no destination that it is told not to create, and keeps the order of what shares one', async () => {
    const refused = client.transaction((tx) => tx.publish('queue:out', 'x', { create: false }))
    expect(await codeOf(refused)).toBe('not_found')
    expect(await codeOf(client.multicast(['queue:out', 'topic:log'], 'x', { create: false }))).toBe('not_found')
    expect([await client.admin.queues(), await client.admin.topics()]).toEqual([[], []])
    await client.transaction((tx) => {
      tx.publish('queue:out', 'one')
      tx.publish('queue:out', 'two', { create: false })
      tx.publish('queue:out', 'three')
    })
    expect(await bodiesOf('queue:out')).toEqual(['one', 'two', 'three'])
  })

  it('publishes messages without a body', async () => {
    await client.transaction((tx) => tx.publish('topic:table', tombstone, { key: 'gone' }))
    const [message] = await client.topic('table').peek()
    expect(message).toMatchObject({ value: null, headers: {} })
    expect(new TextDecoder().decode(message!.key!)).toBe('gone')
  })

  it('does nothing when its function throws: the messages are still held', async () => {
    await client.queue('in').publish('a')
    const message = await oneOf('in')
    const failed = client.transaction((tx) => {
      tx.publish('queue:out', 'never')
      tx.ack(message)
      throw new RangeError('no')
    })
    await expect(failed).rejects.toThrow(RangeError)
    expect(await client.admin.queue('in')).toMatchObject({ inFlight: 1 })
    expect(await bodiesOf('queue:out').catch((error: MillraceError) => error.code)).toBe('not_found')
    await message.ack()
    expect(await bodiesOf('queue:in')).toEqual([])
  })

  it('does nothing when a message is not held any more', async () => {
    await client.queue('in').publish('a')
    const [message] = await client.queue('in').pull({ waitMs: 5000, leaseMs: 30 })
    await client.queue('other').publish('b')
    const held = await oneOf('other')
    while ((await client.admin.queue('in')).inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    const failed = client.transaction((tx) => {
      tx.publish('queue:out', 'never')
      tx.ack(held)
      tx.ack(message!)
    })
    await expect(failed).rejects.toMatchObject({ code: 'stale_delivery', message: expect.stringContaining('queue:in') as string })
    expect(await bodiesOf('queue:out')).toEqual([])
    // What failed lets go of nothing.
    await held.ack()
    expect(await bodiesOf('queue:other')).toEqual([])
  })

  it('refuses what does not belong into it', async () => {
    await client.queue('in').publish('a')
    const message = await oneOf('in')
    let late: Transaction | undefined
    await client.transaction((tx) => {
      late = tx
      tx.ack(message)
      expect(() => tx.nack(message)).toThrow('twice')
      expect(() => tx.publish('nowhere', 'x')).toThrow('destination')
      expect(() => tx.multicast([], 'x')).toThrow('at least one')
      expect(() => tx.publish('queue:out', 'x'.repeat(18_000_000))).toThrow('18000128 bytes')
    })
    expect(() => late!.publish('queue:out', 'x')).toThrow('over')
    expect(await codeOf(client.transaction((tx) => tx.ack(message)))).toBe('stale_delivery')
    const large = client.transaction((tx) => {
      for (let n = 0; n < 8; n++) tx.publish(`queue:out${n}`, 'x'.repeat(4_000_000))
    })
    expect(await codeOf(large)).toBe('record_too_large')
    expect(await client.transaction(() => 'nothing to do', { timeoutMs: Infinity })).toBe('nothing to do')
  })

  it('is given up after its timeout, or by its signal, and its function is told', async () => {
    await client.queue('in').publish('a')
    const message = await oneOf('in')
    const told: string[] = []
    const never = (tx: Transaction): Promise<void> => {
      tx.ack(message)
      return new Promise((_, reject) => {
        tx.signal.addEventListener('abort', () => {
          told.push((tx.signal.reason as MillraceError).code)
          reject(new Error('ignored'))
        })
      })
    }
    expect(await codeOf(client.transaction(never, { timeoutMs: 10 }))).toBe('transaction_timeout')
    expect(told).toEqual(['transaction_timeout'])
    const stop = new AbortController()
    const stopped = client.transaction(never, { signal: stop.signal })
    stop.abort(new Error('stopped'))
    await expect(stopped).rejects.toThrow('stopped')
    await expect(client.transaction(never, { signal: stop.signal })).rejects.toThrow('stopped')
    await message.ack()
  })

  it('wants messages of one connection', async () => {
    const pooled = await broker.connect({ connections: 2 })
    await client.queue('a').publish('a')
    await client.queue('b').publish('b')
    const [a] = await pooled.queue('a').pull({ waitMs: 5000 })
    const [b] = await pooled.queue('b').pull({ waitMs: 5000 })
    const both = pooled.transaction((tx) => {
      tx.ack(a!)
      tx.ack(b!)
    })
    await expect(both).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('connections: 1') as string,
    })
    // Whatever else there is goes over the connection of the message.
    for (const message of [a!, b!]) {
      await pooled.transaction((tx) => {
        tx.ack(message)
        tx.publish('queue:out', message.text())
      })
    }
    expect(await bodiesOf('queue:out')).toEqual(['a', 'b'])
    expect([await bodiesOf('queue:a'), await bodiesOf('queue:b')]).toEqual([[], []])
  })

  it('is finished before the client closes', async () => {
    const other = await broker.connect()
    let go!: () => void
    const ready = new Promise<void>((resolve) => {
      go = resolve
    })
    const done = other.transaction(async (tx) => {
      await ready
      tx.publish('queue:out', 'kept')
    })
    const closed = other.close()
    go()
    await done
    await closed
    expect(await bodiesOf('queue:out')).toEqual(['kept'])
  })
})

describe('client.multicast', () => {
  it('tells where the message went, for each destination', async () => {
    await client.queue('b').publish('before')
    const receipts = await client.multicast(['queue:a', 'queue:b', 'topic:c', 'queue:a'], { n: 1 }, { key: 'k' })
    expect(receipts).toEqual([0, 1, 0, 0].map((offset) => ({ partition: 0, offset })))
    expect((await client.topic('c').peek())[0]!.json()).toEqual({ n: 1 })
  })

  it('may be called more often than the broker takes at once', async () => {
    const count = 600
    const receipts = await Promise.all(Array.from({ length: count }, (_, n) => client.multicast(['queue:a', 'queue:b'], `${n}`)))
    expect(receipts.map(([a]) => a!.offset)).toEqual(receipts.map((_, n) => n))
    expect(await client.admin.queue('b')).toMatchObject({ ready: count })
  })

  it('reaches all or none', async () => {
    await client.admin.createTopic({ name: 'table', cleanup: 'compact' })
    await client.queue('a').publish('before')
    expect(await codeOf(client.multicast(['queue:a', 'topic:table'], 'no key'))).toBe('bad_request')
    expect(await bodiesOf('queue:a')).toEqual(['before'])
  })
})

describe('consume, transform, produce', () => {
  it('commits what the handler published with the ack', async () => {
    await client.queue('in').publishBatch(Array.from({ length: 50 }, (_, n) => ({ body: n })))
    let failures = 0
    const consumption = client.queue('in').consume(
      async (message, tx) => {
        tx.publish('queue:out', (message.json() as number) * 2)
        await Promise.resolve()
        if (message.attempt === 1 && (message.json() as number) % 10 === 3) throw new Error('once more')
        tx.publish('queue:count', 1)
      },
      { transactional: true, concurrency: 8, retryDelayMs: 1, onError: () => failures++ },
    )
    while ((await client.admin.queue('in')).counters.acked < 50) await new Promise((resolve) => setTimeout(resolve, 5))
    await consumption.stop()
    expect(failures).toBe(5)
    const doubled = (await bodiesOf('queue:out')).map(Number).toSorted((x, y) => x - y)
    expect(doubled).toEqual(Array.from({ length: 50 }, (_, n) => 2 * n))
    expect(await client.admin.queue('count')).toMatchObject({ ready: 50 })
  })

  it('lets the handler decide about the message itself', async () => {
    await client.admin.createQueue({ name: 'in', delivery: { deadLetter: 'queue:dead' } })
    await client.queue('in').publishBatch([{ body: 'through the transaction' }, { body: 'directly' }])
    const consumption = client.queue('in').consume(
      async (message, tx) => {
        tx.publish('queue:out', message.text())
        if (message.text() === 'directly') await message.reject()
        else tx.reject(message)
      },
      { transactional: true },
    )
    while ((await client.admin.queue('in')).counters.deadLettered < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    await consumption.stop()
    expect(await bodiesOf('queue:out')).toEqual(['through the transaction', 'directly'])
  })
})

describe('a connection that is lost', () => {
  it('leaves every transaction whole: what was taken and not put elsewhere comes again', async () => {
    await using proxy = await CuttingProxy.start(await broker.listen())
    const cut = await connect(proxy.url, { reconnectDelayMs: { min: 1, max: 20 } })
    const total = 300
    await client.queue('in').publishBatch(Array.from({ length: total }, (_, n) => ({ body: n })))
    const errors: MillraceError[] = []
    let seen = 0
    const consumption = cut.queue('in').consume(
      async (message, tx) => {
        if (++seen % 40 === 0) proxy.cut()
        if (seen % 7 === 0) await Promise.resolve()
        tx.publish('queue:out', message.text())
      },
      {
        transactional: true,
        concurrency: 4,
        prefetch: 16,
        retryDelayMs: 0,
        onError: (error) => errors.push(error as MillraceError),
      },
    )
    while ((await client.admin.queue('in')).counters.acked < total) await new Promise((resolve) => setTimeout(resolve, 5))
    await consumption.stop()
    await cut.close()
    expect(proxy.cuts).toBeGreaterThan(3)
    const out = (await bodiesOf('queue:out')).map(Number).toSorted((a, b) => a - b)
    expect(out).toEqual(Array.from({ length: total }, (_, n) => n))
    expect(new Set(errors.map((error) => error.code))).toContain('outcome_unknown')
    for (const { code } of errors) expect(['outcome_unknown', 'stale_delivery']).toContain(code)
  })

  it('delays what settles nothing until there is another, or fails it in time', async () => {
    await using proxy = await CuttingProxy.start(await broker.listen())
    const port = await broker.listen()
    const cut = await connect(proxy.url, { reconnectDelayMs: { min: 1, max: 20 } })
    proxy.retarget(1)
    const lost = new Promise<void>((resolve) => {
      cut.on('state', () => resolve())
    })
    proxy.cut()
    await lost
    expect(await codeOf(cut.transaction((tx) => tx.publish('queue:out', 'never'), { timeoutMs: 10 }))).toBe('transaction_timeout')
    const delayed = cut.multicast(['queue:out'], 'late')
    proxy.retarget(port)
    expect(await delayed).toEqual([{ partition: 0, offset: 0 }])
    await cut.close()
  })
})
