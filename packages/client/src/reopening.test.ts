import { type Frame, FrameReader, frameSchemas, FrameWriter, readFrame, writeFrame } from '@millrace/wire'
import { expect, it } from 'vitest'
import { connectInProcess, type InProcessConnection, type InProcessSession } from './in-process.ts'

const facts = { brokerId: 'b', brokerVersion: '1', heartbeatMs: 10_000, frameBytesMax: 1e6, batchBytesMax: 1e6 }
const reason = { code: 'not_found', message: 'There is no queue here.' }

/** A broker without a queue. The connection is lost before the first of its sessions could refuse a message. */
class QueuelessSession implements InProcessSession {
  readonly seen: string[] = []
  readonly #connection: InProcessConnection
  readonly #losesConnection: boolean
  readonly #reader = new FrameReader(1e6)
  readonly #writer = new FrameWriter()

  constructor(connection: InProcessConnection, losesConnection: boolean) {
    this.#connection = connection
    this.#losesConnection = losesConnection
  }

  receive(bytes: Uint8Array): void {
    this.#reader.feed(bytes)
    while (this.#reader.next()) {
      const { bytes: from, view, start, end } = this.#reader
      const frame = readFrame(from, view, start, end)
      this.seen.push(frame.name)
      this.#answer(frame)
    }
    this.#connection.write(this.#writer.take())
    if (this.#losesConnection && this.seen.includes('publish')) this.#connection.close()
  }

  tick(): void {}
  writable(): void {}
  connectionClosed(): void {}

  #answer(frame: Frame): void {
    const writer = this.#writer
    if (frame.name === 'hello') writeFrame(writer, 'welcome', { version: 1, facts })
    else if (frame.name === 'open') writeFrame(writer, 'openFailed', { publisher: frame.publisher, reason })
    else if (frame.name === 'publish' && !this.#losesConnection) {
      writeFrame(writer, 'refused', { publish: 0, position: 0, reason })
      writer.begin(frameSchemas.confirm.opcode)
      writer.u32(1)
      writer.f64(NaN)
      writer.end()
    }
  }
}

it('a message that waits to be refused is refused on the next connection', async () => {
  const sessions: QueuelessSession[] = []
  const accept = (connection: InProcessConnection): QueuelessSession => {
    const session = new QueuelessSession(connection, sessions.length === 0)
    sessions.push(session)
    return session
  }
  const client = await connectInProcess(accept, { reconnectDelayMs: { min: 1, max: 1 } })
  await expect(client.queue('q').publish('x')).rejects.toMatchObject({ code: 'not_found' })
  await client.close()
  expect(sessions.map(({ seen }) => seen.slice(0, 3))).toEqual([
    ['hello', 'open', 'publish'],
    ['hello', 'open', 'publish'],
  ])
})
