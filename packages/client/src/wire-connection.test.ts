import { type Frame, type FrameBody, type FrameName, FrameWriter, writeFrame } from '@millrace/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MillraceError } from './errors.ts'
import type { Transport, TransportEvents } from './transport.ts'
import { type FrameHandler, WireConnection } from './wire-connection.ts'

class FakeTransport implements Transport {
  events!: TransportEvents
  readonly written: Uint8Array[] = []
  state: 'open' | 'closed' | 'destroyed' = 'open'

  readonly dial = (events: TransportEvents): Promise<Transport> => {
    this.events = events
    return Promise.resolve(this)
  }

  write(chunks: readonly Uint8Array[]): void {
    this.written.push(...chunks)
  }

  close(): void {
    this.state = 'closed'
  }

  destroy(): void {
    this.state = 'destroyed'
  }
}

class Recorder implements FrameHandler {
  readonly frames: string[] = []
  error: MillraceError | undefined

  deliver(): void {
    this.frames.push('deliver')
  }

  confirm(): void {
    this.frames.push('confirm')
  }

  control(frame: Frame): void {
    this.frames.push(frame.name)
  }

  lost(error: MillraceError): void {
    this.error = error
  }
}

function bytesOf<N extends FrameName>(name: N, body: FrameBody<N>): Uint8Array {
  const writer = new FrameWriter()
  writeFrame(writer, name, body)
  return Uint8Array.from(writer.take().flatMap((chunk) => [...chunk]))
}

const facts = { brokerId: 'b', brokerVersion: '1', heartbeatMs: 10_000, frameBytesMax: 1e6, batchBytesMax: 1e6 }
const welcome = bytesOf('welcome', { version: 1, facts })

async function greeted(): Promise<{ transport: FakeTransport; handler: Recorder; connection: WireConnection }> {
  const transport = new FakeTransport()
  const handler = new Recorder()
  const opening = WireConnection.open(transport.dial, {}, handler, new AbortController().signal)
  await Promise.resolve()
  await Promise.resolve()
  transport.events.data(welcome)
  return { transport, handler, connection: await opening }
}

/** What opening gives when the broker's first bytes are `answer`. */
async function refuse(answer: Uint8Array): Promise<unknown> {
  const transport = new FakeTransport()
  const opening = WireConnection.open(transport.dial, {}, new Recorder(), new AbortController().signal).catch(
    (error: unknown) => error,
  )
  await Promise.resolve()
  await Promise.resolve()
  transport.events.data(answer)
  return opening
}

describe('a connection to a broker', () => {
  it('says hello and takes the broker at its word', async () => {
    const { transport, connection } = await greeted()
    expect(Buffer.concat(transport.written).toString('hex')).toBe('0000000c014d4c524301000000027b7d')
    expect(connection.facts).toEqual(facts)
  })

  it('reports why the broker said goodbye', async () => {
    const { transport, handler } = await greeted()
    transport.events.data(bytesOf('goodbye', { reason: { code: 'draining', message: 'bye' } }))
    expect(handler.error).toMatchObject({ code: 'draining', message: 'bye', retryable: true })
    expect(transport.state).toBe('destroyed')
    transport.events.closed()
    expect(handler.error).toMatchObject({ code: 'draining' })
  })

  it('rejects when it is refused before welcome, or answered with something else', async () => {
    expect(await refuse(bytesOf('goodbye', { reason: { code: 'unauthorized', message: 'who?' } }))).toMatchObject({
      code: 'unauthorized',
    })
    expect(await refuse(bytesOf('settled', { count: 1 }))).toMatchObject({ code: 'closed' })
    expect(await refuse(bytesOf('welcome', { version: 1, facts: {} }))).toMatchObject({ code: 'closed' })
    expect(await refuse(new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n'))).toMatchObject({ code: 'closed' })
  })

  it('answers pings', async () => {
    const { transport } = await greeted()
    transport.written.length = 0
    transport.events.data(bytesOf('ping', {}))
    await new Promise((resolve) => setImmediate(resolve))
    expect(transport.written).toEqual([bytesOf('pong', {})])
  })

  it('takes garbage from a broker as a lost connection, and nothing worse', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }),
        fc.boolean(),
        async (pieces, greetedFirst) => {
          const transport = new FakeTransport()
          const handler = new Recorder()
          const opening = WireConnection.open(transport.dial, {}, handler, new AbortController().signal).catch(
            (error: unknown) => error,
          )
          await Promise.resolve()
          await Promise.resolve()
          if (greetedFirst) transport.events.data(welcome)
          for (const piece of pieces) transport.events.data(piece)
          transport.events.closed()
          const outcome = await opening
          const error = handler.error ?? outcome
          expect(error).toMatchObject({ name: 'MillraceError', code: expect.any(String) as string })
        },
      ),
      { numRuns: 500 },
    )
  })
})
