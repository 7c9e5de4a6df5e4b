import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Connection, Door, Session, SessionContext } from '../../protocols/session.ts'
import { loadConfig } from '../config/load.ts'
import type { ListenEntry } from '../config/config.ts'
import { silentLog, type Log } from '../log/log.ts'
import type { Listener, ListenerLimits } from './listener.ts'
import { refuseInsecureBinds } from './loopback.ts'
import { writeReadyFile } from './ready-file.ts'
import { openTcpListener } from './tcp-listener.ts'

/** For `expect.poll`: machines that are busy need time, and a test that passes does not use it up. */
const soon = { timeout: 20_000 }

const limits: ListenerLimits = { connectionsMax: 3, connectionsPerAddressMax: 2, outputBytesMax: 1024 * 1024 }
const noContext = {} as SessionContext

/** Answers each byte with `reply`, and tells what happens to it. */
class ProbeDoor implements Door {
  readonly name = 'native'
  readonly sessions: ProbeSession[] = []
  accept(connection: Connection): Session {
    const session = new ProbeSession(connection)
    this.sessions.push(session)
    return session
  }
}

class ProbeSession implements Session {
  readonly connection: Connection
  readonly events: string[] = []
  received = 0
  constructor(connection: Connection) {
    this.connection = connection
  }
  receive(bytes: Uint8Array): void {
    this.received += bytes.length
    this.connection.write([Buffer.from('<'), Buffer.from(bytes)])
    this.connection.write([Buffer.from('>')])
  }
  tick(): void {
    this.events.push('tick')
  }
  writable(): void {
    this.events.push('writable')
  }
  drain(): void {
    this.connection.write([Buffer.from('bye')])
    this.connection.close()
  }
  connectionClosed(): void {
    this.events.push('closed')
  }
}

const entry = (port: number, asked = true): ListenEntry => ({ door: 'native', name: 'native', host: '127.0.0.1', port, asked })

async function text(socket: Socket, bytes: number): Promise<string> {
  let received = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    received += chunk.toString()
    if (received.length >= bytes) break
  }
  return received
}

describe('a TCP listener', () => {
  let door: ProbeDoor
  let listener: Listener
  const sockets: Socket[] = []

  beforeEach(async () => {
    door = new ProbeDoor()
    listener = (await openTcpListener(door, entry(0), noContext, limits, silentLog))!
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await listener.close(0)
  })

  async function dial(): Promise<Socket> {
    const socket = connect(Number(listener.address.split(':')[1]), '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }

  test('carries bytes both ways, the writes of one turn as one piece', async () => {
    const socket = await dial()
    socket.write('hello')
    expect(await text(socket, 7)).toBe('<hello>')
    const { connection } = door.sessions[0]!
    expect(connection.peer).toEqual({
      address: `127.0.0.1:${socket.localPort}`,
      transport: 'tcp',
      reached: { host: '127.0.0.1', port: socket.remotePort },
      secure: false,
    })
    expect(connection.backlogBytes).toBe(0)
    expect(listener.connections).toBe(1)
  })

  test('tells the session once when the client leaves', async () => {
    const socket = await dial()
    socket.write('x')
    await text(socket, 3)
    socket.destroy()
    await expect.poll(() => door.sessions[0]!.events.filter((event) => event === 'closed'), soon).toEqual(['closed'])
    expect(listener.connections).toBe(0)
    expect(listener.accepted).toBe(1)
  })

  test('gives sessions the time', async () => {
    await dial()
    await expect.poll(() => door.sessions[0]?.events, soon).toContain('tick')
  })

  test('turns away what is beyond the limit per address', async () => {
    await dial()
    await dial()
    const third = await dial()
    await once(third, 'close')
    expect(door.sessions).toHaveLength(2)
  })

  test('stops reading from a client that does not read, and says when it may be written to again', async () => {
    const socket = await dial()
    socket.pause()
    const session = await expect
      .poll(() => door.sessions[0], soon)
      .toBeDefined()
      .then(() => door.sessions[0]!)
    const megabyte = Buffer.alloc(1024 * 1024)
    // The kernel takes some of it; what it does not take counts as backlog.
    while (session.connection.backlogBytes <= limits.outputBytesMax) {
      session.connection.write([megabyte])
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.write('more')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(session.received).toBe(0)
    expect(session.events).not.toContain('writable')

    socket.resume()
    await expect.poll(() => session.events, soon).toContain('writable')
    expect(session.connection.backlogBytes).toBeLessThanOrEqual(session.connection.backlogLowBytes)
    await expect.poll(() => session.received, soon).toBe(4)
  })

  test('lets sessions say goodbye when it closes, then accepts nobody', async () => {
    const socket = await dial()
    await expect.poll(() => door.sessions.length, soon).toBe(1)
    const received = text(socket, 3)
    await Promise.all([listener.close(5000), received])
    expect(await received).toBe('bye')
    const late = connect(Number(listener.address.split(':')[1]), '127.0.0.1')
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
  })

  test('cuts who does not finish in time', async () => {
    const stubborn: Door = {
      name: 'native',
      accept: () => ({ receive() {}, tick() {}, writable() {}, drain() {}, connectionClosed() {} }),
    }
    const other = (await openTcpListener(stubborn, entry(0), noContext, limits, silentLog))!
    const socket = connect(Number(other.address.split(':')[1]), '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    await expect.poll(() => other.connections, soon).toBe(1)
    const cut = once(socket, 'close')
    await other.close(30)
    await cut
  })
})

describe('a port that is taken', () => {
  let other: ReturnType<typeof createServer>
  let port: number
  beforeEach(async () => {
    other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    port = (other.address() as AddressInfo).port
  })
  afterEach(() => other.close())

  test('is an error when it was asked for', async () => {
    const opening = openTcpListener(new ProbeDoor(), entry(port), noContext, limits, silentLog)
    await expect(opening).rejects.toMatchObject({ code: 'address_in_use' })
    await expect(opening).rejects.toThrow(`127.0.0.1:${port}`)
    await expect(opening).rejects.toThrow('--listen native=')
  })

  test('is skipped with a warning when it is the default', async () => {
    const warnings: string[] = []
    const log: Log = { ...silentLog, warn: (event, message) => void warnings.push(`${event} ${message}`) }
    expect(await openTcpListener(new ProbeDoor(), entry(port, false), noContext, limits, log)).toBeUndefined()
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^listener.skipped .*127.0.0.1:${port}`))])
  })
})

test('an address of another machine is refused as configuration', async () => {
  const elsewhere: ListenEntry = { door: 'native', name: 'native', host: '192.0.2.1', port: 0, asked: true }
  await expect(openTcpListener(new ProbeDoor(), elsewhere, noContext, limits, silentLog)).rejects.toMatchObject({
    code: 'bad_config',
  })
})

const listening = async (address: string, allow = false, hasUsers = false): Promise<void> =>
  refuseInsecureBinds(
    await loadConfig({ flags: { listen: ['none', `native=${address}`], 'security.allowRemoteWithoutUsers': allow } }),
    hasUsers,
  )

describe('listening beyond this machine', () => {
  test.each(['0.0.0.0:1', '[::]:1', '192.0.2.1:1', '[fe80::1]:1'])('%s is refused', async (address) => {
    await expect(listening(address)).rejects.toMatchObject({ code: 'insecure_bind' })
    await expect(listening(address)).rejects.toThrow('security.allowRemoteWithoutUsers')
    await expect(listening(address, true)).resolves.toBeUndefined()
    await expect(listening(address, false, true)).resolves.toBeUndefined()
  })

  test.each(['127.0.0.1:1', '127.8.9.10:1', '[::1]:1', 'localhost:1', '[::ffff:127.0.0.1]:1'])(
    '%s is this machine',
    async (address) => {
      await expect(listening(address)).resolves.toBeUndefined()
    },
  )
})

test('the ready file is complete and goes away', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-ready-'))
  const path = join(directory, 'ready.json')
  const remove = writeReadyFile(path, { native: '127.0.0.1:6455' })
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ pid: process.pid, listeners: { native: '127.0.0.1:6455' } })
  remove()
  expect(existsSync(path)).toBe(false)
  expect(() => writeReadyFile(join(directory, 'missing', 'ready.json'), {})).toThrow(
    expect.objectContaining({ code: 'bad_config' }),
  )
  rmSync(directory, { recursive: true })
})
