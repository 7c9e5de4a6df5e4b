import type { Message, Millrace, Peeked, StartPosition, StoredMessage } from '@millrace/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'
import { sleep, until as happens } from './until.ts'

const until = (condition: () => boolean | Promise<boolean>): Promise<void> => happens(condition, 10_000)

let broker: NativeBroker
let client: Millrace

beforeEach(async () => {
  broker = await startNativeBroker()
  client = await broker.connect()
})

afterEach(async () => {
  await broker.close()
})

describe('publishing', () => {
  it('resolves with the place of the message', async () => {
    const queue = client.queue('mail')
    expect(await queue.publish('hello')).toEqual({ partition: 0, offset: 0 })
    expect(await queue.publish({ to: 'ann' })).toEqual({ partition: 0, offset: 1 })
    const [first, second] = await queue.peek()
    expect(first!.text()).toBe('hello')
    expect(second!.json()).toEqual({ to: 'ann' })
    expect(new TextDecoder().decode(second!.headers['content-type']!)).toBe('application/json')
  })

  it('keeps key, headers and timestamp', async () => {
    await client
      .topic('orders')
      .publish(Uint8Array.of(0, 255), { key: 'k', headers: { a: 'x', b: Uint8Array.of(1) }, timestampMs: 1234 })
    const [message] = await client.topic('orders').peek()
    expect(message!.timestampMs).toBe(1234)
    expect(message!.value).toEqual(Uint8Array.of(0, 255))
    expect(message!.key).toEqual(new TextEncoder().encode('k'))
    expect({ ...message!.headers }).toEqual({ a: new TextEncoder().encode('x'), b: Uint8Array.of(1) })
  })

  it('borrows bytes during the call only, also before the broker has answered anything', async () => {
    const value = Uint8Array.of(0)
    const key = Uint8Array.of(0)
    const header = Uint8Array.of(0)
    const publisher = client.publisher('topic:lent')
    for (let n = 1; n <= 3; n++) {
      value[0] = key[0] = header[0] = n
      publisher.send(value, { key, headers: { header } })
    }
    await publisher.close()
    const messages = await client.topic('lent').peek()
    expect(messages.map(({ value: body, key: of, headers }) => [body![0], of![0], headers['header']![0]])).toEqual([
      [1, 1, 1],
      [2, 2, 2],
      [3, 3, 3],
    ])
  })

  it('confirms a batch with one receipt each, in order', async () => {
    const messages = Array.from({ length: 2500 }, (_, n) => ({ body: `message ${n}` }))
    const receipts = await client.queue('bulk').publishBatch(messages)
    expect(receipts.map((receipt) => receipt.offset)).toEqual(messages.map((_, n) => n))
    expect((await client.admin.queue('bulk')).ready).toBe(2500)
  })

  it('puts messages of one key into one partition, in order', async () => {
    await client.admin.createTopic({ name: 'keyed', partitions: 8 })
    const topic = client.topic('keyed')
    const receipts = await topic.publishBatch(Array.from({ length: 400 }, (_, n) => ({ body: `${n}`, key: `key ${n % 10}` })))
    for (let key = 0; key < 10; key++) {
      const mine = receipts.filter((_, n) => n % 10 === key)
      expect(new Set(mine.map((receipt) => receipt.partition)).size).toBe(1)
      const offsets = mine.map((receipt) => receipt.offset)
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
    }
    expect(new Set(receipts.map((receipt) => receipt.partition)).size).toBeGreaterThan(2)
  })

  it('holds back when the window is full', async () => {
    let confirmed = 0
    const publisher = client.publisher('queue:window', { window: 3, onConfirm: (messages) => (confirmed += messages) })
    expect(publisher.send('1')).toBe(true)
    expect(publisher.send('2')).toBe(true)
    expect(publisher.send('3')).toBe(false)
    expect(() => publisher.send('4')).toThrow(/window/)
    await publisher.ready()
    expect(publisher.unconfirmed).toBe(0)
    expect(confirmed).toBe(3)
    const later = Promise.all(Array.from({ length: 20 }, (_, n) => publisher.publish(`${n + 4}`)))
    expect(publisher.unconfirmed).toBeLessThanOrEqual(3)
    expect((await later).map((receipt) => receipt.offset)).toEqual(Array.from({ length: 20 }, (_, n) => n + 3))
    await publisher.close()
    await expect(publisher.publish('late')).rejects.toMatchObject({ code: 'closed' })
  })

  it('refuses what is too large without spoiling the rest', async () => {
    const queue = client.queue('large')
    const batchBytesMax = broker.context.broker.limits.batchBytesMax
    await queue.publish('small')
    await expect(queue.publish(new Uint8Array(batchBytesMax + 1))).rejects.toMatchObject({ code: 'record_too_large' })
    expect((await queue.publish('small again')).offset).toBe(1)
  })

  it('tells who awaits and who listens when a destination is refused', async () => {
    const errors: string[] = []
    const publisher = client.publisher('topic:no spaces please', {
      onError: (error, messages) => errors.push(`${error.name} ${messages}`),
    })
    publisher.send('one')
    await expect(publisher.publish('two')).rejects.toMatchObject({ code: 'illegal_name', retryable: false })
    expect(errors).toEqual(['MillraceError 2'])
    await expect(publisher.flush()).rejects.toMatchObject({ code: 'illegal_name' })
    await publisher.flush()
  })

  it.each(['queue', 'topic'] as const)('does not create a %s for a publisher that says so', async (kind) => {
    const created = () => (kind === 'queue' ? client.admin.queues() : client.admin.topics())
    const publisher = client.publisher(`${kind}:later`, { create: false })
    await expect(publisher.publish('one')).rejects.toMatchObject({ code: 'not_found' })
    await expect(publisher.publish('two')).rejects.toMatchObject({ code: 'not_found' })
    expect(await created()).toEqual([])
    await client[kind]('later').publish('by another')
    expect(await publisher.publish('three')).toEqual({ partition: 0, offset: 1 })
    await (kind === 'queue' ? client.admin.deleteQueue('later') : client.admin.deleteTopic('later'))
    await expect(publisher.publish('four')).rejects.toMatchObject({ code: 'not_found' })
    expect(await created()).toEqual([])
    await publisher.close()
  })
})

describe('consuming', () => {
  it('acks what the handler returns from, in order', async () => {
    const queue = client.queue('work')
    await queue.publishBatch(Array.from({ length: 1000 }, (_, n) => ({ body: `${n}` })))
    const seen: string[] = []
    const consumption = queue.consume((message) => void seen.push(message.text()))
    await until(async () => (await client.admin.queue('work')).counters.acked === 1000)
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, n) => `${n}`))
    await consumption.stop()
    await consumption.done
    expect((await client.admin.queue('work')).consumers).toBe(0)
  })

  it.each([
    ['returns', () => {}],
    ['returns a promise', () => sleep(5)],
  ])('can be stopped by a handler before it %s: its message is acked, and no other begun', async (_, rest) => {
    const queue = client.queue('one')
    await queue.publishBatch([{ body: 'first' }, { body: 'second' }])
    const errors: unknown[] = []
    const seen: string[] = []
    const consumption = queue.consume(
      (message) => {
        seen.push(message.text())
        void consumption.stop()
        return rest()
      },
      { onError: (error) => errors.push(error) },
    )
    await consumption.done
    expect([seen, errors]).toEqual([['first'], []])
    expect(await client.admin.queue('one')).toMatchObject({ ready: 1, inFlight: 0, counters: { acked: 1, redelivered: 0 } })
  })

  it('counts the attempt of a handler that stops it and throws', async () => {
    await client.queue('one').publish('x')
    const errors: unknown[] = []
    const consumption = client.queue('one').consume(
      () => {
        void consumption.stop()
        throw new Error('no')
      },
      { retryDelayMs: 0, onError: (error) => errors.push((error as Error).message) },
    )
    await consumption.done
    expect(errors).toEqual(['no'])
    const [again] = await client.queue('one').pull({ waitMs: 5000 })
    expect(again!.attempt).toBe(2)
  })

  it('does not get again what a handler gives back after it was stopped', async () => {
    await client.queue('one').publish('x')
    const consumption = client.queue('one').consume(
      async (message) => {
        void consumption.stop()
        await sleep(5)
        await message.defer()
      },
      { prefetch: 1 },
    )
    await consumption.done
    const facts = await client.admin.queue('one')
    expect(facts).toMatchObject({ ready: 1, inFlight: 0, counters: { delivered: 1, redelivered: 0 } })
    const [again] = await client.queue('one').pull({ waitMs: 5000 })
    expect(again!.attempt).toBe(1)
  })

  it('delivers again what the handler throws at, with the attempt counted', async () => {
    const queue = client.queue('retry')
    await queue.publish('poison')
    const attempts: number[] = []
    const errors: unknown[] = []
    const consumption = queue.consume(
      (message) => {
        attempts.push(message.attempt)
        if (message.attempt < 3) throw new Error(`no ${message.attempt}`)
      },
      { retryDelayMs: 1, onError: (error) => errors.push((error as Error).message) },
    )
    await until(() => attempts.length === 3)
    await consumption.stop()
    expect(attempts).toEqual([1, 2, 3])
    expect(errors).toEqual(['no 1', 'no 2'])
    expect((await client.admin.queue('retry')).counters.acked).toBe(1)
  })

  it('gives back what was fetched but never handled, without counting an attempt', async () => {
    const queue = client.queue('prefetched')
    await queue.publishBatch(['one', 'two', 'three'].map((body) => ({ body })))
    for await (const message of queue.messages()) {
      expect(message.text()).toBe('one')
      break
    }
    const again = await queue.pull({ max: 3, waitMs: 5000 })
    expect(again.map((message) => [message.text(), message.attempt])).toEqual([
      ['one', 2],
      ['two', 1],
      ['three', 1],
    ])
  })

  it('runs at most `concurrency` handlers and waits for them when stopped', async () => {
    const queue = client.queue('parallel')
    await queue.publishBatch(Array.from({ length: 50 }, (_, n) => ({ body: `${n}` })))
    let running = 0
    let most = 0
    let finished = 0
    const consumption = queue.consume(
      async () => {
        most = Math.max(most, ++running)
        await sleep(5)
        running--
        finished++
      },
      { concurrency: 7 },
    )
    await until(() => finished >= 20)
    await consumption.stop()
    expect(running).toBe(0)
    expect(most).toBe(7)
    const { counters, ready, inFlight } = await client.admin.queue('parallel')
    expect(counters.acked).toBe(finished)
    expect(ready + inFlight).toBe(50 - finished)
  })

  it('iterates, and gives back what is unsettled when the loop is left', async () => {
    const queue = client.queue('loop')
    await queue.publishBatch(Array.from({ length: 10 }, (_, n) => ({ body: `${n}` })))
    const seen: string[] = []
    for await (const message of queue.messages({ prefetch: 4 })) {
      seen.push(message.text())
      if (seen.length === 6) break
      await message.ack()
    }
    expect(seen).toEqual(['0', '1', '2', '3', '4', '5'])
    const info = await client.admin.queue('loop')
    expect(info.counters.acked).toBe(5)
    expect(info.ready).toBe(5)
    const [next] = await queue.pull({ max: 1 })
    expect(next!.text()).toBe('5')
    expect(next!.attempt).toBe(2)
  })

  it('ends the loop when its signal says so', async () => {
    const abort = new AbortController()
    const loop = (async () => {
      const seen: string[] = []
      for await (const message of client.queue('signal').messages({ signal: abort.signal })) seen.push(message.text())
      return seen
    })()
    await client.queue('signal').publish('one')
    await until(async () => (await client.admin.queue('signal')).inFlight === 1)
    abort.abort()
    expect(await loop).toEqual(['one'])
    await until(async () => (await client.admin.queue('signal')).ready === 1)
  })

  it('pulls what is there, and waits only when nothing is', async () => {
    const queue = client.queue('pull')
    expect(await queue.pull()).toEqual([])
    const waiting = queue.pull({ waitMs: 5000, max: 3 })
    await queue.publishBatch([{ body: 'a' }, { body: 'b' }, { body: 'c' }, { body: 'd' }])
    const messages = await waiting
    expect(messages.map((message) => message.text())).toEqual(['a', 'b', 'c'])
    await Promise.all(messages.map((message) => message.ack()))
    expect((await queue.pull({ max: 10 })).map((message) => message.text())).toEqual(['d'])
    expect(await queue.pull()).toEqual([])
  })

  it('says so when a message is settled twice, or after its lease', async () => {
    const queue = client.queue('stale')
    await queue.publishBatch([{ body: 'a' }, { body: 'b' }])
    const [first, second] = await queue.pull({ max: 2, leaseMs: 60 })
    await first!.ack()
    await expect(first!.ack()).rejects.toMatchObject({ code: 'stale_delivery' })
    await until(async () => (await client.admin.queue('stale')).ready === 1)
    await expect(second!.ack()).rejects.toMatchObject({ code: 'stale_delivery' })
    expect((await queue.pull())[0]!.text()).toBe('b')
  })

  it('keeps a message as long as its lease is extended', async () => {
    const queue = client.queue('lease')
    await queue.publish('long')
    const [message] = await queue.pull({ leaseMs: 150 })
    for (let n = 0; n < 6; n++) {
      await sleep(50)
      await message!.extend()
    }
    await message!.ack()
    expect((await client.admin.queue('lease')).counters).toMatchObject({ acked: 1, redelivered: 0 })
  })

  it('nacks with a delay, and rejects to the dead letters', async () => {
    await client.admin.createQueue({ name: 'dead' })
    await client.admin.createQueue({ name: 'alive', delivery: { deadLetter: 'queue:dead' } })
    const queue = client.queue('alive')
    await queue.publishBatch([{ body: 'later' }, { body: 'never' }])
    const [later, never] = await queue.pull({ max: 2 })
    const startedMs = performance.now()
    await later!.nack({ delayMs: 100, error: 'not yet' })
    await never!.reject('bad')
    const [again] = await queue.pull({ waitMs: 5000 })
    expect(performance.now() - startedMs).toBeGreaterThan(95)
    expect([again!.text(), again!.attempt]).toEqual(['later', 2])
    const [dead] = await client.queue('dead').pull({ waitMs: 1000 })
    expect(dead!.text()).toBe('never')
  })

  it('shares a topic between subscriptions, and one subscription between consumers', async () => {
    await client.admin.createTopic({ name: 'news', partitions: 4 })
    const topic = client.topic('news')
    const left: string[] = []
    const right: string[] = []
    const other = await broker.connect()
    const both = ['a', 'b'].flatMap((name, n) => [
      topic
        .subscription(name, { from: 'earliest' })
        .consume((message: Message) => void (n === 0 ? left : right).push(message.text())),
      other
        .topic('news')
        .subscription(name, { from: 'earliest' })
        .consume((message: Message) => void (n === 0 ? left : right).push(message.text())),
    ])
    const bodies = Array.from({ length: 300 }, (_, n) => `${n}`)
    await topic.publishBatch(bodies.map((body) => ({ body, key: body })))
    await until(() => left.length >= 300 && right.length >= 300)
    await Promise.all(both.map((consumption) => consumption.stop()))
    expect(left.toSorted()).toEqual(bodies.toSorted())
    expect(right.toSorted()).toEqual(bodies.toSorted())
  })

  it('tells the consumption when its queue is deleted', async () => {
    await client.queue('gone').publish('x')
    const consumption = client.queue('gone').consume(() => {})
    await until(async () => (await client.admin.queue('gone')).counters.acked === 1)
    await client.admin.deleteQueue('gone')
    await expect(consumption.done).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('reading', () => {
  it('reads to the end, and follows it', async () => {
    await client.admin.createTopic({ name: 'log', partitions: 3 })
    const topic = client.topic('log')
    await topic.publishBatch(Array.from({ length: 500 }, (_, n) => ({ body: `${n}`, key: `${n}` })))
    const stored: number[] = []
    for await (const message of topic.read({ from: 'earliest', untilEnd: true })) stored.push(Number(message.text()))
    expect(stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, n) => n))

    const live = topic.read()
    await topic.publish('live', { key: 'x' })
    expect((await live.next()).value.text()).toBe('live')
    await live.return!()
  })

  it('gives messages that there is nothing to settle of', async () => {
    const topic = client.topic('read-only')
    await topic.publish('x')
    const [peeked] = await topic.peek()
    const { value: read } = await topic.read({ from: 'earliest' }).next()
    for (const message of [peeked, read]) {
      expect(message.text()).toBe('x')
      for (const name of ['ack', 'nack', 'reject', 'extend', 'attempt']) expect(name in message).toBe(false)
    }
  })

  it('ends at once where there is nothing, and says what does not exist', async () => {
    await client.admin.createTopic({ name: 'empty' })
    for await (const message of client.topic('empty').read({ from: 'earliest', untilEnd: true }))
      expect.unreachable(message.text())
    for await (const message of client.topic('empty').read({ from: { timestampMs: 5 }, untilEnd: true }))
      expect.unreachable(message.text())
    await expect(client.topic('nowhere').read({ from: 'earliest' }).next()).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.topic('empty').read({ partition: 7 }).next()).rejects.toMatchObject({ code: 'not_found' })
    expect(await client.topic('empty').peek()).toEqual([])
  })

  it('ends when the client closes: with an error, if it was to reach the end', async () => {
    const other = await broker.connect()
    const topic = other.topic('long')
    await topic.publishBatch(Array.from({ length: 50_000 }, () => ({ body: 'x'.repeat(100) })))
    const following = topic.read({ from: 'latest' })
    const next = following.next()
    const reader = topic.read({ from: 'earliest', untilEnd: true })
    await reader.next()
    await other.close()
    expect(await next).toMatchObject({ done: true })
    const rest = async (): Promise<void> => {
      for await (const message of reader) expect(message.text()).toHaveLength(100)
    }
    await expect(rest()).rejects.toMatchObject({ code: 'closed' })
  })

  it('starts at an offset or a time', async () => {
    const topic = client.topic('from')
    for (let n = 0; n < 10; n++) await topic.publish(`${n}`, { timestampMs: 1000 + n })
    const texts = async (from: { offset: number } | { timestampMs: number }) => {
      const all: string[] = []
      for await (const message of topic.read({ from, untilEnd: true })) all.push(message.text())
      return all
    }
    expect(await texts({ offset: 7 })).toEqual(['7', '8', '9'])
    expect(await texts({ timestampMs: 1008 })).toEqual(['8', '9'])
    expect((await topic.peek({ from: { offset: 3 }, max: 2 })).map((message) => message.text())).toEqual(['3', '4'])
  })

  it('shows only what a selector matches, and where it stopped', async () => {
    for (const source of [client.queue('filtered'), client.topic('filtered')]) {
      await source.publishBatch(Array.from({ length: 100 }, (_, n) => ({ body: `${n}`, headers: { n: `${n}` } })))
      const filter = 'n % 10 = 7'
      const page = await source.peek({ filter, max: 4 })
      expect(page.map((message) => message.text())).toEqual(['7', '17', '27', '37'])
      expect(page.next).toEqual({ offset: 38 })
      const rest = await source.peek({ filter, max: 100, from: page.next! })
      expect(rest.map((message) => message.offset)).toEqual([47, 57, 67, 77, 87, 97])
      expect(rest.next).toBeUndefined()
      const none = await source.peek({ filter: 'n = 100' })
      expect([none, none.next]).toEqual([[], undefined])
      await expect(source.peek({ filter: 'n LIKE 7' })).rejects.toMatchObject({ code: 'bad_selector' })
      expect((await source.peek({ signal: AbortSignal.abort() })).next).toBe('earliest')
    }
    const topic = client.topic('filtered')
    const read: string[] = []
    for await (const message of topic.read({ from: 'earliest', untilEnd: true, filter: 'n > 96' })) read.push(message.text())
    expect(read).toEqual(['97', '98', '99'])
    const live = topic.read({ filter: "color = 'red'" })
    await topic.publish('green', { headers: { color: 'green' } })
    await topic.publish('red', { headers: { color: 'red' } })
    expect((await live.next()).value.text()).toBe('red')
    await live.return!()
    await expect(topic.read({ filter: 'color =' }).next()).rejects.toMatchObject({ code: 'bad_selector' })
  })

  it('stops a long search when its time is over, and goes on from there', async () => {
    const topic = client.topic('haystack')
    const messages = Array.from({ length: 20_000 }, (_, n) => ({ body: '', headers: { n: `${n}` } }))
    await topic.publishBatch(messages)
    let from: StartPosition | undefined = 'earliest'
    let pages = 0
    const found: number[] = []
    for (; from !== undefined; pages++) {
      const page: Peeked<StoredMessage> = await topic.peek({ filter: 'n = 19999', from, waitMs: 1 })
      found.push(...page.map((message) => message.offset))
      from = page.next
    }
    expect(found).toEqual([19_999])
  })
})

describe('administration', () => {
  it('creates, changes, lists and deletes', async () => {
    const { admin } = client
    await admin.createTopic({ name: 't', partitions: 2, retention: { records: 100 } })
    await admin.updateTopic('t', { partitions: 5 })
    expect(await admin.topic('t')).toMatchObject({ name: 't', partitions: 5, retention: { records: 100 }, cleanup: 'delete' })
    await admin.createSubscription({ topic: 't', name: 's', from: 'earliest' })
    expect((await admin.subscriptions('t')).map((info) => info.name)).toEqual(['s'])
    await admin.updateSubscription('t', 's', { delivery: { leaseMs: 900 } })
    expect((await admin.subscription('t', 's')).delivery.leaseMs).toBe(900)
    await admin.createQueue({ name: 'q', delivery: { leaseMs: 500 } })
    await admin.updateQueue('q', { delivery: { leaseMs: 700 } })
    expect((await admin.queue('q')).delivery.leaseMs).toBe(700)
    expect((await admin.topics()).map((info) => info.name)).toEqual(['t'])
    expect((await admin.queues()).map((info) => info.name)).toEqual(['q'])
    await admin.deleteSubscription('t', 's')
    await admin.deleteTopic('t')
    await admin.deleteQueue('q')
    expect(await admin.topics()).toEqual([])
    await expect(admin.queue('q')).rejects.toMatchObject({ code: 'not_found' })
    expect((await admin.status()).engine).toBe('memory')
  })

  it('names the mistake in a request', async () => {
    await expect(client.admin.createTopic({ name: 'x', partition: 3 } as never)).rejects.toThrow(
      /`partition` .*did you mean `partitions`/,
    )
    await expect(client.admin.createTopic({ name: 'x', partitions: 0 })).rejects.toMatchObject({ code: 'bad_request' })
    await expect(client.admin.createTopic({ name: 'bad name!' })).rejects.toMatchObject({ code: 'illegal_name' })
  })
})
