import { connect, type Millrace, MillraceError, type Publisher, type PublisherOptions, type Receipt } from '@millrace/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CuttingProxy } from './cutting-proxy.ts'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'
import { sleep, until } from './until.ts'

const reconnectDelayMs = { min: 1, max: 20 }
let broker: NativeBroker
let proxy: CuttingProxy
let client: Millrace
let direct: Millrace

beforeEach(async () => {
  broker = await startNativeBroker()
  proxy = await CuttingProxy.start(await broker.listen())
  client = await connect(proxy.url, { reconnectDelayMs })
  direct = await broker.connect()
})

afterEach(async () => {
  await client.close().catch(() => {})
  await proxy[Symbol.asyncDispose]()
  await broker.close()
})

async function stored(topic: string): Promise<string[]> {
  const texts: string[] = []
  for await (const message of direct.topic(topic).read({ from: 'earliest', untilEnd: true })) texts.push(message.text())
  return texts
}

async function endOf(topic: string): Promise<number> {
  return (await direct.admin.topic(topic)).partitionInfo.reduce((sum, { end }) => sum + end, 0)
}

/** Publishes ten messages, each a batch of its own, whose confirms are lost with the connection. */
async function publishUnheard(
  options: PublisherOptions,
): Promise<{ readonly texts: string[]; readonly receipts: readonly Receipt[] }> {
  const publisher = client.publisher('topic:log', { ...options, batchBytes: 1 })
  await publisher.publish('first')
  proxy.muteBroker()
  const receipts = Promise.all(Array.from({ length: 10 }, (_, n) => publisher.publish(`${n}`)))
  await until(async () => (await endOf('log')) === 11)
  proxy.cut()
  return { receipts: await receipts, texts: await stored('log') }
}

function jobMessage(n: number): { readonly body: string; readonly headers: Record<string, string> } {
  return { body: `${n}`, headers: { 'message-id': `job-${n}` } }
}

function openWriter(from: Millrace, destination: string): Publisher {
  return from.publisher(destination, { idempotent: { producer: 'writer' }, batchBytes: 1, onError: () => {} })
}

const ten = Array.from({ length: 10 }, (_, n) => `${n}`)

describe('when confirms are lost', () => {
  it('an ordinary publisher stores twice what it sends again', async () => {
    const { texts, receipts } = await publishUnheard({})
    expect(texts).toEqual(['first', ...ten, ...ten])
    expect(receipts[0]).toEqual({ partition: 0, offset: 11 })
  })

  it('an idempotent one does not, and hears where the first ones are', async () => {
    const { texts, receipts } = await publishUnheard({ idempotent: true })
    expect(texts).toEqual(['first', ...ten])
    expect(receipts).toEqual(ten.map((_, n) => ({ partition: 0, offset: n + 1, duplicate: true })))
  })

  it('a named one does not, either', async () => {
    const { texts, receipts } = await publishUnheard({ idempotent: { producer: 'writer' } })
    expect(texts).toEqual(['first', ...ten])
    expect(receipts.every(({ duplicate }) => duplicate === true)).toBe(true)
  })

  it('a dedup window helps those who name their messages', async () => {
    await direct.admin.createQueue({ name: 'jobs', dedup: { windowMs: 60_000 } })
    const queue = client.queue('jobs')
    expect(await queue.publishBatch([jobMessage(0), jobMessage(1)])).toEqual([
      { partition: 0, offset: 0 },
      { partition: 0, offset: 1 },
    ])
    proxy.muteBroker()
    const unheard = queue.publishBatch([jobMessage(2), jobMessage(1), jobMessage(3)])
    await until(async () => (await direct.admin.queue('jobs')).ready === 4)
    proxy.cut()
    expect(await unheard).toEqual([2, 1, 3].map((offset) => ({ partition: 0, offset, duplicate: true })))
    expect(await queue.publishBatch([jobMessage(3), jobMessage(4)])).toEqual([
      { partition: 0, offset: 3, duplicate: true },
      { partition: 0, offset: 4 },
    ])
    expect((await queue.peek({ max: 10 })).map((each) => each.text())).toEqual(['0', '1', '2', '3', '4'])
  })
})

describe.each([{ idempotent: true as const }, { idempotent: { producer: 'writer' } }])('with %j', ({ idempotent }) => {
  it('each message is stored once and in order, however often connections are cut', async () => {
    await direct.admin.createTopic({ name: 'log', partitions: 3 })
    const publisher = client.publisher('topic:log', { idempotent, batchBytes: 500 })
    const total = 6000
    for (let n = 0; n < total; n++) {
      if (!publisher.send(`${n}`, { key: `${n % 7}` })) await publisher.ready()
      if (n % 50 === 0) await sleep(1)
      if (n % 300 === 299) proxy.cut()
    }
    await publisher.flush()
    expect(proxy.cuts).toBeGreaterThan(5)
    const texts = await stored('log')
    expect(texts.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: total }, (_, n) => `${n}`))
    for (let key = 0; key < 7; key++) {
      const ofKey = texts.map(Number).filter((n) => n % 7 === key)
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b))
    }
  })

  it('goes on after a batch that was refused, in order', async () => {
    const publisher = client.publisher('topic:log', { idempotent, batchBytes: 1, onError: () => {} })
    await publisher.publish('first')
    // Records without a key are refused from now on, with batches behind them on their way.
    await direct.admin.updateTopic('log', { cleanup: 'compact' })
    const outcomes = await Promise.allSettled(ten.map((text, n) => publisher.publish(text, n % 3 === 1 ? {} : { key: text })))
    expect(outcomes.map(({ status }) => status)).toEqual(ten.map((_, n) => (n % 3 === 1 ? 'rejected' : 'fulfilled')))
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'bad_request' })
    }
    await publisher.publish('last', { key: 'x' })
    expect(await stored('log')).toEqual(['first', ...ten.filter((_, n) => n % 3 !== 1), 'last'])
    proxy.muteBroker()
    const unheard = publisher.publish('again', { key: 'y' })
    await until(async () => (await stored('log')).length === 10)
    proxy.cut()
    expect(await unheard).toMatchObject({ duplicate: true })
  })
})

describe('two publishers with one name', () => {
  it('the newer one fences the older one', async () => {
    const [older, newer] = [openWriter(client, 'queue:q'), openWriter(direct, 'queue:q')]
    await older.publish('a')
    await newer.publish('b')
    await expect(older.publish('c')).rejects.toMatchObject({ code: 'fenced' })
    await newer.publish('d')
    expect((await direct.queue('q').peek()).map((message) => message.text())).toEqual(['a', 'b', 'd'])
    await expect(older.close()).resolves.toBeUndefined()
  })

  it('the older one does not come back after a refusal', async () => {
    await direct.admin.createTopic({ name: 'keyed', cleanup: 'compact' })
    const older = openWriter(client, 'topic:keyed')
    await older.publish('a', { key: 'k' })
    const refused = [older.publish('no key'), older.publish('b', { key: 'k' })]
    const newer = openWriter(direct, 'topic:keyed')
    const [first, second] = await Promise.allSettled([...refused, newer.publish('c', { key: 'k' })])
    expect(first).toMatchObject({ status: 'rejected' })
    expect(second!.status === 'fulfilled' || (second!.reason as MillraceError).code === 'fenced').toBe(true)
    const late = await older.publish('d', { key: 'k' }).then(
      () => 'stored',
      (error: MillraceError) => error.code,
    )
    const last = await newer.publish('e', { key: 'k' }).then(
      () => 'stored',
      (error: MillraceError) => error.code,
    )
    // One of them has it.
    expect([late, last].toSorted()).toEqual(['fenced', 'stored'])
  })
})

it('publishers keep their names per destination', async () => {
  const idempotent = { producer: 'writer' }
  const [one, two] = ['queue:one', 'queue:two'].map((name) => client.publisher(name, { idempotent }))
  for (let n = 0; n < 3; n++) await Promise.all([one!.publish(`${n}`), two!.publish(`${n}`)])
  expect((await direct.queue('two').peek()).map((message) => message.text())).toEqual(['0', '1', '2'])
})

it('what waits for its name fails when the client closes', async () => {
  const lonely = await connect(proxy.url, { reconnectDelayMs, closeTimeoutMs: 100 })
  const publisher = lonely.publisher('queue:q', { idempotent: { producer: 'writer' }, onError: () => {} })
  await proxy[Symbol.asyncDispose]()
  await until(() => lonely.state === 'connecting')
  const outcome = publisher.publish('x').catch((error: unknown) => error)
  await lonely.close().catch(() => {})
  expect(await outcome).toBeInstanceOf(MillraceError)
})
