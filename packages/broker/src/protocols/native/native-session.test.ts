import { type Frame, type FrameBody, type FrameName, NATIVE_MAGIC } from '@millrace/wire'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  batch,
  bytesOf,
  FakeBroker,
  fakeContext,
  FakeConnection,
  type FakeConsumer,
  FakePlatform,
} from '../../../test/native/fakes.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Delivery } from '../../core/broker.ts'
import type { Session, SessionContext } from '../session.ts'
import { OTHER_PORT_HINT } from './greeting.ts'
import { limits } from './limits.ts'
import { deliveryLimits } from '../limits.ts'
import { nativeDoor } from './native-door.ts'

let platform: FakePlatform
let broker: FakeBroker
let connection: FakeConnection
let context: SessionContext
let session: Session

beforeEach(() => {
  platform = new FakePlatform()
  broker = new FakeBroker()
  connection = new FakeConnection()
  context = fakeContext(platform, broker)
  session = nativeDoor.accept(connection, context)
})

function send<N extends FrameName>(name: N, body: FrameBody<N>): void {
  session.receive(bytesOf(name, body))
}

/** Ends the turn and shows what the session wrote. */
function answer(): Frame[] {
  platform.endTurn()
  return connection.take()
}

/** Lets a second pass. */
function nextSecond(): Frame[] {
  platform.advance(1000)
  session.tick(platform.nowMs)
  return answer()
}

function hello(): void {
  send('hello', { magic: NATIVE_MAGIC, version: 1, options: {} })
  expect(answer().map((frame) => frame.name)).toEqual(['welcome'])
}

function open(publisher = 0, destination = 'queue:q'): void {
  send('open', { publisher, create: 1, destination })
  expect(answer()).toEqual([{ name: 'opened', publisher, partitions: 3 }])
}

function consume(consumer = 0): FakeConsumer {
  send('consume', { consumer, options: { source: 'queue:q', mode: 'consume' } })
  expect(answer()).toEqual([{ name: 'consuming', consumer }])
  return broker.consumers.at(-1)!
}

function delivery(baseOffset: number, bytes: Uint8Array, first = baseOffset, last = baseOffset): Delivery {
  return { partition: 0, baseOffset, first, last, attempt: 1, batch: bytes }
}

function ascii(text: string): string {
  return Buffer.from(text).toString('hex')
}

function u32(value: number): string {
  return value.toString(16).padStart(8, '0')
}

function goodbye(code: string, message: string): string {
  const json = ascii(JSON.stringify({ code, message }))
  return `${u32(5 + json.length / 2)}05${u32(json.length / 2)}${json}`
}

// ---- what it does -----------------------------------------------------------------------------------------------------

describe('transcripts', () => {
  it('hello -> welcome', () => {
    session.receive(Buffer.from(`00000010014d4c5243010000000 6${ascii('{}    ')}`.replaceAll(' ', ''), 'hex'))
    platform.endTurn()
    const facts = ascii(
      '{"brokerId":"b","brokerVersion":"1","heartbeatMs":10000,"frameBytesMax":2048576,"batchBytesMax":1000000}',
    )
    expect(connection.hex).toBe(`${u32(6 + facts.length / 2)}0201${u32(facts.length / 2)}${facts}`)
    expect(connection.closed).toBe(false)
  })

  it.each([
    [
      'another protocol',
      '474554202f20485454502f312e310d0a',
      'record_too_large',
      `A frame of 1195725856 bytes; at most 16384 are allowed. ${OTHER_PORT_HINT}`,
    ],
    ['a frame before hello', '0000000103', 'bad_request', `\`ping\` before \`hello\`. ${OTHER_PORT_HINT}`],
    [
      'another magic',
      '0000000c01414d515001000000027b7d',
      'unsupported',
      `This is not the Millrace native protocol. ${OTHER_PORT_HINT}`,
    ],
    [
      'another version',
      '0000000c014d4c524309000000027b7d',
      'unsupported',
      'This broker speaks version 1 of the native protocol, not 9.',
    ],
    ['an empty frame', '00000000', 'bad_request', `A frame of length 0: every frame has at least an opcode. ${OTHER_PORT_HINT}`],
    ['a cut hello', '00000005014d4c5243', 'bad_request', `\`hello\` ends early. ${OTHER_PORT_HINT}`],
    [
      'hello with a list',
      '0000000c014d4c524301000000025b5d',
      'bad_request',
      `\`hello\` has a JSON field that is not an object. ${OTHER_PORT_HINT}`,
    ],
  ])('%s -> goodbye', (_, input, code, message) => {
    session.receive(Buffer.from(input, 'hex'))
    expect(connection.hex).toBe(goodbye(code, message))
    expect(connection.closed).toBe(true)
  })

  it('an unknown opcode after hello -> goodbye', () => {
    hello()
    connection.hex = ''
    session.receive(Buffer.from('00000001ff', 'hex'))
    expect(connection.hex).toBe(goodbye('unsupported', 'Unknown opcode 0xff.'))
    expect(connection.closed).toBe(true)
  })
})

describe('life of a connection', () => {
  it('closes when no hello comes in time', () => {
    platform.advance(9_999)
    session.tick(platform.nowMs)
    expect(connection.closed).toBe(false)
    platform.advance(1)
    session.tick(platform.nowMs)
    expect(connection.closed).toBe(true)
    expect(answer()).toMatchObject([{ name: 'goodbye', reason: { code: 'timeout' } }])
  })

  it('pings after silence of its own and closes after silence of the other side', () => {
    hello()
    for (let n = 0; n < 9; n++) expect(nextSecond()).toEqual([])
    const later = Array.from({ length: 9 }, nextSecond).flat()
    expect(later.map((frame) => frame.name)).toEqual(['ping'])
    send('pong', {})
    for (let n = 0; n < 19; n++) nextSecond()
    expect(connection.closed).toBe(false)
    for (let n = 0; n < 3; n++) nextSecond()
    expect(connection.closed).toBe(true)
  })

  it('answers a ping', () => {
    hello()
    send('ping', {})
    expect(answer()).toEqual([{ name: 'pong' }])
  })

  it('refuses a hello with unknown fields, and a second one', () => {
    send('hello', { magic: NATIVE_MAGIC, version: 1, options: { usr: 'x' } })
    expect(connection.take()).toMatchObject([
      { name: 'goodbye', reason: { code: 'bad_request', message: expect.stringMatching(/did you mean `user`/) } },
    ])
  })

  it('says goodbye when it drains, after what was under way', () => {
    hello()
    open()
    send('publish', { publisher: 0, partition: -1, batch: batch('a') })
    session.drain()
    expect(answer()).toEqual([])
    broker.commit()
    expect(answer().map((frame) => frame.name)).toEqual(['confirm', 'goodbye'])
    expect(connection.closed).toBe(true)
    session.connectionClosed()
  })
})

describe('publishing', () => {
  beforeEach(() => {
    hello()
    open()
  })

  it('confirms what is durable, in one frame per turn', () => {
    const stream = Buffer.concat([
      bytesOf('publish', { publisher: 0, partition: 2, batch: batch('a') }),
      bytesOf('publish', { publisher: 0, partition: -1, batch: batch('b', 'c') }),
    ])
    session.receive(stream.subarray(0, 20))
    session.receive(stream.subarray(20))
    expect(answer()).toEqual([])
    expect(broker.published.map(([name, partition]) => [name, partition])).toEqual([
      ['queue:q', 2],
      ['queue:q', -1],
    ])
    broker.commit()
    expect(answer()).toEqual([{ name: 'confirm', baseOffsets: [100, 101] }])
    broker.commit()
    expect(answer()).toEqual([])
  })

  it('does not confirm the open commit', () => {
    send('publish', { publisher: 0, partition: 0, batch: batch('a') })
    broker.tickets++
    send('publish', { publisher: 0, partition: 0, batch: batch('b') })
    broker.tickets--
    broker.commit()
    expect(answer()).toEqual([{ name: 'confirm', baseOffsets: [100] }])
    broker.commit()
    expect(answer()).toEqual([{ name: 'confirm', baseOffsets: [101] }])
  })

  it('tells refusals in their place in the order', () => {
    send('publish', { publisher: 0, partition: 0, batch: batch('a') })
    broker.refusal = new MillraceError('disk_full', 'no room')
    send('publish', { publisher: 0, partition: 0, batch: batch('b') })
    broker.refusal = undefined
    send('publish', { publisher: 0, partition: 0, batch: batch('c') })
    expect(answer()).toEqual([])
    broker.commit()
    expect(answer()).toEqual([
      { name: 'refused', publish: 1, position: 0, reason: { code: 'disk_full', message: 'no room' } },
      { name: 'confirm', baseOffsets: [100, Number.NaN, 101] },
    ])
  })

  it('takes batches for later in the order of publishes, and confirms them with their ids', () => {
    send('publish', { publisher: 0, partition: 0, batch: batch('a') })
    send('publishLater', { publisher: 0, partition: 2, dueMs: 1_900_000_000_000, batch: batch('b') })
    broker.refusal = new MillraceError('bad_request', 'too late')
    send('publishLater', { publisher: 0, partition: 0, dueMs: 2 ** 52, batch: batch('c') })
    expect(broker.scheduled).toEqual([['queue:q', 2, batch('b'), 1_900_000_000_000]])
    broker.commit()
    expect(answer()).toEqual([
      { name: 'refused', publish: 2, position: 0, reason: { code: 'bad_request', message: 'too late' } },
      { name: 'confirm', baseOffsets: [100, 101, Number.NaN] },
    ])
  })

  it('tells a refusal at once when nothing is before it', () => {
    broker.refusal = new MillraceError('overloaded', 'too much')
    send('publish', { publisher: 0, partition: 0, batch: batch('a') })
    expect(answer().map((frame) => frame.name)).toEqual(['refused', 'confirm'])
  })

  it('tells which batches are refused, and goes on', () => {
    const damaged = batch('a')
    damaged[61] = 0x7f
    send('publish', { publisher: 0, partition: 0, batch: damaged })
    send('publish', { publisher: 0, partition: 0, batch: new Uint8Array(3) })
    send('publish', { publisher: 0, partition: 0, batch: batch('good') })
    broker.commit()
    const frames = answer()
    expect(frames).toMatchObject([
      { name: 'refused', publish: 0, position: 0, reason: { code: 'bad_batch' } },
      { name: 'refused', publish: 1, position: 0, reason: { code: 'bad_batch' } },
      { name: 'confirm', baseOffsets: [Number.NaN, Number.NaN, 100] },
    ])
  })

  it('tells why a destination cannot be opened, and refuses its publishes', () => {
    send('open', { publisher: 7, create: 0, destination: 'queue:missing' })
    expect(answer()).toEqual([{ name: 'openFailed', publisher: 7, reason: { code: 'not_found', message: 'no such queue' } }])
    send('publish', { publisher: 7, partition: 0, batch: batch('a') })
    expect(answer()[0]).toMatchObject({ name: 'refused', publish: 0, position: 0, reason: { code: 'not_found' } })
    send('release', { publisher: 7 })
    open(7)
  })

  it('ends the connection for a publisher that is not open, or open twice', () => {
    send('publish', { publisher: 9, partition: 0, batch: batch('a') })
    expect(connection.take()).toMatchObject([{ name: 'goodbye', reason: { code: 'bad_request' } }])
  })

  it('tells of new partitions', () => {
    broker.partitions = 8
    session.tick(platform.nowMs)
    expect(answer()).toEqual([{ name: 'opened', publisher: 0, partitions: 8 }])
  })

  it('whoever is over its quota is not read from for a while, and stays alive', () => {
    broker.quotaWaitMs = 30_000
    send('publish', { publisher: 0, partition: -1, batch: batch('a') })
    expect(broker.charged).toEqual([['anonymous', '', 'publish', expect.any(Number)]])
    expect(broker.charged[0]![3]).toBeGreaterThanOrEqual(batch('a').length)
    expect(connection.paused).toBe(true)
    for (let second = 0; second < 29; second++) nextSecond()
    expect([connection.paused, connection.closed]).toEqual([true, false])
    nextSecond()
    expect(connection.paused).toBe(false)
    broker.quotaWaitMs = 0
    send('publish', { publisher: 0, partition: -1, batch: batch('a') })
    expect(connection.paused).toBe(false)
  })

  it('stops reading while the broker has too much to write', () => {
    broker.congested = true
    send('publish', { publisher: 0, partition: 0, batch: batch('a') })
    expect(connection.paused).toBe(true)
    expect(broker.reliefListeners).toBe(1)
    broker.relieve()
    expect(connection.paused).toBe(false)
    expect(broker.reliefListeners).toBe(0)
  })

  it('stops reading while the broker is low on memory, and no shorter', () => {
    broker.congested = true
    broker.shortages.memory = true
    send('publish', { publisher: 0, partition: 0, batch: batch('a') })
    broker.relieve()
    expect([connection.paused, broker.published.length]).toEqual([true, 1])
    broker.shortages.memory = false
    broker.relieve()
    expect(connection.paused).toBe(false)
  })

  it('leaves no listener behind', () => {
    broker.congested = true
    send('publish', { publisher: 0, partition: 0, batch: batch('a') })
    session.connectionClosed()
    expect(broker.reliefListeners).toBe(0)
    broker.commit()
    expect(answer()).toEqual([])
  })
})

describe('consuming', () => {
  beforeEach(hello)

  it('passes credit on and delivers', () => {
    const consumer = consume()
    send('grant', { consumer: 0, messages: 5 })
    expect(consumer.credit).toBe(0)
    expect(answer()).toEqual([])
    expect(consumer.credit).toBe(5)
    const bytes = batch('a', 'b', 'c')
    consumer.sink.deliver(delivery(10, bytes, 10, 12))
    expect(answer()).toEqual([
      { name: 'deliver', consumer: 0, partition: 0, baseOffset: 10, firstDelta: 0, lastDelta: 2, attempt: 1, batch: bytes },
    ])
  })

  it('cuts out of a large batch what the credit covers', () => {
    const consumer = consume()
    const bytes = batch(...Array.from({ length: 100 }, (_, n) => `body ${n} ${'x'.repeat(50)}`))
    consumer.sink.deliver(delivery(0, bytes, 40, 41))
    const [frame] = answer()
    expect(frame).toMatchObject({ name: 'deliver', firstDelta: 40, lastDelta: 41 })
    expect((frame as { batch: Uint8Array }).batch.length).toBeLessThan(250)
  })

  it('never has much more under way than a peer takes that stopped reading', () => {
    const consumer = consume()
    connection.flowing = false
    send('grant', { consumer: 0, messages: 1_000_000 })
    const body = batch('x'.repeat(10_000))
    let offset = 0
    for (let turn = 0; turn < 10_000; turn++) {
      platform.endTurn()
      if (consumer.credit === 0) break
      consumer.credit--
      consumer.sink.deliver(delivery(offset, body, offset, offset))
      offset++
    }
    platform.endTurn()
    expect(consumer.credit).toBe(0)
    expect(connection.backlogBytes).toBeLessThan(deliveryLimits.backlogBytesHigh + 2 * deliveryLimits.sliceBytes)
    connection.take()

    connection.flowing = true
    connection.backlogBytes = 0
    session.writable()
    platform.endTurn()
    expect(consumer.credit).toBeGreaterThan(10)
  })

  it('settles, and says when that is durable', () => {
    const consumer = consume()
    send('settle', { consumer: 0, outcome: 0, ranges: [{ partition: 1, first: 5, last: 9, attempt: 2 }], options: undefined })
    send('settle', {
      consumer: 0,
      outcome: 1,
      ranges: [{ partition: 0, first: 1, last: 1, attempt: 0 }],
      options: { delayMs: 50, error: 'later' },
    })
    send('settle', {
      consumer: 0,
      outcome: 2,
      ranges: [{ partition: 0, first: 2, last: 2, attempt: 1 }],
      options: { reason: 'bad' },
    })
    expect(consumer.settled).toEqual([
      [1, 5, 9, { kind: 'ack' }, 2],
      [0, 1, 1, { kind: 'nack', delayMs: 50, error: 'later' }, undefined],
      [0, 2, 2, { kind: 'reject', reason: 'bad' }, 1],
    ])
    expect(answer()).toEqual([])
    broker.commit()
    expect(answer()).toEqual([{ name: 'settled', count: 3 }])
  })

  it('tells which ranges were stale, and settles the others', () => {
    const consumer = consume()
    broker.stale = 6
    const ranges = [1, 6, 8].map((n) => ({ partition: 0, first: n, last: n, attempt: 1 }))
    send('settle', { consumer: 0, outcome: 0, ranges, options: undefined })
    expect(consumer.settled.map(([, first]) => first)).toEqual([1, 8])
    broker.commit()
    expect(answer()).toEqual([
      { name: 'settleFailed', settle: 0, reason: { code: 'stale_delivery', message: '6 is not held', ranges: [1] } },
      { name: 'settled', count: 1 },
    ])
  })

  it('answers a settle for a consumer that is gone, and an extension, without a commit', () => {
    const consumer = consume()
    send('settle', { consumer: 0, outcome: 3, ranges: [{ partition: 0, first: 4, last: 4, attempt: 1 }], options: undefined })
    send('settle', { consumer: 0, outcome: 3, ranges: [{ partition: 0, first: 4, last: 4, attempt: 0 }], options: undefined })
    expect(consumer.settled).toEqual([
      [0, 4, 4, 'extend', 1],
      [0, 4, 4, 'extend', undefined],
    ])
    expect(answer()).toEqual([{ name: 'settled', count: 2 }])
    send('settle', { consumer: 5, outcome: 0, ranges: [{ partition: 0, first: 4, last: 4, attempt: 1 }], options: undefined })
    expect(answer()).toMatchObject([
      { name: 'settleFailed', settle: 2, reason: { code: 'stale_delivery' } },
      { name: 'settled', count: 1 },
    ])
  })

  it('refuses options of a settle that are wrong, without ending the connection', () => {
    consume()
    send('settle', { consumer: 0, outcome: 1, ranges: [{ partition: 0, first: 4, last: 4, attempt: 1 }], options: { delay: 5 } })
    expect(answer()).toMatchObject([{ name: 'settleFailed', reason: { code: 'bad_request' } }, { name: 'settled' }])
    expect(connection.closed).toBe(false)
    send('settle', { consumer: 0, outcome: 9, ranges: [], options: undefined })
    expect(connection.closed).toBe(true)
  })

  it('leaves, and frees the number', () => {
    const consumer = consume()
    send('leave', { consumer: 0 })
    expect(consumer.closed).toBe(true)
    expect(answer()).toMatchObject([{ name: 'ended', consumer: 0, reason: { code: 'closed' } }])
    send('grant', { consumer: 0, messages: 5 })
    consumer.sink.deliver(delivery(0, batch('late')))
    expect(answer()).toEqual([])
    consume()
  })

  it('takes credit back on request', () => {
    const consumer = consume()
    send('grant', { consumer: 0, messages: 5 })
    platform.endTurn()
    send('revoke', { consumer: 0 })
    expect(consumer.credit).toBe(0)
    expect(answer()).toEqual([{ name: 'revoked', consumer: 0 }])
  })

  it('ends a consumer whose queue is gone or never was', () => {
    const consumer = consume()
    consumer.sink.closed(new MillraceError('not_found', 'deleted'))
    expect(answer()).toEqual([{ name: 'ended', consumer: 0, reason: { code: 'not_found', message: 'deleted' } }])
    send('consume', { consumer: 1, options: { source: 'queue:missing', mode: 'consume' } })
    expect(answer()).toMatchObject([{ name: 'ended', consumer: 1, reason: { code: 'not_found' } }])
    send('consume', { consumer: 2, options: { source: 'queue:q', mode: 'eat' } })
    expect(answer()).toMatchObject([{ name: 'ended', consumer: 2, reason: { code: 'bad_request' } }])
  })

  it('gives everything back when the connection is lost', () => {
    const consumer = consume()
    session.connectionClosed()
    expect(consumer.closed).toBe(true)
  })

  it('tells a reader once that it caught up', () => {
    send('consume', { consumer: 3, options: { source: 'topic:t', mode: 'read', from: 'earliest' } })
    expect(answer()).toEqual([{ name: 'consuming', consumer: 3 }])
    send('grant', { consumer: 3, messages: 10 })
    expect(answer()).toEqual([])
    const { sink } = broker.consumers.at(-1)!
    sink.deliver(delivery(0, batch('x')))
    sink.caughtUp!()
    expect(answer().map(({ name }) => name)).toEqual(['deliver', 'caughtUp'])
    expect(answer()).toEqual([])
    send('settle', { consumer: 3, outcome: 0, ranges: [{ partition: 0, first: 0, last: 0, attempt: 0 }], options: undefined })
    expect(answer()).toMatchObject([{ name: 'settleFailed', reason: { code: 'bad_request' } }, { name: 'settled' }])
  })
})

describe('calls', () => {
  beforeEach(hello)

  it('answers with results and failures', async () => {
    send('call', { call: 1, method: 'queue.get', params: { name: 'q' } })
    send('call', { call: 2, method: 'queue.eat', params: {} })
    send('call', { call: 3, method: 'queue.get', params: {} })
    send('call', { call: 4, method: 'constructor', params: {} })
    await platform.settle()
    expect(connection.take()).toMatchObject([
      { name: 'reply', call: 1, result: { name: 'q', ready: 3 } },
      { name: 'failure', call: 2, reason: { code: 'unsupported' } },
      { name: 'failure', call: 3, reason: { code: 'bad_request', message: expect.stringMatching(/`name` is missing/) } },
      { name: 'failure', call: 4, reason: { code: 'unsupported' } },
    ])
  })

  it('asks for access on every path', async () => {
    const asked: string[] = []
    context = {
      ...context,
      authorize: (principal, action, resource) => {
        asked.push(`${principal.user} ${action} ${resource}`)
        throw new MillraceError('forbidden', 'no')
      },
    }
    connection = new FakeConnection()
    session = nativeDoor.accept(connection, context)
    send('hello', { magic: NATIVE_MAGIC, version: 1, options: { user: 'ann' } })
    answer()
    send('open', { publisher: 0, create: 1, destination: 'queue:q' })
    send('consume', { consumer: 0, options: { source: 'queue:q', mode: 'consume' } })
    send('consume', { consumer: 1, options: { source: 'topic:t', mode: 'read' } })
    send('call', { call: 1, method: 'queue.create', params: { name: 'q' } })
    await platform.settle()
    expect(asked).toEqual(['ann publish queue:q', 'ann consume queue:q', 'ann read topic:t', 'ann create queue:q'])
    const frames = connection.take()
    expect(frames.map((frame) => frame.name)).toEqual(['openFailed', 'ended', 'ended', 'failure'])
    for (const frame of frames) expect(frame).toMatchObject({ reason: { code: 'forbidden' } })
    expect(broker.consumers).toEqual([])
  })

  it('limits how many run at once', () => {
    for (let call = 0; call <= limits.callsMax; call++) send('call', { call, method: 'queue.get', params: { name: 'q' } })
    expect(answer()).toMatchObject([{ name: 'failure', call: limits.callsMax, reason: { code: 'overloaded' } }])
  })
})
