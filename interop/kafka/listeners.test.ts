import { Admin, Producer, stringSerializers } from '@platformatic/kafka'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, type KafkaConfig, logLevel, Partitioners } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../bench/src/free-port.ts'
import { testCertificate } from '../../packages/broker/test/harness/test-certificate.ts'
import { type RunningServer, startServer } from '../../packages/broker/src/server/compose.ts'
import { loadConfig } from '../../packages/broker/src/server/config/load.ts'
import { silentLog } from '../../packages/broker/src/server/log/log.ts'

/** A listener inside, where nobody logs in, and one for the outside, with TLS, logins and another name. */

const authority = testCertificate('test authority')
const certificate = testCertificate('localhost', authority)
const ssl = { ca: [authority.cert], servername: 'localhost' }
const sasl = { mechanism: 'scram-sha-512', username: 'shop', password: 'a long one' } as const

let directory: string
let server: RunningServer
let inside: string
let outside: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-listeners-'))
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  writeFileSync(cert, certificate.cert)
  writeFileSync(key, certificate.key)
  const port = await freePort()
  const external = { address: `127.0.0.1:${port}`, advertised: `localhost:${port}`, tls: { cert, key }, login: 'required' }
  const listen = ['none', { kafka: { address: '127.0.0.1:0', login: 'none' }, 'kafka/external': external }]
  server = await startServer(await loadConfig({ flags: { engine: 'memory', drainTimeoutMs: 0, listen } }), silentLog)
  inside = server.listeners['kafka']!
  outside = `localhost:${port}`
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  server.security.users.create({ name: 'shop', password: 'a long one', rules: ['allow publish topic:orders'] })
  server.security.users.create({ name: 'anonymous', rules: ['allow publish,read topic:orders'] })
})

afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

const kafkaAt = (broker: string, more: Partial<KafkaConfig> = {}): Kafka =>
  new Kafka({
    clientId: 'tests',
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    connectionTimeout: 2000,
    brokers: [broker],
    ...more,
  })

async function publish(kafka: Kafka): Promise<void> {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  try {
    await producer.connect()
    await producer.send({ topic: 'orders', messages: [{ value: 'x' }] })
  } finally {
    await producer.disconnect()
  }
}

test('kafkajs gets in by each as its listener says', async () => {
  await publish(kafkaAt(inside))
  await publish(kafkaAt(outside, { ssl, sasl }))
  expect(server.broker.topic('orders').partitionInfo[0]).toMatchObject({ end: 2 })
  await expect(publish(kafkaAt(outside, { ssl }))).rejects.toThrow(/.+/)
  await expect(publish(kafkaAt(outside, { sasl }))).rejects.toThrow(/.+/)
  await expect(publish(kafkaAt(inside, { sasl }))).rejects.toThrow(/SASL|authentication|no time to log in|Request is not valid/i)
})

const addressOf = async (kafka: Kafka): Promise<string> => {
  const admin = kafka.admin()
  await admin.connect()
  const { brokers } = await admin.describeCluster()
  await admin.disconnect()
  return brokers.map(({ host, port }) => `${host}:${port}`).join()
}

test('each client is told the address of its own listener', async () => {
  expect(await addressOf(kafkaAt(inside))).toBe(inside)
  expect(await addressOf(kafkaAt(outside, { ssl, sasl: { ...sasl, username: 'root', password: 'toor' } }))).toBe(outside)
})

test('@platformatic/kafka does the same', async () => {
  const options = { clientId: 'tests', retries: 0, connectTimeout: 2000 }
  const producer = new Producer({ ...options, bootstrapBrokers: [inside], serializers: stringSerializers })
  await producer.send({ messages: [{ topic: 'orders', value: 'x' }] })
  await producer.close()
  const login = { mechanism: 'SCRAM-SHA-512', username: 'root', password: 'toor' } as const
  const admin = new Admin({ ...options, bootstrapBrokers: [outside], sasl: login, tls: { ca: [authority.cert] } })
  expect(await admin.listTopics()).toEqual(['orders'])
  await admin.close()
  const unnamed = new Admin({ ...options, bootstrapBrokers: [outside], tls: { ca: [authority.cert] } })
  await expect(unnamed.listTopics()).rejects.toThrow(/.+/)
  await unnamed.close()
})
