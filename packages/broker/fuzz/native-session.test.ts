import {
  encodeBatch,
  FrameReader,
  frameSchemas,
  FrameWriter,
  NATIVE_MAGIC,
  NATIVE_VERSION,
  readFrame,
  writeFrame,
} from '@millrace/wire'
import type { Frame, FrameName } from '@millrace/wire'
import { expect, test } from 'vitest'
import { VirtualPlatform } from '../sim/virtual-platform.ts'
import { openBroker } from '../src/core/open-broker.ts'
import { crc32c } from '../src/engines/disk/checksum.ts'
import { openMemoryJournal } from '../src/engines/memory/index.ts'
import { CommitWaiters } from '../src/protocols/commit-waiters.ts'
import { nativeDoor } from '../src/protocols/native/native-door.ts'
import { openToAll } from '../src/protocols/security.ts'
import { allowAll } from '../src/protocols/session.ts'
import type { Connection, SessionContext } from '../src/protocols/session.ts'
import { openLogStore } from '../src/storage/open-log-store.ts'
import { concat, fuzzing } from './fuzz.ts'
import type { FuzzRandom } from './fuzz.ts'
import { randomFrame } from './random-frame.ts'

const SESSIONS = 6
const FRAMES_MAX = 40
const WRITTEN_BYTES_MAX = 8 * 1024 * 1024
const clientFrames = (Object.keys(frameSchemas) as FrameName[]).filter((name) => frameSchemas[name].from !== 'broker')
/** What most of a session is made of; the others mostly end it. */
const usualFrames: readonly FrameName[] = ['publish', 'publish', 'publish', 'settle', 'settle', 'grant', 'call', 'ping']

test(
  'whatever a peer sends: no exception, only valid frames back, and others are not disturbed',
  fuzzing(async (random) => {
    const platform = new VirtualPlatform(random.between(0, 2 ** 31))
    const context = await openContext(platform)
    for (let n = 0; n < SESSIONS; n++) expect(await misbehave(random, platform, context)).toBeLessThan(WRITTEN_BYTES_MAX)
    await expectWorking(platform, context)
  }),
)

test(
  'nothing happens before hello',
  fuzzing(async (random) => {
    const platform = new VirtualPlatform(random.between(0, 2 ** 31))
    const context = await openContext(platform)
    const connection = new Recorder()
    const session = nativeDoor.accept(connection, context)
    for (let n = random.between(1, 5); n > 0 && !connection.closed; n--) {
      const name = random.pick(clientFrames.filter((other) => other !== 'hello'))
      session.receive(random.chance(0.8) ? bytesOf(plausibleFrame(random, name)) : random.bytes(random.between(1, 300)))
      await platform.settle()
    }
    expect(
      connection
        .frames()
        .map(({ name }) => name)
        .filter((name) => name !== 'goodbye'),
    ).toEqual([])
    expect([context.broker.queues(), context.broker.topics(), context.broker.stats().consumers]).toEqual([[], [], 0])
  }),
)

/** One connection that mixes sense, nonsense and damage, in pieces of any size. @returns bytes that the broker wrote to it */
async function misbehave(random: FuzzRandom, platform: VirtualPlatform, context: SessionContext): Promise<number> {
  const connection = new Recorder()
  const session = nativeDoor.accept(connection, context)
  const damage = random.pick([0, 0.02, 0.2])
  const nonsense = random.pick([0, 0.1, 1])
  if (random.chance(0.95)) session.receive(hello())
  if (random.chance(0.8)) for (const frame of sensibleStart(random)) session.receive(bytesOf(frame))
  for (let n = random.between(1, FRAMES_MAX); n > 0 && !connection.closed; n--) {
    const frame = plausibleFrame(random, random.pick(random.chance(nonsense) ? clientFrames.slice(1) : usualFrames))
    const bytes = random.chance(damage) ? random.mutate(bytesOf(frame)) : bytesOf(frame)
    const cut = random.between(0, bytes.length)
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      if (!connection.closed && piece.length > 0) session.receive(piece.slice())
    }
    if (random.chance(0.3)) await platform.settle()
    if (random.chance(0.05)) session.tick(platform.clock.monotonicMs())
    if (random.chance(0.02)) await platform.advance(random.between(1, 30_000))
    if (random.chance(0.01)) session.drain()
  }
  await platform.settle()
  session.connectionClosed()
  await platform.settle()
  connection.frames()
  return connection.bytes
}

/** A peer that behaves gets what it is promised, whatever others did before. */
async function expectWorking(platform: VirtualPlatform, context: SessionContext): Promise<void> {
  const connection = new Recorder()
  const session = nativeDoor.accept(connection, context)
  session.receive(hello())
  const batch = encodeBatch([{ timestampMs: 1, value: new Uint8Array([1, 2, 3]) }]).slice()
  session.receive(bytesOf({ name: 'open', publisher: 1, create: 1, destination: 'queue:canary' }))
  session.receive(bytesOf({ name: 'publish', publisher: 1, partition: -1, batch }))
  session.receive(bytesOf({ name: 'consume', consumer: 1, options: { source: 'queue:canary', mode: 'consume' } }))
  session.receive(bytesOf({ name: 'grant', consumer: 1, messages: 1 }))
  await platform.settle()
  expect(connection.frames().map(({ name }) => name)).toEqual(
    expect.arrayContaining(['welcome', 'opened', 'confirm', 'consuming', 'deliver']),
  )
  session.connectionClosed()
}

/** Publishers and consumers 0 to 2, so that later frames mean something. */
function sensibleStart(random: FuzzRandom): Frame[] {
  const sources = ['queue:a', 'queue:b', 'topic:t/s']
  return sources.flatMap((source, number): Frame[] => [
    { name: 'open', publisher: number, create: 1, destination: source.replace(/\/.*/, '') },
    { name: 'consume', consumer: number, options: { source, mode: 'consume', create: true } },
    { name: 'grant', consumer: number, messages: random.pick([1, 3, 1000]) },
  ])
}

/** A frame whose numbers and names are likely to mean something to the broker. */
function plausibleFrame(random: FuzzRandom, name: FrameName): Frame {
  const source = random.pick(['queue:a', 'queue:b', 'topic:t', 'topic:t/s', 'topic:none', 'nonsense', ''])
  const number = random.between(0, 2)
  switch (name) {
    case 'open':
      return { name, publisher: number, create: random.between(0, 1), destination: source }
    case 'publish':
      return { name, publisher: number, partition: random.pick([-1, 0, 1, 7]), batch: randomBatch(random) }
    case 'release':
      return { name, publisher: number }
    case 'consume':
      return { name, consumer: number, options: randomConsume(random, source) }
    case 'grant':
      return { name, consumer: number, messages: random.pick([0, 1, 10, 0xffffffff]) }
    case 'settle':
      return {
        name,
        consumer: number,
        outcome: random.pick([0, 0, 1, 2, 3, random.between(0, 255)]),
        ranges: randomRanges(random),
        options: random.pick([undefined, {}, { delayMs: 10 }]),
      }
    case 'leave':
    case 'revoke':
      return { name, consumer: number }
    case 'call':
      return { name, call: number, ...randomCall(random, source) }
    default:
      return randomFrame(random, name)
  }
}

function randomBatch(random: FuzzRandom): Uint8Array {
  const records = Array.from({ length: random.between(1, 5) }, () => ({
    timestampMs: 1,
    value: random.bytes(random.between(0, 50)),
  }))
  const batch = encodeBatch(records).slice()
  return random.chance(0.1) ? random.mutate(batch) : batch
}

function randomConsume(random: FuzzRandom, source: string): Record<string, unknown> {
  return {
    source,
    mode: random.pick(['consume', 'read', 'steal']),
    ...(random.chance(0.5) ? { create: true } : {}),
    ...(random.chance(0.5)
      ? { from: random.pick(['earliest', 'latest', { offset: random.between(0, 5) }, { timestampMs: 0 }, 7]) }
      : {}),
    ...(random.chance(0.2) ? { leaseMs: random.pick([1, 1000, -1, 1e300]) } : {}),
    ...(random.chance(0.2) ? { partition: random.between(0, 3) } : {}),
  }
}

function randomRanges(random: FuzzRandom): { partition: number; first: number; last: number; attempt: number }[] {
  return Array.from({ length: random.between(0, 4) }, () => {
    const first = random.between(0, 10)
    return {
      partition: random.between(0, 1),
      first,
      last: first + random.pick([0, 0, 1, 5, 2 ** 50]),
      attempt: random.between(0, 2),
    }
  })
}

function randomCall(random: FuzzRandom, source: string): { method: string; params: Record<string, unknown> } {
  const name = random.pick(['a', 'b', 't', 's', '', '../x', 'x'.repeat(300)])
  return random.pick<{ method: string; params: Record<string, unknown> }>([
    {
      method: 'queue.create',
      params: { name, delivery: random.pick([{}, { maxAttempts: random.between(0, 3) }, { deadLetter: source }]) },
    },
    { method: 'queue.delete', params: { name } },
    { method: 'queue.get', params: { name } },
    { method: 'topic.create', params: { name, partitions: random.pick([1, 2, 0, -1, 1e9]) } },
    { method: 'topic.update', params: { name, change: { partitions: random.between(0, 4) } } },
    { method: 'topic.delete', params: { name } },
    { method: 'subscription.create', params: { topic: 't', name, from: random.pick(['earliest', 'latest']) } },
    { method: 'subscription.delete', params: { topic: 't', name } },
    { method: 'peek', params: { source, from: random.pick(['earliest', { offset: 2 }]), max: random.pick([1, 100, -1]) } },
    { method: random.pick(['status', 'topic.list', '__proto__', 'constructor', '']), params: {} },
  ])
}

// ---- pieces ---------------------------------------------------------------------------------------------------------

async function openContext(platform: VirtualPlatform): Promise<SessionContext> {
  const journal = await openMemoryJournal({ bytesMax: 64 * 1024 * 1024 })
  const store = await platform.until(openLogStore({ journal, platform, crc32c }))
  const broker = await platform.until(openBroker({ store, platform, crc32c, limits: { partitionsMax: 8, queuesMax: 100 } }))
  return {
    broker,
    platform,
    commits: new CommitWaiters(broker),
    identity: { brokerId: 'fuzz', brokerVersion: '0' },
    authorize: allowAll,
    security: openToAll,
    status: () => ({ version: '0', pid: 1, uptimeMs: 0, engine: 'memory', durability: 'none', listeners: {} }),
  }
}

function bytesOf({ name, ...body }: Frame): Uint8Array {
  const writer = new FrameWriter()
  writeFrame(writer, name, body as never)
  return concat(...writer.take())
}

function hello(): Uint8Array {
  return bytesOf({ name: 'hello', magic: NATIVE_MAGIC, version: NATIVE_VERSION, options: {} })
}

/** A connection that takes everything at once and remembers it. */
class Recorder implements Connection {
  readonly peer = { address: 'fuzzer', transport: 'in-process', secure: true } as const
  readonly backlogBytes = 0
  readonly backlogLowBytes = 0
  bytes = 0
  closed = false
  readonly #reader = new FrameReader(1 << 26)
  readonly #written: Uint8Array[] = []

  write(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      this.bytes += chunk.length
      this.#written.push(chunk)
    }
  }

  close(): void {
    this.closed = true
  }

  pause(): void {}

  resume(): void {}

  /** All frames since the last call. @throws ProtocolError when the broker itself breaks the protocol */
  frames(): Frame[] {
    const frames: Frame[] = []
    for (const chunk of this.#written.splice(0)) {
      this.#reader.feed(chunk)
      while (this.#reader.next())
        frames.push(readFrame(this.#reader.bytes, this.#reader.view, this.#reader.start, this.#reader.end))
    }
    return frames
  }
}
