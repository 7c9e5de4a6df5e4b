import { randomFillSync } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { AmqpSocket } from './amqp/amqp-socket.ts'
import { consumption, declaration } from './amqp/crash-load.ts'

/** Who sends what is no AMQP, or nothing any more, against the real process. */

const GREETING = Buffer.from('AMQP\0\0\x09\x01', 'latin1')
const frame = (type: number, channel: number, payload: Buffer, end = 0xce): Buffer => {
  const head = Buffer.alloc(7)
  head.writeUInt8(type, 0)
  head.writeUInt16BE(channel, 1)
  head.writeUInt32BE(payload.length, 3)
  return Buffer.concat([head, payload, Buffer.from([end])])
}
const method = (classId: number, methodId: number, args = Buffer.alloc(0)): Buffer => {
  const ids = Buffer.alloc(4)
  ids.writeUInt16BE(classId, 0)
  ids.writeUInt16BE(methodId, 2)
  return Buffer.concat([ids, args])
}

let broker: BrokerProcess
let address: string

beforeAll(async () => {
  broker = await BrokerProcess.start({ arguments: ['--listen=amqp=127.0.0.1:0'] })
  address = broker.address('amqp')
})
afterAll(() => broker.stop())

async function dial(): Promise<{ socket: Socket; received: () => Buffer; ended: Promise<void> }> {
  const [host, port] = address.split(':') as [string, string]
  const socket = connect({ host, port: Number(port) })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A reset is an end too.
  socket.on('error', () => socket.destroy())
  const ended = new Promise<void>((resolve) => void socket.on('close', () => resolve()))
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return { socket, received: () => Buffer.concat(chunks), ended }
}

async function openConnections(): Promise<string | undefined> {
  const metrics = await (await fetch(`${broker.httpUrl}/metrics`)).text()
  return /^millrace_connections\{door="amqp".*\} (\d+)$/m.exec(metrics)?.[1]
}

/** @returns what a client gets that was published now */
async function canary(): Promise<string> {
  const client = await AmqpSocket.connect(address)
  await client.call(1, 'queue.declare', declaration('canary'))
  const body = new Promise<string>((resolve) => (client.onDelivery = (delivery) => resolve(delivery.body)))
  await client.call(1, 'basic.consume', consumption('canary', true))
  await client.write(client.messageBytes('canary', 'alive'))
  const received = await body
  client.destroy()
  return received
}

describe('before a login', () => {
  const garbage = Buffer.alloc(100_000)
  randomFillSync(garbage)
  garbage[0] = 0

  test.each<[string, Buffer]>([
    ['noise', garbage],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['TLS', Buffer.from('160301020001000100', 'hex')],
    ['AMQP 1.0', Buffer.from('AMQP\0\x01\0\0', 'latin1')],
    ['noise after the greeting', Buffer.concat([GREETING, garbage])],
    ['a frame of an unknown type', Buffer.concat([GREETING, frame(9, 0, Buffer.alloc(10))])],
    ['a frame that announces 4 GiB', Buffer.concat([GREETING, Buffer.from([1, 0, 0, 0xff, 0xff, 0xff, 0xff])])],
    ['a frame with a wrong end', Buffer.concat([GREETING, frame(1, 0, method(10, 11), 0)])],
    ['a method that there is not', Buffer.concat([GREETING, frame(1, 0, method(77, 77))])],
    ['a publish', Buffer.concat([GREETING, frame(1, 1, method(60, 40, Buffer.alloc(6)))])],
    ['an opened connection', Buffer.concat([GREETING, frame(1, 0, method(10, 40, Buffer.from([1, 0x2f, 0, 0])))])],
    ['tables in tables without an end', Buffer.concat([GREETING, frame(1, 0, method(10, 11, Buffer.alloc(8000, 'F')))])],
  ])('%s ends the connection, and nothing else', async (_, bytes) => {
    const { socket, ended } = await dial()
    for (let at = 0; at < bytes.length && !socket.destroyed; at += 1000) socket.write(bytes.subarray(at, at + 1000))
    await ended
    expect(await canary()).toBe('alive')
  })

  test('a thousand such connections leave nothing behind', { timeout: 60_000 }, async () => {
    for (let round = 0; round < 10; round++) {
      const all = await Promise.all(Array.from({ length: 100 }, dial))
      for (const { socket } of all) socket.write(Buffer.concat([GREETING, garbage.subarray(0, 2000)]))
      await Promise.all(all.map(({ ended }) => ended))
    }
    for (const endMs = performance.now() + 10_000; (await openConnections()) !== '0' && performance.now() < endMs;)
      await sleep(50)
    expect(await openConnections()).toBe('0')
    expect(await canary()).toBe('alive')
  })

  test('who says nothing, or goes on too slowly, is cut off in time', { timeout: 30_000 }, async () => {
    const [silent, greeted] = [await dial(), await dial()]
    greeted.socket.write(GREETING)
    const startedMs = performance.now()
    await Promise.all([silent.ended, greeted.ended])
    const tookMs = performance.now() - startedMs
    expect(tookMs).toBeGreaterThan(8000)
    expect(tookMs).toBeLessThan(15_000)
    expect(greeted.received().length).toBeGreaterThan(100)
  })
})

describe('heartbeats', () => {
  test('of somebody who is silent end the connection, and what it held goes to others', { timeout: 30_000 }, async () => {
    const silent = await AmqpSocket.connect(address, { heartbeat: 1 })
    await silent.call(1, 'queue.declare', declaration('held'))
    const first = new Promise<string>((resolve) => (silent.onDelivery = ({ body }) => resolve(body)))
    await silent.call(1, 'basic.consume', consumption('held', false))
    await silent.write(silent.messageBytes('held', 'mine'))
    expect(await first).toBe('mine')
    const ended = new Promise<void>((resolve) => (silent.onClosed = resolve))
    const other = await AmqpSocket.connect(address)
    const taken = new Promise<boolean>((resolve) => (other.onDelivery = ({ redelivered }) => resolve(redelivered)))
    await other.call(1, 'basic.consume', consumption('held', false))
    const startedMs = performance.now()
    await ended
    expect(performance.now() - startedMs).toBeGreaterThan(1000)
    expect(await taken).toBe(true)
    other.destroy()
  })

  test('come in time from the broker, and keep alive who sends them', { timeout: 30_000 }, async () => {
    const client = await AmqpSocket.connect(address, { heartbeat: 1 })
    const beat = setInterval(() => void client.write(frame(8, 0, Buffer.alloc(0))), 500)
    await sleep(5000)
    clearInterval(beat)
    expect(client.closed).toBe(false)
    expect(client.heartbeats).toBeGreaterThan(3)
    client.destroy()
  })

  test('a half-open socket, whose other side does not read, is cut too', { timeout: 30_000 }, async () => {
    const deaf = await AmqpSocket.connect(address, { heartbeat: 1 })
    await deaf.call(1, 'queue.declare', declaration('deep'))
    const message = deaf.messageBytes('deep', 'm'.repeat(100_000))
    for (let n = 0; n < 300; n++) await deaf.write(message)
    await deaf.call(1, 'basic.consume', consumption('deep', false))
    deaf.stopReading()
    const other = await AmqpSocket.connect(address)
    const count = async (): Promise<number> => {
      const answer = await other.call(1, 'queue.declare', { ...declaration('deep'), passive: true })
      return (answer as { readonly messageCount: number }).messageCount
    }
    for (const endMs = performance.now() + 15_000; (await count()) < 300 && performance.now() < endMs;) await sleep(100)
    expect(await count()).toBe(300)
    for (const client of [deaf, other]) client.destroy()
  })
})
