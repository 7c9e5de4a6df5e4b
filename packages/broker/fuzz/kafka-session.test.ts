import { encodeBatch } from '@millrace/wire'
import fc from 'fast-check'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { ApiDefinition } from '../src/protocols/kafka/codec/notation.ts'
import { parseVersions } from '../src/protocols/kafka/codec/notation.ts'
import { allMessages } from '../src/protocols/kafka/messages/all.ts'
import { fetch, produce } from '../src/protocols/kafka/messages/records.ts'
import { servedApis } from '../src/protocols/kafka/served-apis.ts'
import { anyMessage } from '../test/kafka/any-message.ts'
import { compressed } from '../test/kafka/compressed.ts'
import { KafkaBroker, requestBytes } from '../test/kafka/kafka-peer.ts'
import { fuzzing, type FuzzRandom } from './fuzz.ts'

const SESSIONS = 4
const REQUESTS_MAX = 30
const WRITTEN_BYTES_MAX = 16 * 1024 * 1024
const keys = servedApis()
const served = allMessages.filter(({ key }) => keys.has(key))

test(
  'whatever a Kafka client sends: no exception, only responses in order back, and others are not disturbed',
  fuzzing(async (random) => {
    const broker = await KafkaBroker.open({ limits: { partitionsMax: 8, queuesMax: 50 } })
    for (let n = 0; n < SESSIONS; n++) expect(await misbehave(random, broker)).toBeLessThan(WRITTEN_BYTES_MAX)
    await expectWorking(broker)
  }),
)

/** One connection that mixes sense, nonsense and damage, in pieces of any size. @returns bytes that the broker wrote to it */
async function misbehave(random: FuzzRandom, broker: KafkaBroker): Promise<number> {
  const peer = broker.connect()
  const damage = random.pick([0, 0.02, 0.2])
  let sent = 0
  for (let n = random.between(1, REQUESTS_MAX); n > 0 && !peer.closed; n--) {
    const request = plausibleRequest(random, sent++)
    const bytes = random.chance(damage) ? random.mutate(request) : request
    const cut = random.between(0, bytes.length)
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) if (piece.length > 0) peer.raw(piece.slice())
    if (random.chance(0.3)) await broker.core.settle()
    if (random.chance(0.05) && !peer.closed) peer.session.tick(broker.core.platform.clock.monotonicMs())
    if (random.chance(0.02)) await broker.core.advance(random.between(1, 30_000))
    if (random.chance(0.01) && !peer.closed) peer.session.drain()
  }
  await broker.core.settle()
  if (damage === 0) expect(peer.waiting).toEqual(peer.waiting.toSorted((a, b) => a - b))
  if (!peer.closed) peer.close()
  await broker.core.settle()
  return peer.written
}

/** A request whose names and numbers are likely to mean something to the broker. */
function plausibleRequest(random: FuzzRandom, correlationId: number): Uint8Array {
  const api: ApiDefinition = random.chance(0.4) ? random.pick([produce, fetch]) : random.pick(served)
  const { min, max } = parseVersions(api.versions)
  const version = random.between(min, max)
  const seed = random.between(0, 2 ** 31 - 1)
  const [message] = fc.sample(anyMessage(api.request, version, random.chance(0.2)), { seed, numRuns: 1 })
  return requestBytes(api, version, plausible(random, message!) as never, correlationId)
}

function plausible(random: FuzzRandom, value: unknown, name = ''): unknown {
  if (name === 'records')
    return random.chance(0.1) ? value : random.chance(0.1) ? random.mutate(anyBatch(random)) : anyBatch(random)
  if (typeof value === 'string' && value.length !== 32) return random.chance(0.8) ? random.pick(['t', 'u', 'g', 'm', '']) : value
  if (typeof value === 'number') return random.chance(0.7) ? plausibleNumber(random, name) : value
  if (Array.isArray(value)) return value.map((each) => plausible(random, each, name))
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plausible(random, inner, key)]))
}

function plausibleNumber(random: FuzzRandom, name: string): number {
  if (/ms$/i.test(name)) return random.pick([0, 10, 6000, 60_000])
  if (/bytes$/i.test(name)) return random.pick([0, 1, 1000, 1_000_000])
  return random.pick([-1, 0, 0, 1, 2])
}

function anyBatch(random: FuzzRandom): Uint8Array {
  const records = Array.from({ length: random.between(1, 5) }, () => ({
    timestampMs: 1,
    key: random.bytes(3),
    value: random.bytes(20),
  }))
  const batch = encodeBatch(records).slice()
  return random.chance(0.5) ? batch : compressed(batch, 1, (bytes) => gzipSync(bytes))
}

/** A peer that behaves gets what it is promised, whatever others did before. */
async function expectWorking(broker: KafkaBroker): Promise<void> {
  const peer = broker.connect()
  broker.core.broker.createTopic({ name: 'canary' })
  const records = encodeBatch([{ timestampMs: 1, value: new Uint8Array([1, 2, 3]) }]).slice()
  const produced = await peer.ask(produce, 9, {
    acks: -1,
    timeoutMs: 1,
    topicData: [{ name: 'canary', partitionData: [{ index: 0, records }] }],
  })
  expect(produced.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 0 })
  const topics = [{ topic: 'canary', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }]
  const fetched = await peer.ask(fetch, 12, { maxWaitMs: 0, minBytes: 1, topics })
  expect(fetched.responses[0]!.partitions[0]!.records!.subarray(16)).toEqual(records.subarray(16))
}
