import { NATIVE_MAGIC } from '@millrace/wire'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { batch, bytesOf, FakeBroker, fakeContext, FakeConnection, FakePlatform } from '../../../test/native/fakes.ts'
import type { Session, SessionContext } from '../session.ts'
import { nativeDoor } from './native-door.ts'

let platform: FakePlatform
let broker: FakeBroker
let context: SessionContext

beforeEach(() => {
  platform = new FakePlatform()
  broker = new FakeBroker()
  context = fakeContext(platform, broker)
})

function freshSession(greeted: boolean): { session: Session; connection: FakeConnection } {
  const fresh = new FakeConnection()
  const victim = nativeDoor.accept(fresh, context)
  if (greeted) victim.receive(bytesOf('hello', { magic: NATIVE_MAGIC, version: 1, options: {} }))
  return { session: victim, connection: fresh }
}

/** Well formed more or less. */
const anyTransaction = fc.record(
  {
    publishes: fc.array(
      fc.record(
        { to: fc.array(fc.constantFrom('queue:q', 'topic:t', '')), bytes: fc.nat({ max: 90 }), partition: fc.nat() },
        { requiredKeys: ['to', 'bytes'] },
      ),
    ),
    settles: fc.array(
      fc.record({
        consumer: fc.nat({ max: 4 }),
        outcome: fc.constantFrom('ack', 'nack', 'eat'),
        ranges: fc.array(fc.integer({ min: -1, max: 9 })),
      }),
    ),
    other: fc.jsonValue(),
  },
  { requiredKeys: [] },
)

describe('a native session', () => {
  const anyFrame = fc.oneof(
    fc
      .record({
        publisher: fc.nat({ max: 4 }),
        partition: fc.integer({ min: -2, max: 4 }),
        batch: fc.uint8Array({ maxLength: 90 }),
      })
      .map((body) => bytesOf('publish', body)),
    fc
      .record({
        publisher: fc.nat({ max: 4 }),
        partition: fc.integer({ min: -2, max: 4 }),
        dueMs: fc.maxSafeNat(),
        batch: fc.uint8Array({ maxLength: 90 }),
      })
      .map((body) => bytesOf('publishLater', body)),
    fc
      .record({ publisher: fc.nat({ max: 70_000 }), create: fc.nat({ max: 1 }), destination: fc.string() })
      .map((body) => bytesOf('open', body)),
    fc.record({ consumer: fc.nat({ max: 4 }), messages: fc.nat() }).map((body) => bytesOf('grant', body)),
    fc
      .record({ transaction: fc.nat(), request: anyTransaction, batches: fc.uint8Array({ maxLength: 90 }) })
      .map((body) => bytesOf('transact', body)),
    fc
      .record({ consumer: fc.nat({ max: 4 }), options: fc.dictionary(fc.string(), fc.jsonValue()) })
      .map((body) => bytesOf('consume', body)),
    fc
      .record({ consumer: fc.nat({ max: 4 }), outcome: fc.nat({ max: 4 }), first: fc.nat(), length: fc.nat({ max: 10 }) })
      .map(({ consumer, outcome, first, length }) =>
        bytesOf('settle', {
          consumer,
          outcome,
          ranges: [{ partition: 0, first, last: first + length, attempt: 0 }],
          options: undefined,
        }),
      ),
    fc
      .constantFrom('queue:q', 'topic:t')
      .map((source) => bytesOf('consume', { consumer: 1, options: { source, mode: 'consume' } })),
    fc.record({ consumer: fc.nat({ max: 4 }) }).map((body) => bytesOf('leave', body)),
    fc
      .record({ call: fc.nat(), method: fc.string(), params: fc.dictionary(fc.string(), fc.jsonValue()) })
      .map((body) => bytesOf('call', body)),
    fc.uint8Array({ maxLength: 60 }),
  )

  it('survives garbage before and after hello: it answers, or says goodbye and closes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(anyFrame, { maxLength: 20 }),
        fc.integer({ min: 1, max: 64 }),
        async (greeted, pieces, size) => {
          const victim = freshSession(greeted)
          const stream = Buffer.concat(pieces)
          for (let at = 0; at < stream.length && !victim.connection.closed; at += size) {
            victim.session.receive(stream.subarray(at, at + size))
            platform.endTurn()
          }
          broker.commit()
          await platform.settle()
          const frames = victim.connection.take()
          const goodbyes = frames.filter((frame) => frame.name === 'goodbye')
          expect(goodbyes.length).toBe(victim.connection.closed ? 1 : 0)
          if (!greeted) expect(frames.every((frame) => frame.name === 'goodbye' || frame.name === 'welcome')).toBe(true)
          victim.session.connectionClosed()
          platform.endTurn()
        },
      ),
      { numRuns: 500 },
    )
    expect(broker.consumers.every((consumer) => consumer.closed)).toBe(true)
  })

  it('takes a stream that is cut at every byte', () => {
    const stream = Buffer.concat([
      bytesOf('hello', { magic: NATIVE_MAGIC, version: 1, options: { clientId: 'c' } }),
      bytesOf('open', { publisher: 0, create: 1, destination: 'queue:q' }),
      bytesOf('publish', { publisher: 0, partition: 0, batch: batch('a') }),
      bytesOf('consume', { consumer: 0, options: { source: 'queue:q', mode: 'consume' } }),
      bytesOf('settle', {
        consumer: 0,
        outcome: 0,
        ranges: [{ partition: 0, first: 0, last: 0, attempt: 1 }],
        options: undefined,
      }),
    ])
    for (let at = 0; at <= stream.length; at++) {
      const victim = freshSession(false)
      victim.session.receive(stream.subarray(0, at))
      victim.session.receive(stream.subarray(at))
      platform.endTurn()
      broker.commit()
      platform.endTurn()
      expect(victim.connection.take().map((frame) => frame.name)).toEqual([
        'welcome',
        'opened',
        'consuming',
        'confirm',
        'settled',
      ])
      victim.session.connectionClosed()
    }
  })
})
