import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Millrace } from '@millrace/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BrokerProcess, temporaryDirectory } from '../../bench/src/broker-process.ts'
import { freePort } from '../../bench/src/free-port.ts'
import { runSeed, SeededRandom } from '../../packages/broker/test/harness/seeded-random.ts'
import type { Program } from '../foreign-program.ts'
import { Foreign, startJava } from './programs.ts'

const TOOLS = 'org.apache.kafka.tools'
const CONFIGS = 'kafka.admin.ConfigCommand'
const SHARES = `${TOOLS}.consumer.group.ShareGroupCommand`
const CONSUMER = `${TOOLS}.consumer.ConsoleShareConsumer`

const KILLS = 4
const RECORDS_PER_LIFE = 1000
const RECORDS = RECORDS_PER_LIFE * (KILLS + 1)

let foreign: Foreign
let native: Millrace

beforeAll(async () => {
  foreign = await Foreign.start()
  native = await connect(foreign.broker.url)
})

afterAll(async () => {
  await native.close()
  await foreign.stop()
})

async function publish(client: Millrace, topic: string, ...values: string[]): Promise<void> {
  const publisher = client.topic(topic)
  await Promise.all(values.map((value) => publisher.publish(value)))
}

/** Columns of a table, without its head, by spaces. */
function rows(text: string, first: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([column]) => column === first)
}

/** @returns all that the program wrote */
const consumeNamed = async (tool: string, group: string, ...more: string[]): Promise<string> => {
  const parameters = [
    '--bootstrap-server',
    foreign.address,
    '--topic',
    'named',
    '--group',
    group,
    '--timeout-ms',
    '8000',
    ...more,
  ]
  const { stdout, stderr } = await startJava(tool, [...parameters, '--max-messages', '1']).ended()
  return stdout + stderr
}

test('a share group is no group of consumers, for clients in Java', async () => {
  await publish(native, 'named', '1')
  await native.admin.createSubscription({ topic: 'named', name: 'shared' })
  const consumers = `${TOOLS}.consumer.ConsoleConsumer`
  expect(await consumeNamed(consumers, 'shared')).toMatch(/InconsistentGroupProtocolException/)
  expect(await consumeNamed(consumers, 'shared', '--command-property', 'group.protocol=consumer')).toMatch(
    /GroupIdNotFoundException/,
  )
  expect(await consumeNamed(consumers, 'consumed', '--from-beginning')).toMatch(/^1$/m)
  expect(await consumeNamed(CONSUMER, 'consumed')).toMatch(/GroupIdNotFoundException/)
})

test('kafka-console-share-consumer, kafka-share-groups and kafka-configs', async () => {
  const group = ['--group', 'tools']
  const ofGroup = ['--entity-type', 'groups', '--entity-name', 'tools']
  const added = 'share.auto.offset.reset=earliest,share.delivery.count.limit=3,errors.deadletterqueue.topic.name=dlq.tools'
  await foreign.tool(CONFIGS, ['--alter', ...ofGroup, '--add-config', added])
  expect(await foreign.tool(CONFIGS, ['--describe', ...ofGroup])).toMatch(/errors\.deadletterqueue\.topic\.name=dlq\.tools/)
  await publish(native, 'tooled', '1', '2', '3', '4', '5')
  const describedGroup = async (): Promise<string[][]> =>
    rows(await foreign.tool(SHARES, ['--describe', ...group]), 'tools').map((row) => row.slice(1))
  const consume = ['--topic', 'tooled', ...group, '--max-messages', '2']
  expect(await foreign.tool(CONSUMER, consume)).toBe('1\n2\n')
  expect(await describedGroup()).toEqual([['tooled', '0', '2', '3']])
  expect(await foreign.tool(CONSUMER, [...consume, '--reject'])).toBe('3\n4\n')
  const dead = await foreign.records('dlq.tools', '%h')
  expect(dead.map((headers) => headers.split(',').filter((header) => header.startsWith('__dlq')))).toEqual(
    ['2', '3'].map((offset) => [
      '__dlq.errors.topic=tooled',
      '__dlq.errors.partition=0',
      `__dlq.errors.offset=${offset}`,
      '__dlq.errors.group=tools',
      '__dlq.errors.delivery.count=1',
      '__dlq.errors.message=rejected',
    ]),
  )
  // Here the same subscription by other ways.
  expect(await native.admin.subscription('tooled', 'tools')).toMatchObject({ ready: 1, delivery: { maxAttempts: 3 } })
  expect(rows(await foreign.tool(SHARES, ['--list', '--state']), 'tools')).toEqual([['tools', 'Empty']])
  const groups = await foreign.tool(`${TOOLS}.GroupsCommand`, ['--list'])
  expect(rows(groups, 'tools')).toEqual([['tools', 'Share', 'share']])
  expect(await foreign.tool(SHARES, ['--describe', ...group, '--state'])).toMatch(/tools\s+\S+\s+\(1\)\s+Empty\s+0/)
  await foreign.tool(SHARES, ['--reset-offsets', ...group, '--topic', 'tooled', '--to-earliest', '--execute'])
  expect(await describedGroup()).toEqual([['tooled', '0', '0', '5']])
  expect(await foreign.tool(SHARES, ['--delete', ...group])).toMatch(/successful/i)
  expect(rows(await foreign.tool(SHARES, ['--list']), 'tools')).toEqual([])
})

describe("KafkaShareConsumer of Kafka's Java client", () => {
  test.each(['acknowledge', 'renew', 'lapse', 'partitions', 'together'])('%s', async (check) => {
    expect(await foreign.java('ShareChecks', [foreign.address, check])).toBe('ok\n')
  })
})

test(`${KILLS} kills: nothing is lost, and what was accepted does not come again`, async () => {
  const random = new SeededRandom(runSeed('share groups crash loop'))
  const directory = temporaryDirectory()
  const kafkaPort = await freePort()
  const options = {
    data: join(directory, 'data'),
    ports: { native: await freePort(), http: await freePort() },
    arguments: [`--listen=kafka=127.0.0.1:${kafkaPort}`],
  }
  let broker = await BrokerProcess.start(options)
  const client = await connect(broker.url, { reconnectDelayMs: { min: 5, max: 50 } })
  // A crash may make the count of deliveries skip some.
  await client.admin.createTopic({ name: 'killed', partitions: 2 })
  await client.admin.createSubscription({ topic: 'killed', name: 'workers', delivery: { leaseMs: 10_000, maxAttempts: 1000 } })
  const values = Array.from({ length: RECORDS }, (_, n) => String(n))
  const portion = async (kills: number): Promise<void> => {
    const end = RECORDS_PER_LIFE * (kills + 1)
    for (let n = end - RECORDS_PER_LIFE; n < end; n += 50) await publish(client, 'killed', ...values.slice(n, n + 50))
  }
  const workers = [0, 1].map(() => startJava('ShareChecks', [`127.0.0.1:${kafkaPort}`, 'work', 'workers', 'killed']))
  const accepted = (): number => workers.reduce((sum, { stdout }) => sum + stdout.split('accepted ').length - 1, 0)
  for (let kills = 0; kills < KILLS; kills++) {
    const wanted = accepted() + random.between(50, RECORDS_PER_LIFE / 2)
    await portion(kills)
    await workers[0]!.until(() => expect(accepted()).toBeGreaterThanOrEqual(wanted))
    await sleep(random.between(0, 50))
    await broker.kill()
    broker = await BrokerProcess.start(options)
  }
  await portion(KILLS)
  await workers[0]!.until(async () => {
    const { ready, inFlight } = await client.admin.subscription('killed', 'workers')
    expect(ready + inFlight).toBe(0)
  })
  for (const worker of workers) await worker.stop('SIGTERM')
  const { counters } = await client.admin.subscription('killed', 'workers')
  expect(counters).toMatchObject({ acked: RECORDS, dropped: 0, deadLettered: 0 })
  const story = storyOf(workers)
  expect(story.got).toEqual(new Set(values))
  expect(story.comesAgain).toEqual([])
  expect(story.acceptedTwice).toEqual([])
  // Both had something to do, and more than one life of the broker is in it.
  expect(Math.min(...workers.map(({ stdout }) => stdout.split('accepted ').length))).toBeGreaterThan(100)
  await client.close()
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

interface Story {
  readonly got: ReadonlySet<string>
  readonly acceptedTwice: readonly string[]
  /** Records with a delivery that is later, by its count, than the one that was accepted. */
  readonly comesAgain: readonly string[]
}

/** What the workers told, line by line: `got VALUE COUNT`, `accepted VALUE`. */
function storyOf(workers: readonly Program[]): Story {
  const latest = new Map<string, number>()
  const acceptedAt = new Map<string, number>()
  const acceptedTwice: string[] = []
  for (const { stdout } of workers) {
    const mine = new Map<string, number>()
    for (const line of stdout.split('\n').slice(0, -1)) {
      const [what, value = '', count] = line.split(' ')
      if (what === 'got') {
        mine.set(value, Number(count))
        latest.set(value, Math.max(latest.get(value) ?? 0, Number(count)))
      } else if (what === 'accepted') {
        if (acceptedAt.has(value)) acceptedTwice.push(value)
        acceptedAt.set(value, mine.get(value)!)
      }
    }
  }
  const comesAgain = [...acceptedAt].filter(([value, count]) => latest.get(value)! > count).map(([value]) => value)
  return { got: new Set(latest.keys()), acceptedTwice, comesAgain }
}
