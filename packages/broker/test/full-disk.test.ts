import { rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { AmqpSocket } from './amqp/amqp-socket.ts'
import { consumption, declaration } from './amqp/crash-load.ts'
import { directoryPerTest } from './harness/directory-per-test.ts'
import { commandsFor } from './harness/run-command.ts'

/** For `expect.poll`: the broker asks the file system once a second. */
const soon = { timeout: 20_000 }

const inDirectory = directoryPerTest()
/** While this file is there the file system says that it has nothing left. */
const full = (): string => inDirectory('full')

/** Loaded before the broker: the file system says that it has nothing left, as long as there is a certain file. */
function fillableDisk(): string {
  const file = inDirectory('fillable-disk.mjs')
  writeFileSync(
    file,
    `import fs, { existsSync } from 'node:fs'
     import { syncBuiltinESMExports } from 'node:module'
     const { statfs } = fs.promises
     fs.promises.statfs = async (path) => ({ ...(await statfs(path)), ...(existsSync(${JSON.stringify(full())}) ? { bavail: 0 } : {}) })
     syncBuiltinESMExports()`,
  )
  return file
}

test('a full disk: publishes are refused and say why, consuming goes on, and nothing is lost', { timeout: 90_000 }, async () => {
  const broker = await BrokerProcess.start({ node: ['--import', fillableDisk()], data: inDirectory('data') })
  const run = commandsFor(broker.url)
  const publish = (body: string): Promise<Response> =>
    fetch(`${broker.httpUrl}/v1/queues/mail/messages`, { method: 'POST', body })
  const consume = async (): Promise<string> => (await run(['sub', 'queue:mail', '--count', '1', '-q'])).stdout
  const ready = async (): Promise<number> => (await fetch(`${broker.httpUrl}/readyz`)).status
  expect((await run(['pub', 'queue:mail', 'kept', '--count', '3'])).code).toBe(0)
  expect(await ready()).toBe(200)

  writeFileSync(full(), '')
  let taken = 3
  await expect
    .poll(async () => {
      const { status } = await publish('more')
      if (status === 201) taken++
      return status
    }, soon)
    .toBe(503)
  const refused = await publish('more')
  expect(refused.headers.get('content-type')).toBe('application/problem+json')
  expect(await refused.json()).toMatchObject({ code: 'disk_full', detail: expect.stringContaining('free space') as string })
  expect(await run(['pub', 'queue:mail', 'more'])).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/^millrace: the disk has no room for new messages: free space.*\n$/) as string,
  })
  expect(await ready()).toBe(503)
  expect(await consume()).toBe('kept\n')

  await broker.kill()
  rmSync(full())
  const again = await BrokerProcess.start({ data: broker.data })
  const { stdout } = await commandsFor(again.url)(['queue', 'get', 'mail', '-o', 'json'])
  expect(JSON.parse(stdout)).toMatchObject({ ready: taken - 1, inFlight: 0 })
  expect((await commandsFor(again.url)(['pub', 'queue:mail', 'room again'])).code).toBe(0)
  await again.stop()
})

test('room that comes back is used without a restart', { timeout: 60_000 }, async () => {
  writeFileSync(full(), '')
  const broker = await BrokerProcess.start({ node: ['--import', fillableDisk()], data: inDirectory('data') })
  const publish = async (): Promise<number> =>
    (await fetch(`${broker.httpUrl}/v1/queues/mail/messages`, { method: 'POST', body: 'x' })).status
  await expect.poll(publish, soon).toBe(503)
  rmSync(full())
  await expect.poll(publish, soon).toBe(201)
  await broker.stop()
})

test(
  'AMQP clients that have published are told at once, idle as they are, and consumers go on',
  { timeout: 60_000 },
  async () => {
    const options = ['--listen=amqp=127.0.0.1:0']
    const broker = await BrokerProcess.start({
      node: ['--import', fillableDisk()],
      data: inDirectory('data'),
      arguments: options,
    })
    const [publisher, consumer] = [
      await AmqpSocket.connect(broker.address('amqp')),
      await AmqpSocket.connect(broker.address('amqp')),
    ]
    const told: string[] = []
    publisher.onMethod = ({ name, args }) => void told.push('reason' in args ? `${name}: ${args.reason}` : name)
    await publisher.call(1, 'queue.declare', declaration('mail'))
    await publisher.write(publisher.messageBytes('mail', 'before'))
    await publisher.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 1, global: false })
    writeFileSync(full(), '')
    await expect.poll(() => told, { timeout: 20_000 }).toEqual(['connection.blocked: low on disk'])
    const bodies: string[] = []
    consumer.onDelivery = ({ tag, body }) => {
      bodies.push(body)
      consumer.send(1, 'basic.ack', { deliveryTag: tag, multiple: false })
    }
    await consumer.call(1, 'basic.consume', consumption('mail', false))
    await publisher.write(publisher.messageBytes('mail', 'while blocked'))
    await expect.poll(() => bodies).toEqual(['before'])
    rmSync(full())
    await expect.poll(() => told.at(-1), { timeout: 20_000 }).toBe('connection.unblocked')
    await expect.poll(() => bodies).toEqual(['before', 'while blocked'])
    for (const client of [publisher, consumer]) client.destroy()
    await broker.stop()
  },
)

test(
  'AMQP clients whose first publish finds a full disk, without confirms, are blocked and not refused, and lose nothing',
  { timeout: 60_000 },
  async () => {
    const broker = await BrokerProcess.start({
      node: ['--import', fillableDisk()],
      data: inDirectory('data'),
      arguments: ['--listen=amqp=127.0.0.1:0'],
    })
    const ready = async (): Promise<number> => (await fetch(`${broker.httpUrl}/readyz`)).status
    const publisher = await AmqpSocket.connect(broker.address('amqp'))
    const told: string[] = []
    publisher.onMethod = ({ name, args }) => void told.push('reason' in args ? `${name}: ${args.reason}` : name)
    await publisher.call(1, 'queue.declare', declaration('mail'))
    writeFileSync(full(), '')
    await expect.poll(ready, soon).toBe(503)
    // More than sockets hold, so that it ends up waiting for the broker to read.
    const many = 2000
    const body = 'x'.repeat(16_384)
    let written = 0
    const writing = (async () => {
      for (; written < many; written++) await publisher.write(publisher.messageBytes('mail', `${written} ${body}`))
    })()
    await expect.poll(() => told, soon).toEqual(['connection.blocked: low on disk'])
    let looked = -1
    const stands = (): boolean => looked === (looked = written)
    await expect.poll(stands, { ...soon, interval: 500 }).toBe(true)
    expect(written).toBeLessThan(many)
    rmSync(full())
    await writing
    await publisher.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 0, global: false })
    expect(told).toEqual(['connection.blocked: low on disk', 'connection.unblocked'])
    const numbers: number[] = []
    publisher.onDelivery = ({ body: text }) => void numbers.push(parseInt(text, 10))
    await publisher.call(1, 'basic.consume', consumption('mail', true))
    await expect.poll(() => numbers.length, soon).toBe(many)
    expect(numbers).toEqual(Array.from({ length: many }, (_, n) => n))
    publisher.destroy()
    await broker.stop()
  },
)
