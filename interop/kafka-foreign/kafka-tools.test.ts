import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Foreign } from './programs.ts'

const TOOLS = 'org.apache.kafka.tools'
const TOPICS = `${TOOLS}.TopicCommand`
const CONFIGS = 'kafka.admin.ConfigCommand'
const PRODUCER = `${TOOLS}.ConsoleProducer`
const CONSUMER = `${TOOLS}.consumer.ConsoleConsumer`
const GROUPS = `${TOOLS}.consumer.group.ConsumerGroupCommand`
const OFFSETS = `${TOOLS}.GetOffsetShell`
const TRANSACTIONS = `${TOOLS}.TransactionsCommand`

let foreign: Foreign
let directory: string

beforeAll(async () => {
  foreign = await Foreign.start()
  directory = mkdtempSync(join(tmpdir(), 'millrace-tools-'))
})

afterAll(async () => {
  await foreign.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function createTopic(topic: string, partitions = 1): Promise<void> {
  await foreign.tool(TOPICS, ['--create', '--topic', topic, '--partitions', String(partitions)])
}

/** One JSON object per line. */
function events(text: string): { name: string }[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { name: string })
}

/** Columns of a table, without its head, by spaces. */
function rows(text: string, first: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([column]) => column === first)
}

test('kafka-topics and kafka-configs', async () => {
  await foreign.tool(TOPICS, ['--create', '--topic', 'managed', '--partitions', '3', '--config', 'retention.ms=100000'])
  expect(await foreign.failingTool(TOPICS, ['--create', '--topic', 'managed'])).toMatch(/managed exists/)
  expect(await foreign.tool(TOPICS, ['--list'])).toBe('managed\n')
  await foreign.tool(TOPICS, ['--alter', '--topic', 'managed', '--partitions', '4'])
  const described = await foreign.tool(TOPICS, ['--describe', '--topic', 'managed'])
  expect(described).toMatch(/PartitionCount: 4\s+ReplicationFactor: 1\s+Configs: retention\.ms=100000/)
  expect(described).toMatch(/Topic: managed\s+Partition: 3\s+Leader: 1\s+Replicas: 1\s+Isr: 1/)

  const topic = ['--topic', 'managed']
  await foreign.tool(CONFIGS, ['--alter', ...topic, '--add-config', 'cleanup.policy=compact,retention.bytes=1000000'])
  await foreign.tool(CONFIGS, ['--alter', ...topic, '--delete-config', 'retention.bytes'])
  const configs = await foreign.tool(CONFIGS, ['--describe', ...topic])
  expect(configs).toMatch(/cleanup\.policy=compact sensitive=false/)
  expect(configs).not.toMatch(/retention\.bytes/)
  expect(await foreign.tool(CONFIGS, ['--describe', ...topic, '--all'])).toMatch(/segment\.bytes=1073741824/)
  expect(await foreign.tool(CONFIGS, ['--describe', '--broker', '1', '--all'])).toMatch(/node\.id=1 /)
  await foreign.tool(TOPICS, ['--delete', ...topic])
  expect(await foreign.failingTool(TOPICS, ['--describe', ...topic])).toMatch(/'managed' does not exist/)
})

test('the console producer and consumer', async () => {
  await createTopic('spoken')
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:', '--compression-codec', codec]
    await foreign.tool(PRODUCER, ['--topic', 'spoken', ...keyed], `key:${codec}\n`)
  }
  const shown = ['--formatter-property', 'print.key=true', '--formatter-property', 'print.offset=true']
  for (const protocol of ['classic', 'consumer']) {
    const group = ['--group', `listeners-${protocol}`, '--command-property', `group.protocol=${protocol}`]
    const heard = await foreign.tool(CONSUMER, [
      '--topic',
      'spoken',
      '--from-beginning',
      '--max-messages',
      '5',
      ...shown,
      ...group,
    ])
    expect(heard.split('\n').filter((line) => line.startsWith('Offset'))).toEqual(
      ['none', 'gzip', 'snappy', 'lz4', 'zstd'].map((codec, n) => `Offset:${n}\tkey\t${codec}`),
    )
  }
})

test('kafka-consumer-groups and kafka-groups', async () => {
  await createTopic('shared', 2)
  await foreign.kcat(['-P', '-t', 'shared', '-p', '0'], '1\n2\n3\n')
  await foreign.tool(CONSUMER, ['--topic', 'shared', '--from-beginning', '--max-messages', '3', '--group', 'shares'])
  expect(rows(await foreign.tool(GROUPS, ['--list', '--state', '--type']), 'shares')).toEqual([['shares', 'Classic', 'Empty']])
  const columns = async (): Promise<string[][]> => {
    const described = rows(await foreign.tool(GROUPS, ['--describe', '--group', 'shares']), 'shares')
    return described.map((row) => row.slice(1, 6)).toSorted(([, a], [, b]) => Number(a) - Number(b))
  }
  expect(await columns()).toEqual([
    ['shared', '0', '3', '3', '0'],
    ['shared', '1', '0', '0', '0'],
  ])
  const reset = ['--group', 'shares', '--topic', 'shared:0', '--reset-offsets']
  await foreign.tool(GROUPS, [...reset, '--shift-by', '-2', '--execute'])
  expect(await columns()).toContainEqual(['shared', '0', '1', '3', '2'])
  await foreign.tool(GROUPS, [...reset, '--to-datetime', '2020-01-01T00:00:00.000', '--execute'])
  expect(await columns()).toContainEqual(['shared', '0', '0', '3', '3'])
  await foreign.tool(GROUPS, ['--group', 'shares', '--topic', 'shared:1', '--delete-offsets'])
  expect(await columns()).toHaveLength(1)
  expect(await foreign.tool(GROUPS, ['--describe', '--all-groups', '--state'])).toMatch(/shares\s+\S+\s+\(1\)\s+-\s+Empty\s+0/)
  expect(await foreign.tool(GROUPS, ['--describe', '--all-groups', '--members'])).toMatch(/^GROUP\s+CONSUMER-ID/m)
  await foreign.tool(GROUPS, ['--group', 'shares', '--delete'])
  expect(rows(await foreign.tool(`${TOOLS}.GroupsCommand`, ['--list']), 'shares')).toEqual([])
})

test('kafka-get-offsets, kafka-delete-records and kafka-log-dirs', async () => {
  await createTopic('kept', 2)
  await foreign.kcat(['-P', '-t', 'kept', '-p', '0'], '1\n2\n3\n')
  const at = async (time: string): Promise<string> => foreign.tool(OFFSETS, ['--topic', 'kept', '--time', time])
  expect(await at('latest')).toBe('kept:0:3\nkept:1:0\n')
  expect(await at('earliest')).toBe('kept:0:0\nkept:1:0\n')
  expect(await at('max-timestamp')).toMatch(/^kept:0:[0-2]\n$/)
  expect(await at('earliest-local')).toBe('kept:0:0\nkept:1:0\n')
  expect(await at('latest-tiered')).toBe('')
  const file = join(directory, 'records.json')
  writeFileSync(file, JSON.stringify({ partitions: [{ topic: 'kept', partition: 0, offset: 2 }], version: 1 }))
  expect(await foreign.tool(`${TOOLS}.DeleteRecordsCommand`, ['--offset-json-file', file])).toMatch(/kept-0\s+low_watermark: 2/)
  expect(await at('earliest')).toBe('kept:0:2\nkept:1:0\n')
  const directories = await foreign.tool(`${TOOLS}.LogDirsCommand`, ['--describe', '--topic-list', 'kept'])
  expect(directories).toMatch(/"partition":"kept-0","size":[1-9]\d*/)
})

describe('loads', () => {
  test('kafka-producer-perf-test and kafka-consumer-perf-test', async () => {
    const load = ['--num-records', '100000', '--record-size', '100', '--throughput', '-1']
    const sent = await foreign.tool(`${TOOLS}.ProducerPerformance`, ['--topic', 'load', ...load])
    expect(sent).toMatch(/^100000 records sent/m)
    const received = await foreign.tool(`${TOOLS}.ConsumerPerformance`, ['--topic', 'load', '--num-records', '100000'])
    const [, , megabytes, , records] = received.trim().split('\n').at(-1)!.split(', ')
    expect([megabytes, records]).toEqual(['9.5367', '100000'])
  })

  test('kafka-producer-perf-test in transactions', async () => {
    const load = ['--num-records', '20000', '--record-size', '100', '--throughput', '-1', '--transaction-duration-ms', '20']
    const sent = await foreign.tool(`${TOOLS}.ProducerPerformance`, ['--topic', 'committed', ...load])
    expect(sent).toMatch(/^20000 records sent/m)
    const values = await foreign.records('committed', '%S', '-X', 'isolation.level=read_committed')
    expect(values).toHaveLength(20_000)
  })

  test('the verifiable producer and consumer', async () => {
    const produced = events(await foreign.tool(`${TOOLS}.VerifiableProducer`, ['--topic', 'verified', '--max-messages', '5000']))
    expect(produced.filter(({ name }) => name === 'producer_send_success')).toHaveLength(5000)
    expect(produced.at(-1)).toMatchObject({ name: 'tool_data', sent: 5000, acked: 5000 })
    const group = ['--group-id', 'verifiers', '--max-messages', '5000', '--reset-policy', 'earliest']
    const consumed = events(await foreign.tool(`${TOOLS}.VerifiableConsumer`, ['--topic', 'verified', ...group]))
    const counts = consumed.map((event) => ('count' in event ? Number(event.count) : 0))
    expect(counts.reduce((sum, count) => sum + count)).toBe(5000)
    expect(consumed.filter(({ name }) => name === 'offsets_committed')).not.toContainEqual(
      expect.objectContaining({ success: false }),
    )
  })

  test('the end-to-end latency test', async () => {
    const load = ['--topic', 'latency', '--num-records', '200', '--producer-acks', 'all', '--record-size', '100']
    expect(await foreign.tool(`${TOOLS}.EndToEndLatency`, load)).toMatch(/Percentiles: 50th = /)
  })
})

describe('the cluster', () => {
  test('kafka-broker-api-versions: nothing is served in versions that the client does not know', async () => {
    const versions = await foreign.tool(`${TOOLS}.BrokerApiVersionsCommand`, [])
    expect(versions).toContain(`${foreign.address} (id: 1 `)
    expect(versions).toMatch(/Produce\(0\): 0 to 13 \[usable: 13\]/)
    expect(versions).not.toMatch(/UNKNOWN|unusable/)
  })

  test('kafka-cluster and kafka-features', async () => {
    const bootstrap = ['--bootstrap-server', foreign.address]
    expect(await foreign.java(`${TOOLS}.ClusterTool`, ['cluster-id', ...bootstrap])).toMatch(/^Cluster ID: \w+$/m)
    const endpoints = await foreign.java(`${TOOLS}.ClusterTool`, ['list-endpoints', ...bootstrap])
    expect(rows(endpoints, '1')[0]!.slice(0, 3)).toEqual(['1', ...foreign.address.split(':')])
    const features = await foreign.tool(`${TOOLS}.FeatureCommand`, ['describe'])
    expect(features).toMatch(/Feature: group\.version .*FinalizedVersionLevel: 1/)
    expect(features).toMatch(/Feature: transaction\.version .*FinalizedVersionLevel: 2/)
    await foreign.tool(`${TOOLS}.FeatureCommand`, ['upgrade', '--feature', 'share.version=2'])
    expect(await foreign.failingTool(`${TOOLS}.FeatureCommand`, ['downgrade', '--feature', 'share.version=1'])).toMatch(
      /share\.version is 2, which is not changed/,
    )
  })

  test('kafka-leader-election and kafka-reassign-partitions: there is nothing to do', async () => {
    await createTopic('led')
    await foreign.tool(`${TOOLS}.LeaderElectionCommand`, ['--election-type', 'preferred', '--all-topic-partitions'])
    expect(await foreign.tool(`${TOOLS}.reassign.ReassignPartitionsCommand`, ['--list'])).toMatch(
      /No partition reassignments found/,
    )
  })

  test('kafka-metadata-quorum', async () => {
    const quorum = async (what: string): Promise<string> => foreign.tool(`${TOOLS}.MetadataQuorumCommand`, ['describe', what])
    const status = await quorum('--status')
    expect(status).toMatch(/LeaderId: +1\n/)
    expect(status).toMatch(/MaxFollowerLag: +0\n/)
    expect(status).toContain(`//${foreign.address}`)
    expect(rows(await quorum('--replication'), '1')[0]).toMatchObject({ 3: '0', 6: 'Leader' })
  })

  test('kafka-transactions', async () => {
    await foreign.kcat(['-P', '-t', 'ledger', '-X', 'transactional.id=tools'], 'a\n')
    expect(rows(await foreign.tool(TRANSACTIONS, ['list']), 'tools')[0]!.slice(3)).toEqual(['CompleteCommit'])
    const described = await foreign.tool(TRANSACTIONS, ['describe', '--transactional-id', 'tools'])
    expect(described).toMatch(/tools\s+\d+\s+\d+\s+CompleteCommit/)
    const producers = await foreign.tool(TRANSACTIONS, ['describe-producers', '--topic', 'ledger', '--partition', '0'])
    expect(producers).toMatch(/\d+\s+None\s*$/)
    expect((await foreign.tool(TRANSACTIONS, ['find-hanging', '--broker-id', '1'])).trim().split('\n')).toHaveLength(1)
    expect(rows(await foreign.tool(TRANSACTIONS, ['list', '--transactional-id-pattern', 'to.ls']), 'tools')).toHaveLength(1)
    expect(rows(await foreign.tool(TRANSACTIONS, ['list', '--transactional-id-pattern', 'other.*']), 'tools')).toEqual([])
  })

  test('kafka-transactions abort', async () => {
    const kafka = new Kafka({ brokers: [foreign.address], logLevel: logLevel.NOTHING })
    const producer = kafka.producer({ transactionalId: 'hanging', idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'hung', messages: [{ value: 'never' }] })
    const state = async (): Promise<string[]> => rows(await foreign.tool(TRANSACTIONS, ['list']), 'hanging')[0]!
    const [, , id] = await state()
    const marker = [
      '--topic',
      'hung',
      '--partition',
      '0',
      '--producer-id',
      id!,
      '--producer-epoch',
      '0',
      '--coordinator-epoch',
      '0',
    ]
    await foreign.tool(TRANSACTIONS, ['abort', ...marker])
    expect(await state()).toEqual(['hanging', expect.any(String), id, 'CompleteAbort'])
    await expect(transaction.commit()).rejects.toThrow(/.+/)
    expect(await foreign.kcat(['-Q', '-t', 'hung:0:-1'])).toBe('hung [0] offset 0\n')
    await producer.disconnect()
  })

  test("Kafka's own test of what a client can rely on", async () => {
    const supported = [
      'offsets-for-times',
      'cluster-id',
      'create-topics',
      'describe-acls',
      'describe-configs',
      'idempotent-producer',
    ]
    const told = await foreign.tool(`${TOOLS}.ClientCompatibilityTest`, [
      '--topic',
      'compatible',
      '--num-cluster-nodes',
      '1',
      '--expect-record-too-large-exception',
      'false',
      ...supported.flatMap((feature) => [`--${feature}-supported`, 'true']),
    ])
    expect(told).toMatch(/SUCCESS/)
  })
})

describe("programs on Kafka's Java client", () => {
  test.each(['pattern', 'transactions', 'staticMembers', 'admin'])('%s', async (check) => {
    expect(await foreign.java('ClientChecks', [foreign.address, check])).toBe('ok\n')
  })
})
