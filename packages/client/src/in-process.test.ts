import { describe, expect, it } from 'vitest'
import { inProcessDial, type InProcessConnection, type InProcessSession } from './in-process.ts'
import type { Transport } from './transport.ts'

class EchoSession implements InProcessSession {
  readonly connection: InProcessConnection
  readonly received: number[] = []
  readonly events: string[] = []

  constructor(connection: InProcessConnection) {
    this.connection = connection
  }

  receive(bytes: Uint8Array): void {
    this.received.push(...bytes)
    if (bytes[0] === 0xff) this.connection.pause()
  }

  tick(): void {
    this.events.push('tick')
  }

  writable(): void {
    this.events.push('writable')
  }

  connectionClosed(): void {
    this.events.push('closed')
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function pair(): Promise<{ session: EchoSession; transport: Transport; seen: number[]; ends: (Error | undefined)[] }> {
  let session!: EchoSession
  const seen: number[] = []
  const ends: (Error | undefined)[] = []
  const dial = inProcessDial((connection) => (session = new EchoSession(connection)))
  const events = { data: (bytes: Uint8Array) => void seen.push(bytes.length), closed: (error?: Error) => void ends.push(error) }
  const transport = await dial(events, new AbortController().signal)
  return { session, transport, seen, ends }
}

describe('an in-process connection', () => {
  it('hands over at the end of the turn, in order', async () => {
    const { session, transport, seen } = await pair()
    transport.write([Uint8Array.of(1), Uint8Array.of(2)])
    session.connection.write([new Uint8Array(5)])
    expect(session.received).toEqual([])
    expect(session.connection.backlogBytes).toBe(5)
    await turn()
    expect(session.received).toEqual([1, 2])
    expect(seen).toEqual([5])
    expect(session.connection.backlogBytes).toBe(0)
  })

  it('lets bytes wait while the broker does not read', async () => {
    const { session, transport } = await pair()
    transport.write([Uint8Array.of(0xff), Uint8Array.of(1)])
    transport.write([Uint8Array.of(2)])
    await turn()
    await turn()
    expect(session.received).toEqual([0xff])
    session.connection.resume()
    await turn()
    expect(session.received).toEqual([0xff, 1, 2])
  })

  it('tells when a backlog is gone', async () => {
    const { session } = await pair()
    session.connection.write([new Uint8Array(session.connection.backlogLowBytes + 1)])
    await turn()
    expect(session.events).toEqual(['writable'])
  })

  it('delivers what was written before either side closed', async () => {
    const first = await pair()
    first.transport.write([Uint8Array.of(7)])
    first.transport.close()
    await turn()
    expect(first.session.received).toEqual([7])
    expect([first.session.events, first.ends]).toEqual([['closed'], [undefined]])

    const second = await pair()
    second.session.connection.write([new Uint8Array(3)])
    second.session.connection.close()
    second.session.connection.write([new Uint8Array(4)])
    await turn()
    expect(second.seen).toEqual([3])
    expect([second.session.events, second.ends]).toEqual([['closed'], [undefined]])
  })

  it('ends once', async () => {
    const { session, transport, ends } = await pair()
    transport.destroy()
    transport.close()
    session.connection.close()
    await turn()
    await turn()
    expect([session.events, ends]).toEqual([['closed'], [undefined]])
  })
})
