/** Responses as this broker writes them, read by the parsers of Kafka's clients: every API and version that both know. */
import * as platformatic from '@platformatic/kafka'
import fc from 'fast-check'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { ApiCodec } from '../../packages/broker/src/protocols/kafka/codec/api-codec.ts'
import { MessageWriter } from '../../packages/broker/src/protocols/kafka/codec/message-writer.ts'
import { type ApiDefinition, parseVersions } from '../../packages/broker/src/protocols/kafka/codec/notation.ts'
import { allMessages } from '../../packages/broker/src/protocols/kafka/messages/all.ts'
import { anyMessage } from '../../packages/broker/test/kafka/any-message.ts'

type Parse = (correlationId: number, key: number, version: number, reader: platformatic.Reader) => unknown

interface KafkaJsResponse {
  decode(raw: Buffer): Promise<unknown>
}

const require = createRequire(import.meta.url)
const keys = require('kafkajs/src/protocol/requests/apiKeys') as Record<string, number>

/** Parsers throw for failures: there are none. Bytes that mean something to them are left out. */
function harmless(value: unknown, name = ''): unknown {
  if (typeof value === 'number' && /errorCode$/i.test(name)) return 0
  if (name === 'recordErrors') return []
  if (value instanceof Uint8Array) return new Uint8Array(0)
  if (Array.isArray(value)) return value.map((each) => harmless(each, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, harmless(inner, key)]))
}

function encoded(api: ApiDefinition, version: number, message: Record<string, unknown>): Buffer {
  const writer = new MessageWriter()
  new ApiCodec(api).writeResponse(writer, version, message as never)
  return Buffer.concat(writer.take())
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

/** Parsers that leave out, or put elsewhere, something that Kafka sends, in versions that these clients do not choose here or where it does not matter to them. */
const ownWays: ReadonlySet<string> = new Set([
  'alterPartitionReassignmentsV1',
  'consumerGroupDescribeV0',
  'consumerGroupHeartbeatV0',
  'consumerGroupHeartbeatV1',
  'describeClientQuotasV0',
  'describeConfigsV2',
  'describeTopicPartitionsV0',
  'listTransactionsV2',
  'metadataV9',
  'metadataV10',
  'offsetForLeaderEpochV4',
  'deleteRecords 0',
  'deleteRecords 1',
  'alterPartitionReassignments 0',
  'listPartitionReassignments 0',
])

/** What both know. `name` is for people. */
interface Pair<P> {
  readonly name: string
  readonly api: ApiDefinition
  readonly version: number
  readonly parse: P
}

function isServed({ versions }: ApiDefinition, version: number): boolean {
  const { min, max } = parseVersions(versions)
  return version >= min && version <= max
}

const ofPlatformatic: Pair<Parse>[] = Object.entries(platformatic).flatMap(([name, value]) => {
  const version = Number(/V(\d+)$/.exec(name)?.[1])
  const parse = (value as { parseResponse?: Parse }).parseResponse
  const apiName = name.replace(/V\d+$/, '').replace(/^./, (first) => first.toUpperCase())
  const api = allMessages.find(({ key }) => key === platformatic.protocolAPIsByName[apiName])
  return parse === undefined || api === undefined || !isServed(api, version) ? [] : [{ name, api, version, parse }]
})

/** By the key of the API: where kafkajs has what it knows of it. */
const folders = new Map(Object.entries(keys).map(([name, key]) => [key, `${name[0]!.toLowerCase()}${name.slice(1)}`]))
folders.set(10, 'findCoordinator')

const ofKafkaJs: Pair<KafkaJsResponse>[] = allMessages.flatMap((api) => {
  const { max } = parseVersions(api.versions)
  return Array.from({ length: max + 1 }, (_, version) => version).flatMap((version) => {
    const folder = folders.get(api.key) ?? ''
    const file = new URL(`../../node_modules/kafkajs/src/protocol/requests/${folder}/v${version}/response.js`, import.meta.url)
    if (!isServed(api, version) || !existsSync(file)) return []
    return [{ name: `${folder} ${version}`, api, version, parse: require(file.pathname) as KafkaJsResponse }]
  })
})

test('the clients know most of it', () => {
  expect(ofPlatformatic.length).toBeGreaterThan(80)
  expect(ofKafkaJs.length).toBeGreaterThan(80)
})

describe.each(ofPlatformatic.filter(({ name }) => !ownWays.has(name)))(
  '@platformatic/kafka: $name',
  ({ api, version, parse }) => {
    test('reads all of it', () => {
      fc.assert(
        fc.property(anyMessage(api.response, version, false), (message) => {
          const reader = platformatic.Reader.from(encoded(api, version, harmless(message) as Record<string, unknown>))
          parse(1, api.key, version, reader)
          // Some leave the tagged fields at the end to others.
          expect(reader.remaining).toBeLessThanOrEqual(1)
        }),
        { numRuns: 10 },
      )
    })
  },
)

describe.each(ofKafkaJs.filter(({ name }) => !ownWays.has(name)))('kafkajs: $name', ({ api, version, parse }) => {
  test('finds every text', async () => {
    await fc.assert(
      fc.asyncProperty(anyMessage(api.response, version, false), async (message) => {
        const sent = harmless(message) as Record<string, unknown>
        const read = textsIn(await parse.decode(encoded(api, version, sent)))
        for (const text of textsIn(sent)) expect(read).toContain(text)
      }),
      { numRuns: 10 },
    )
  })
})
