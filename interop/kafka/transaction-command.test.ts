import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BrokerProcess } from '../../bench/src/broker-process.ts'
import { freePort } from '../../bench/src/free-port.ts'
import { commandsFor, outputsOf } from '../../packages/broker/test/harness/run-command.ts'

let broker: BrokerProcess
let kafkaPort: number

beforeAll(async () => {
  kafkaPort = await freePort()
  broker = await BrokerProcess.start({ arguments: [`--listen=kafka=127.0.0.1:${kafkaPort}`, '--transactions-timeout-ms-max=2m'] })
})

afterAll(async () => {
  await broker.stop()
})

test('an open transaction is listed, described, counted and aborted', async () => {
  const run = commandsFor(broker.url)
  const out = outputsOf(run)
  const kafka = new Kafka({ brokers: [`127.0.0.1:${kafkaPort}`], logLevel: logLevel.NOTHING })
  const settings = { idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner }
  const producer = kafka.producer({ ...settings, transactionalId: 'shop-1', transactionTimeout: 120_000 })
  await producer.connect()
  const transaction = await producer.transaction()
  expect(await out('transaction', 'ls')).toMatch(/^shop-1\tempty\t-\t2m\t\d+\/0\n$/)
  expect(await out('transaction', 'ls', '--open')).toBe('')
  await transaction.send({ topic: 'orders', messages: [{ value: 'a' }] })
  await transaction.sendOffsets({
    consumerGroupId: 'g',
    topics: [{ topic: 'orders', partitions: [{ partition: 0, offset: '0' }] }],
  })

  expect(await out('transaction', 'ls', '--open')).toMatch(/^shop-1\topen\t2/)
  const described = await out('transaction', 'describe', 'shop-1')
  expect(described).toContain('publishes to\ttopic:orders/0\n')
  expect(described).toContain('offsets of\tg\n')
  expect(JSON.parse(await out('transaction', 'describe', 'shop-1', '-o', 'json'))).toMatchObject({ state: 'open', groups: ['g'] })
  expect(await broker.metric('millrace_transactions_open')).toBe(1)
  expect(await broker.metric('millrace_transactions_waiting_bytes')).toBeGreaterThan(50)

  expect((await run(['transaction', 'abort', 'shop-1'])).stderr).toBe('aborted the transaction of shop-1\n')
  expect((await run(['transaction', 'abort', 'shop-1'])).stderr).toBe('shop-1 has no open transaction\n')
  expect((await run(['transaction', 'describe', 'none'])).code).toBe(3)
  expect(await broker.metric('millrace_transactions_aborted_total')).toBe(1)
  await expect(transaction.commit()).rejects.toMatchObject({ type: 'INVALID_PRODUCER_EPOCH' })
  await producer.disconnect()

  const tooLong = kafka.producer({ ...settings, transactionalId: 'slow', transactionTimeout: 130_000 })
  await tooLong.connect()
  await expect(tooLong.transaction()).rejects.toMatchObject({ type: 'INVALID_TRANSACTION_TIMEOUT' })
  await tooLong.disconnect()
})
