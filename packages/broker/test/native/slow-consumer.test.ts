import { NATIVE_MAGIC } from '@millrace/wire'
import { expect, it } from 'vitest'
import { deliveryLimits } from '../../src/protocols/limits.ts'
import { nativeDoor } from '../../src/protocols/native/native-door.ts'
import { bytesOf, FakeConnection } from './fakes.ts'
import { startNativeBroker } from './native-broker.ts'

const turns = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve))
}

it.each(['consume', 'read'] as const)(
  'a peer that grants everything and reads nothing holds up nobody and no memory (%s)',
  async (mode) => {
    await using broker = await startNativeBroker()
    const client = await broker.connect()
    const messages = 3000
    const body = 'x'.repeat(10_000)
    await client.topic('t').publishBatch(Array.from({ length: messages }, (_, n) => ({ body: `${n} ${body}` })))

    const connection = new FakeConnection()
    connection.flowing = false
    const session = nativeDoor.accept(connection, broker.context)
    session.receive(bytesOf('hello', { magic: NATIVE_MAGIC, version: 1, options: {} }))
    const source = mode === 'read' ? 'topic:t' : 'topic:t/slow'
    session.receive(
      bytesOf('consume', {
        consumer: 0,
        options: { source, mode, from: 'earliest', ...(mode === 'read' ? {} : { create: true }) },
      }),
    )
    session.receive(bytesOf('grant', { consumer: 0, messages: 4_000_000_000 }))
    await turns(500)
    expect(connection.backlogBytes).toBeGreaterThan(deliveryLimits.backlogBytesHigh / 2)
    expect(connection.backlogBytes).toBeLessThan(deliveryLimits.backlogBytesHigh + 2 * deliveryLimits.sliceBytes)

    // Others are served meanwhile.
    let seen = 0
    for await (const message of client.topic('t').read({ from: 'earliest', untilEnd: true })) seen += message.partition + 1
    expect(seen).toBe(messages)

    // And it gets the rest as soon as it reads.
    let received = 0
    let next = 0
    for (let n = 0; n < 2000 && received < messages; n++) {
      for (const frame of connection.take()) {
        if (frame.name !== 'deliver') continue
        expect(frame.baseOffset + frame.firstDelta).toBe(next)
        next = frame.baseOffset + frame.lastDelta + 1
        received += frame.lastDelta - frame.firstDelta + 1
      }
      connection.backlogBytes = 0
      session.writable()
      await turns(3)
    }
    expect(received).toBe(messages)
    session.connectionClosed()
  },
)
