import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Millrace } from '@millrace/client'
import { type Consumer, Kafka, logLevel, Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { BrokerProcess } from '../../bench/src/broker-process.ts'
import { freePort } from '../../bench/src/free-port.ts'
import { directoryPerTest } from '../../packages/broker/test/harness/directory-per-test.ts'
import { runSeed, SeededRandom } from '../../packages/broker/test/harness/seeded-random.ts'
import { waitFor } from './kafkajs-consumer.ts'
import { type Transfer, TransferWorker, type WorkerSettings } from './transfer-worker.ts'

const KILLS = 8
const TRANSFERS = 1500
const SOURCE = 'transfers'
const SOURCE_PARTITIONS = 2
const TARGET = 'accounts'
const ACCOUNTS = 8
const TARGET_PARTITIONS = 4
const GROUP = 'bank'

/** What a transfer did to one account. */
interface Change {
  readonly id: number
  readonly account: number
  readonly amount: number
  readonly partition: number
}

const inDirectory = directoryPerTest()

test(
  `${KILLS} kills: each transfer happens once, as a whole and in order, and no money comes or goes`,
  { timeout: 120_000 },
  async () => {
    const random = new SeededRandom(runSeed('transactions crash loop'))
    const kafkaPort = await freePort()
    const options = {
      data: inDirectory('data'),
      ports: { native: await freePort(), http: await freePort() },
      arguments: [`--listen=kafka=127.0.0.1:${kafkaPort}`],
    }
    let broker = await BrokerProcess.start(options)
    const client = await connect(broker.url, { reconnectDelayMs: { min: 5, max: 50 } })
    const kafka = new Kafka({
      clientId: 'bank',
      brokers: [`127.0.0.1:${kafkaPort}`],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 3 },
    })
    const transfers = await fillSource(client, kafka, random)
    const settings: WorkerSettings = {
      kafka,
      random,
      source: SOURCE,
      target: TARGET,
      group: GROUP,
      targetPartitions: TARGET_PARTITIONS,
    }
    const workers = Array.from({ length: SOURCE_PARTITIONS }, (_, partition) => new TransferWorker(settings, partition))
    const consumer = await consume(kafka, workers)
    const commits = (): number => workers.reduce((sum, worker) => sum + worker.commits, 0)
    for (let kills = 0; kills < KILLS; kills++) {
      const wanted = commits() + random.between(3, 9)
      await waitFor(() => commits() >= wanted)
      await sleep(random.between(0, 30))
      await broker.kill()
      broker = await BrokerProcess.start(options)
    }
    const handled = (): number => workers.reduce((sum, worker) => sum + worker.position, 0)
    await waitFor(() => handled() === TRANSFERS)
    await consumer.disconnect()
    for (const worker of workers) await worker.stop()
    const changes = await changesIn(client)
    const { partitions } = await client.admin.group(GROUP)
    await client.close()
    expect(await broker.stop()).toMatchObject({ code: 0 })

    expect(workers.flatMap(({ violations }) => violations)).toEqual([])
    expect(verdict(transfers, changes)).toEqual([])
    expect(partitions.map(({ lag }) => lag)).toEqual([0, 0])
    const [unsure, aborted, replaced] = (['unsure', 'aborted', 'replaced'] as const).map((kind) =>
      workers.reduce((sum, worker) => sum + worker[kind], 0),
    )
    process.stderr.write(`transactions crash loop: ${JSON.stringify({ commits: commits(), unsure, aborted, replaced })}\n`)
    // Otherwise the run proved nothing.
    expect(unsure).toBeGreaterThanOrEqual(KILLS)
  },
)

/** Transfers between accounts, numbered by where they are. @returns them by partition */
async function fillSource(client: Millrace, kafka: Kafka, random: SeededRandom): Promise<readonly (readonly Transfer[])[]> {
  await client.admin.createTopic({ name: SOURCE, partitions: SOURCE_PARTITIONS })
  await client.admin.createTopic({ name: TARGET, partitions: TARGET_PARTITIONS })
  const transfers: Transfer[][] = Array.from({ length: SOURCE_PARTITIONS }, () => [])
  for (let id = 0; id < TRANSFERS; id++) {
    const from = random.between(0, ACCOUNTS - 1)
    const to = (from + random.between(1, ACCOUNTS - 1)) % ACCOUNTS
    const transfer = { id, from, to, amount: random.between(1, 1000) }
    transfers[id % SOURCE_PARTITIONS]!.push(transfer)
  }
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  for (const [partition, part] of transfers.entries()) {
    await producer.send({ topic: SOURCE, messages: part.map((transfer) => ({ partition, value: JSON.stringify(transfer) })) })
  }
  await producer.disconnect()
  return transfers
}

async function consume(kafka: Kafka, workers: readonly TransferWorker[]): Promise<Consumer> {
  const consumer = kafka.consumer({
    groupId: GROUP,
    sessionTimeout: 10_000,
    heartbeatInterval: 200,
    maxWaitTimeInMs: 50,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 3, restartOnFailure: () => Promise.resolve(true) },
  })
  await consumer.connect()
  await consumer.subscribe({ topic: SOURCE, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: SOURCE_PARTITIONS,
    eachBatch: (payload) => workers[payload.batch.partition]!.handle(payload),
  })
  return consumer
}

async function changesIn(client: Millrace): Promise<Change[]> {
  const changes: Change[] = []
  for (let partition = 0; partition < TARGET_PARTITIONS; partition++) {
    for await (const message of client.topic(TARGET).read({ from: 'earliest', partition, untilEnd: true })) {
      changes.push({ ...(JSON.parse(message.text()) as Omit<Change, 'partition'>), partition })
    }
  }
  return changes
}

/** What is wrong, in words. */
function verdict(transfers: readonly (readonly Transfer[])[], changes: readonly Change[]): readonly string[] {
  const problems: string[] = []
  const sum = changes.reduce((total, { amount }) => total + amount, 0)
  if (sum !== 0) problems.push(`${sum} came from nowhere`)
  const seen = new Map<string, number>()
  for (const { id, account, amount } of changes) {
    const change = `${id} ${account} ${amount}`
    seen.set(change, (seen.get(change) ?? 0) + 1)
  }
  for (const { id, from, to, amount } of transfers.flat()) {
    for (const change of [`${id} ${from} ${-amount}`, `${id} ${to} ${amount}`]) {
      const times = seen.get(change) ?? 0
      if (times !== 1) problems.push(`transfer ${change} happened ${times} times`)
      seen.delete(change)
    }
  }
  for (const change of seen.keys()) problems.push(`nobody asked for ${change}`)
  const last = new Map<string, number>()
  for (const { id, partition } of changes) {
    const lane = `${id % SOURCE_PARTITIONS} -> ${partition}`
    if ((last.get(lane) ?? -1) > id) problems.push(`transfer ${id} came after ${last.get(lane)!} in ${lane}`)
    last.set(lane, id)
  }
  return problems
}
