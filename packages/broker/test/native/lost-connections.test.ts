import { connect, type ConnectionState, type Message, type Millrace, type MillraceError } from '@millrace/client'
import { WebSocketServer, WebSocket } from 'ws'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CuttingProxy } from './cutting-proxy.ts'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'
import { sleep, until } from './until.ts'

const reconnectDelayMs = { min: 1, max: 20 }
let broker: NativeBroker
let proxy: CuttingProxy
let client: Millrace

beforeEach(async () => {
  broker = await startNativeBroker()
  proxy = await CuttingProxy.start(await broker.listen())
  client = await connect(proxy.url, { reconnectDelayMs })
})

afterEach(async () => {
  await client.close().catch(() => {})
  await proxy[Symbol.asyncDispose]()
  await broker.close()
})

function stateIs(wanted: ConnectionState): Promise<void> {
  return new Promise((resolve) => {
    const stop = client.on('state', (state) => {
      if (state !== wanted) return
      stop()
      resolve()
    })
  })
}

describe('a connection that is lost', () => {
  it('loses nothing that was confirmed, and nothing that was sent, and keeps the order', async () => {
    const topic = client.topic('log')
    await topic.publish('first')
    const publisher = client.publisher('topic:log', { batchBytes: 500 })
    const total = 4000
    let confirmed = 0
    const sent = (async () => {
      for (let n = 0; n < total; n++) {
        if (!publisher.send(`${n}`)) await publisher.ready()
        if (n % 50 === 0) await sleep(1)
        if (n % 400 === 200) proxy.cut()
      }
      await publisher.flush()
      confirmed = total
    })()
    await sent
    expect(confirmed).toBe(total)
    expect(proxy.cuts).toBeGreaterThan(3)

    const other = await broker.connect()
    const stored: number[] = []
    for await (const message of other.topic('log').read({ from: { offset: 1 }, untilEnd: true }))
      stored.push(Number(message.text()))
    // At least once: runs may be repeated, but nothing is skipped.
    const seen = new Set<number>()
    for (const n of stored) {
      if (!seen.has(n)) expect(n).toBe(seen.size)
      seen.add(n)
    }
    expect(seen.size).toBe(total)
  })

  it('delivers everything, and what was acked before never again', async () => {
    const total = 2000
    const queue = (await broker.connect()).queue('work')
    await queue.publishBatch(Array.from({ length: total }, (_, n) => ({ body: `${n}` })))
    const acked = new Set<string>()
    const handled = new Map<string, number>()
    const again: string[] = []
    const handle = async (message: Message): Promise<void> => {
      const text = message.text()
      if (acked.has(text)) again.push(text)
      handled.set(text, (handled.get(text) ?? 0) + 1)
      await message.ack().then(
        () => void acked.add(text),
        (error: unknown) => expect(['stale_delivery', 'outcome_unknown']).toContain((error as MillraceError).code),
      )
    }
    const consumption = client.queue('work').consume(handle, { concurrency: 20 })
    while (acked.size < total * 0.9 && proxy.cuts < 15) {
      await sleep(7)
      proxy.cut()
    }
    await until(async () => (await queue.peek({ max: 1 })).length === 0)
    await consumption.stop()
    expect(handled.size).toBe(total)
    expect(again).toEqual([])
  })

  it('makes what is held stale, and delivers it again', async () => {
    await client.queue('held').publish('x')
    const [message] = await client.queue('held').pull({ waitMs: 1000 })
    const lost = stateIs('connecting')
    proxy.cut()
    await lost
    await expect(message!.ack()).rejects.toMatchObject({ code: 'stale_delivery' })
    const [again] = await client.queue('held').pull({ waitMs: 5000 })
    expect([again!.text(), again!.attempt]).toEqual(['x', 2])
    await again!.ack()
  })

  it('lets a reader go on where it was', async () => {
    await client.admin.createTopic({ name: 'follow', partitions: 2 })
    const topic = client.topic('follow')
    const seen: number[] = []
    const reading = (async () => {
      for await (const message of topic.read({ from: 'earliest' })) {
        seen.push(Number(message.text()))
        if (seen.length === 600) break
      }
    })()
    const writer = (await broker.connect()).topic('follow')
    for (let n = 0; n < 600; n += 20) {
      await writer.publishBatch(Array.from({ length: 20 }, (_, m) => ({ body: `${n + m}`, key: `${m}` })))
      if (n % 100 === 0) proxy.cut()
    }
    await reading
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, n) => n))
  })

  it('tells its state', async () => {
    const states: [ConnectionState, string | undefined][] = []
    client.on('state', (state, cause) => states.push([state, cause?.name]))
    proxy.cut()
    await until(() => states.length === 2)
    expect(states).toEqual([
      ['connecting', 'MillraceError'],
      ['connected', undefined],
    ])
    await client.close()
    expect(client.state).toBe('closed')
  })

  it('repeats calls that may be repeated', async () => {
    for (let n = 0; n < 20; n++) {
      const call = client.admin.createQueue({ name: `q${n}` })
      setTimeout(() => proxy.cut(), n % 4)
      await call
    }
    expect(await (await broker.connect()).admin.queues()).toHaveLength(20)
  })
})

describe('a broker that is not there', () => {
  it('is given up after the connect timeout, with the reason', async () => {
    const startedMs = performance.now()
    const attempt = connect('millrace://127.0.0.1:1', { connectTimeoutMs: 300, reconnectDelayMs })
    await expect(attempt).rejects.toMatchObject({ code: 'timeout', message: expect.stringMatching(/ECONNREFUSED/) as string })
    expect(performance.now() - startedMs).toBeLessThan(2000)
  })

  it('is not waited for when the signal says so', async () => {
    const abort = new AbortController()
    const attempt = connect('millrace://127.0.0.1:1', { connectTimeoutMs: false, reconnectDelayMs, signal: abort.signal })
    setTimeout(() => abort.abort(), 50)
    await expect(attempt).rejects.toThrow(/abort/)
  })

  it('rejects what was published and never confirmed when the client closes', async () => {
    const hasty = await connect(proxy.url, { reconnectDelayMs, closeTimeoutMs: 200 })
    const publisher = hasty.publisher('queue:q')
    await publisher.publish('one')
    await proxy[Symbol.asyncDispose]()
    await until(() => hasty.state === 'connecting')
    const lost = publisher.publish('two')
    const outcome = lost.catch((error: unknown) => error)
    const abort = new AbortController()
    const aborted = publisher.publish('three', { signal: abort.signal }).catch((error: unknown) => error)
    abort.abort()
    expect(await aborted).toMatchObject({ name: 'AbortError' })
    await hasty.close()
    expect(await outcome).toMatchObject({ code: 'outcome_unknown', retryable: true })
    expect(hasty.state).toBe('closed')
  })

  it('needs a URL that is one', async () => {
    await expect(connect('localhost')).rejects.toMatchObject({ code: 'bad_request' })
    await expect(connect('http://localhost')).rejects.toThrow(/millrace:\/\//)
  })
})

describe('a broker that shuts down', () => {
  it('does no harm to what is sent meanwhile: the next one gets it, in order', async () => {
    const total = 3000
    const errors: Error[] = []
    const publisher = client.publisher('topic:log', { batchBytes: 300, onError: (error) => errors.push(error) })
    const sending = (async () => {
      for (let n = 0; n < total; n++) {
        if (!publisher.send(`${n}`)) await publisher.ready()
        if (n % 20 === 0) await sleep(1)
      }
      await publisher.flush()
    })()
    for (let restart = 0; restart < 3; restart++) {
      await sleep(20)
      await broker.closeListeners()
      proxy.retarget(await broker.listen())
    }
    await sending
    expect(errors).toEqual([])
    const stored: number[] = []
    for await (const message of (await broker.connect()).topic('log').read({ from: 'earliest', untilEnd: true })) {
      stored.push(Number(message.text()))
    }
    // An orderly shutdown answers everything it took: not even repetitions.
    expect(stored).toEqual(Array.from({ length: total }, (_, n) => n))
  })
})

describe('over WebSocket', () => {
  it('does the same', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('connection', (socket) => {
      const session = broker.accept({
        peer: { address: 'ws', transport: 'in-process', secure: false },
        backlogBytes: 0,
        backlogLowBytes: 1,
        write: (chunks) => {
          for (const chunk of chunks) socket.send(chunk)
        },
        close: () => socket.close(),
        pause: () => socket.pause(),
        resume: () => socket.resume(),
      })
      socket.on('message', (data) => session.receive(data as Buffer))
      socket.on('close', () => session.connectionClosed())
    })
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    const remote = await connect(url, { WebSocket, reconnectDelayMs })
    await remote.queue('ws').publishBatch(Array.from({ length: 100 }, (_, n) => ({ body: `${n}` })))
    const messages = await remote.queue('ws').pull({ max: 100, waitMs: 1000 })
    expect(messages.map((message) => message.text())).toEqual(Array.from({ length: 100 }, (_, n) => `${n}`))
    await Promise.all(messages.map((message) => message.ack()))
    for (const socket of server.clients) socket.terminate()
    expect((await remote.queue('ws').publish('after')).offset).toBe(100)
    await remote.close()
    server.close()
  })
})
