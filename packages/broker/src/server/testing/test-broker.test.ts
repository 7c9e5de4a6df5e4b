import { MillraceError, queue, topic } from '@millrace/client'
import { testBroker } from 'millrace/testing'
import { describe, expect, it, vi } from 'vitest'

const anything = {
  '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) },
}

describe('a test broker', () => {
  it('shows what was published, consumed and acked', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await client.queue('mail').publish({ to: 'a@example.com' }, { key: 'a', headers: { source: 'web' } })
    const consumption = client.queue('mail').consume(() => {})
    await broker.acked('queue:mail').waitFor(1)
    await consumption.stop()
    expect(broker.published('queue:mail').json()).toEqual([{ to: 'a@example.com' }])
    expect(broker.published('queue:mail').last).toMatchObject({
      partition: 0,
      offset: 0,
      key: 'a',
      headers: { source: 'web' },
      atMs: broker.clock.nowMs,
      attempt: 0,
    })
    expect(broker.consumed('queue:mail').all.map(({ attempt }) => attempt)).toEqual([1])
    expect(broker.nacked('queue:mail').count).toBe(0)
    expect(broker.published('queue:other').count).toBe(0)
  })

  it('shows priorities, and where each message of a batch is', async () => {
    await using broker = await testBroker()
    const { client } = broker
    const jobs = queue('jobs', { schema: anything, priorities: 5, priority: (body) => (body === 'now' ? 4 : undefined) })
    await jobs.declare(client)
    await client.use(jobs).publishBatch([{ body: 'later' }, { body: 'now' }, { body: 'soon', priority: 2 }])
    await client.transaction((transaction) => {
      transaction.publish('queue:jobs', '"last"')
      transaction.publish('queue:jobs', '"first"', { priority: 9 })
    })
    const places = broker
      .published(jobs)
      .all.map((message) => [message.json(), message.priority, message.partition, message.offset])
    expect(places).toEqual([
      ['later', 0, 0, 0],
      ['now', 4, 4, 0],
      ['soon', 2, 2, 0],
      ['last', 0, 0, 1],
      ['first', 9, 4, 1],
    ])
    const consumption = client.use(jobs).consume(() => {})
    await broker.acked(jobs).waitFor(5)
    await consumption.stop()
    expect(broker.consumed(jobs).json()).toEqual(['now', 'first', 'soon', 'later', 'last'])
  })

  it('takes declarations for places', async () => {
    await using broker = await testBroker()
    const mail = queue('mail', { schema: anything })
    const orders = topic('orders', { schema: anything })
    await broker.client.use(mail).publish(1)
    await broker.client.use(orders).publish(2)
    expect(broker.published(mail).texts()).toEqual(['1'])
    expect(broker.published(orders).texts()).toEqual(['2'])
    expect(() => broker.published('mail')).toThrow('"mail" is no place')
    expect(() => broker.acked(orders)).toThrow('write topic:orders/SUBSCRIPTION')
  })

  it('pulls, peeks and reads to the end without time', async () => {
    await using broker = await testBroker()
    const { client } = broker
    const startMs = broker.clock.nowMs
    expect(await client.queue('empty').pull()).toEqual([])
    await client.admin.createQueue({ name: 'bare' })
    expect(await client.queue('bare').peek()).toEqual([])
    await client.topic('events').publishBatch([{ body: 'a' }, { body: 'b' }])
    const read: string[] = []
    for await (const message of client.topic('events').read({ from: 'earliest', untilEnd: true })) read.push(message.text())
    expect(read).toEqual(['a', 'b'])
    await client.queue('q').publish('x')
    const [message] = await client.queue('q').pull({ max: 10, waitMs: 5000 })
    await message!.ack()
    expect(broker.clock.nowMs).toBe(startMs)
  })

  it('lets a reader that nobody reads from stall, and still comes to rest', async () => {
    await using broker = await testBroker()
    const { client } = broker
    await client.topic('long').publishBatch(Array.from({ length: 500 }, (_, n) => ({ body: `${n}` })))
    const reader = client.topic('long').read({ from: 'earliest', untilEnd: true })
    expect((await reader.next()).value.text()).toBe('0')
    await broker.clock.advance('1h')
    let count = 1
    for await (const message of reader) expect(message.text()).toBe(`${count++}`)
    expect(count).toBe(500)
  })
})

describe('its clock', () => {
  it('retries when the delay has passed, not before, and dead-letters in the end', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    await client.admin.createQueue({ name: 'dead' })
    await client.admin.createQueue({ name: 'mail', delivery: { maxAttempts: 3, deadLetter: 'queue:dead' } })
    client.queue('mail').consume(
      () => {
        throw new Error('no printer')
      },
      { retryDelayMs: 60_000 },
    )
    await client.queue('mail').publish('letter')
    await broker.nacked('queue:mail').waitFor(1)
    await clock.advance('59s')
    expect(broker.consumed('queue:mail').count).toBe(1)
    await clock.advance('1s')
    expect(broker.consumed('queue:mail').count).toBe(2)
    expect(broker.deadLettered('queue:mail').count).toBe(0)
    await clock.advance(60_000)
    expect(broker.nacked('queue:mail').all.map(({ attempt, reason }) => [attempt, reason])).toEqual([
      [1, 'no printer'],
      [2, 'no printer'],
      [3, 'no printer'],
    ])
    expect(broker.deadLettered('queue:mail').last).toMatchObject({ attempt: 3, reason: 'no printer' })
    expect(broker.deadLettered('queue:mail').texts()).toEqual(['letter'])
    expect((await client.admin.queue('dead')).ready).toBe(1)
  })

  it('expires leases', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    await client.queue('jobs').publish('slow')
    const [job] = await client.queue('jobs').pull({ leaseMs: 30_000 })
    await clock.advance('29s')
    await job!.extend()
    await clock.advance('29s')
    expect(await client.queue('jobs').pull()).toEqual([])
    await clock.advance('2s')
    const [again] = await client.queue('jobs').pull()
    expect(again!.attempt).toBe(2)
    await expect(job!.ack()).rejects.toMatchObject({ code: 'stale_delivery' })
  })

  it('stamps messages and expires them by retention, a month in a moment', async () => {
    await using broker = await testBroker({ startMs: Date.UTC(2031, 4, 5) })
    const { client, clock } = broker
    await client.admin.createTopic({ name: 'metrics', retention: { ms: 7 * 86_400_000 } })
    await client.topic('metrics').publish('old')
    const [stored] = await client.topic('metrics').peek()
    expect(new Date(stored!.timestampMs).toISOString()).toBe('2031-05-05T00:00:00.000Z')
    await clock.advance('6d')
    expect(await client.topic('metrics').peek()).toHaveLength(1)
    await clock.advance('1d1m')
    expect(await client.topic('metrics').peek()).toHaveLength(0)
    expect((await client.admin.status()).uptimeMs).toBe(7 * 86_400_000 + 60_000)
  })

  it('lets handlers sleep, and waits of pulls pass', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const done: number[] = []
    client.queue('jobs').consume(async () => {
      await clock.sleep('10m')
      done.push(clock.nowMs)
    })
    await client.queue('jobs').publish('x')
    await clock.settle()
    expect(done).toEqual([])
    const startMs = clock.nowMs
    const pulled = client.queue('other').pull({ waitMs: 2000 })
    await clock.advance('10m')
    expect(done).toEqual([startMs + 600_000])
    expect(await pulled).toEqual([])
  })

  it('moves in the order of calls, and refuses what is no duration', async () => {
    await using broker = await testBroker()
    const { clock } = broker
    const startMs = clock.nowMs
    const woken: number[] = []
    const sleeps = [clock.sleep(300), clock.sleep(100), clock.sleep(100)].map(async (sleep, n) => {
      await sleep
      woken.push(n)
    })
    await Promise.all([clock.advance(150), clock.advance('150ms')])
    await Promise.all(sleeps)
    expect(woken).toEqual([1, 2, 0])
    expect(clock.nowMs).toBe(startMs + 300)
    await expect(clock.advance('soon')).rejects.toThrow('"soon" is no duration')
  })
})

describe('waitFor', () => {
  it('waits for a count or a condition, and knows what is there already', async () => {
    await using broker = await testBroker()
    const log = broker.published('queue:q')
    const waits = [log.waitFor(2), log.waitFor((message) => message.text() === 'c')]
    await broker.client.queue('q').publishBatch([{ body: 'a' }, { body: 'b' }, { body: 'c' }])
    expect((await Promise.all(waits)).map((message) => message.text())).toEqual(['b', 'c'])
    expect((await log.waitFor(1)).text()).toBe('a')
    log.clear()
    expect(log.count).toBe(0)
  })

  it('moves time within a limit, and tells what there was instead', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const startMs = clock.nowMs
    client.queue('mail').consume((message) => {
      if (message.attempt < 3) throw new Error('not yet')
    })
    await client.queue('mail').publish('x')
    const acked = await broker.acked('queue:mail').waitFor(1, { within: '1m' })
    expect(acked.attempt).toBe(3)
    expect(clock.nowMs - startMs).toBe(300)
    await expect(broker.acked('queue:mail').waitFor(2, { within: '1m' })).rejects.toMatchObject({
      code: 'timeout',
      message: '1m passed on the virtual clock. What was acked by consumers of queue:mail so far: 1 message: "x".',
    })
  })

  it('passes on what the condition throws, and the broker goes on', async () => {
    await using broker = await testBroker()
    const waiting = broker.consumed('queue:q').waitFor((message) => message.json() === 1)
    broker.client.queue('q').consume(() => {})
    await broker.client.queue('q').publish('no JSON')
    await expect(waiting).rejects.toThrow('JSON')
    await broker.acked('queue:q').waitFor(1)
  })

  it('ends with the broker', async () => {
    const broker = await testBroker()
    const waiting = broker.published('queue:q').waitFor(1)
    await broker.close()
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('its faults', () => {
  it('fail the next call of a kind, once or more often, there or anywhere', async () => {
    await using broker = await testBroker()
    const { client } = broker
    broker.failNext('publish', 'disk_full', { at: 'queue:mail', times: 2 })
    await client.queue('other').publish('fine')
    await expect(client.queue('mail').publish('1')).rejects.toMatchObject({ code: 'disk_full', retryable: true })
    await expect(client.queue('mail').publish('2')).rejects.toMatchObject({ code: 'disk_full' })
    await client.queue('mail').publish('3')
    expect(broker.published('queue:mail').texts()).toEqual(['3'])

    broker.failNext('define', new MillraceError('limit_reached', 'enough queues'))
    await expect(client.admin.createQueue({ name: 'q' })).rejects.toThrow('enough queues')
    await client.admin.createQueue({ name: 'q' })

    broker.failNext('consume', 'forbidden')
    await expect(client.queue('mail').pull()).rejects.toMatchObject({ code: 'forbidden' })

    broker.failNext('settle', 'overloaded')
    const [message] = await client.queue('mail').pull()
    await expect(message!.extend()).resolves.toBeUndefined()
    await expect(message!.ack()).rejects.toMatchObject({ code: 'overloaded' })
    expect(broker.acked('queue:mail').count).toBe(0)
    await broker.clock.advance('2m')

    broker.failNext('settle', 'stale_delivery')
    const [again] = await client.queue('mail').pull()
    await expect(again!.ack()).rejects.toMatchObject({ code: 'stale_delivery' })
    const [third] = await client.queue('mail').pull()
    await third!.ack()
    expect(broker.acked('queue:mail').all.map(({ attempt }) => attempt)).toEqual([3])
    expect(() => broker.failNext('publish', 'nonsense' as 'closed')).toThrow('none of the error codes')
  })

  it('lose a confirm, so that the message is sent again', async () => {
    await using broker = await testBroker()
    broker.failNext('confirm', { at: 'queue:mail' })
    const published = broker.client.queue('mail').publish('twice')
    await published
    expect(broker.published('queue:mail').texts()).toEqual(['twice', 'twice'])
  })

  it('cut connections, and clients come back by themselves', async () => {
    await using broker = await testBroker()
    const { client, clock } = broker
    const states: string[] = []
    client.on('state', (state) => void states.push(state))
    const handled: string[] = []
    client.queue('mail').consume((message) => void handled.push(message.text()))
    await client.queue('mail').publish('before')
    broker.disconnect()
    await clock.settle()
    expect(states).toEqual(['connecting', 'connected'])

    broker.disconnect('30s')
    await clock.advance('29s')
    expect(states).toEqual(['connecting', 'connected', 'connecting'])
    const published = client.queue('mail').publish('after')
    await clock.settle()
    expect(broker.published('queue:mail').texts()).toEqual(['before'])
    await clock.advance('6s')
    await published
    await broker.acked('queue:mail').waitFor((message) => message.text() === 'after')
    expect(states.at(-1)).toBe('connected')
    expect(handled.at(-1)).toBe('after')
  })
})

describe('two test brokers', () => {
  it('know nothing of each other', async () => {
    await using first = await testBroker()
    await using second = await testBroker({ startMs: 0 })
    await first.client.queue('q').publish('x')
    await first.clock.advance('1d')
    expect(second.clock.nowMs).toBe(0)
    expect(second.published('queue:q').count).toBe(0)
    expect(await second.client.admin.queues()).toEqual([])
    second.disconnect()
    await first.clock.settle()
    expect(first.client.state).toBe('connected')
  })

  it('take the same course from the same seed', async () => {
    expect(await course()).toEqual(await course())
  })
})

describe('closing', () => {
  it('takes no timer of the machine, and leaves nothing open', async () => {
    const timers = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'setInterval')]
    const broker = await testBroker()
    const other = await broker.connect({ clientId: 'other' })
    other.queue('q').consume(() => {})
    await broker.client.queue('q').publish('x')
    await broker.acked('queue:q').waitFor(1)
    await broker.clock.advance('1h')
    broker.disconnect('1m')
    await broker.clock.advance('2m')
    await broker.close()
    await broker.close()
    for (const timer of timers) {
      expect(timer).not.toHaveBeenCalled()
      timer.mockRestore()
    }
    expect(other.state).toBe('closed')
    await expect(broker.connect()).rejects.toMatchObject({ code: 'closed' })
  })

  it('waits for handlers that sleep', async () => {
    const broker = await testBroker()
    let finished = false
    broker.client.queue('q').consume(async () => {
      await broker.clock.sleep('50s')
      finished = true
    })
    await broker.client.queue('q').publish('x')
    await broker.clock.settle()
    await broker.close()
    expect(finished).toBe(true)
    expect(broker.acked('queue:q').count).toBe(1)
  })
})

/** What happens in a small program with all that chance decides about. */
async function course(): Promise<unknown> {
  await using broker = await testBroker({ seed: 7 })
  const { client, clock } = broker
  await client.admin.createTopic({ name: 't', partitions: 8 })
  for (let n = 0; n < 20; n++) await client.topic('t').publish(`${n}`)
  broker.disconnect('1s')
  const startMs = clock.nowMs
  await broker.published('topic:t').waitFor(20)
  let reconnectedMs = 0
  client.on('state', () => (reconnectedMs = clock.nowMs - startMs))
  await clock.advance('10s')
  expect(reconnectedMs).toBeGreaterThan(1000)
  return [broker.published('topic:t').all.map(({ partition, offset }) => [partition, offset]), reconnectedMs]
}
