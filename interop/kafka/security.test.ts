import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  type KafkaConfig,
  logLevel,
  Partitioners,
  ResourcePatternTypes,
} from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testCertificate } from '../../packages/broker/test/harness/test-certificate.ts'
import { startServer } from '../../packages/broker/src/server/compose.ts'
import { loadConfig } from '../../packages/broker/src/server/config/load.ts'
import { silentLog } from '../../packages/broker/src/server/log/log.ts'
import { KafkaServer } from './kafka-server.ts'
import { consume } from './kafkajs-consumer.ts'

const users = [
  { name: 'root', password: 'toor', rules: ['allow all **'] },
  { name: 'shop', password: 'a long one', rules: ['allow publish,read topic:orders*', 'allow consume group:shop-*'] },
]
const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

let server: KafkaServer

beforeAll(async () => {
  server = await KafkaServer.start({}, users)
})

afterAll(() => server.stop())

const common = { clientId: 'tests', logLevel: logLevel.NOTHING, retry: { retries: 1, initialRetryTime: 20 } }

type Sasl = NonNullable<KafkaConfig['sasl']>

function kafkaAs(username: string, password: string, mechanism = 'plain', more: Partial<KafkaConfig> = {}): Kafka {
  const sasl = { mechanism, username, password } as Sasl
  return new Kafka({ ...common, brokers: server.brokers, sasl, ...more })
}

async function publish(kafka: Kafka, topic: string, value: string): Promise<void> {
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  try {
    await producer.send({ topic, messages: [{ value }] })
  } finally {
    await producer.disconnect()
  }
}

describe('kafkajs', () => {
  test.each(mechanisms)('logs in with %s, publishes and consumes what it may', async (name) => {
    const mechanism = name.toLowerCase()
    const kafka = kafkaAs('shop', 'a long one', mechanism)
    const topic = `orders-${mechanism}`
    await publish(kafka, topic, 'a book')
    const reading = await consume(kafka, `shop-${mechanism}`, topic)
    await reading.until(1)
    await reading.consumer.disconnect()
    await expect(publish(kafka, 'invoices', '1')).rejects.toThrow(/topic authorization failed/i)
    const admin = kafka.admin()
    await admin.connect()
    await expect(admin.fetchOffsets({ groupId: 'other', topics: [topic] })).rejects.toThrow(
      /find group coordinator|not authorized/i,
    )
    await admin.disconnect()
  })

  test.each(mechanisms)('is refused with a wrong password, by %s', async (name) => {
    const kafka = kafkaAs('shop', 'wrong', name.toLowerCase())
    await expect(publish(kafka, 'orders', 'x')).rejects.toThrow(/not right|authentication failed/i)
  })

  test('sees the topics that it may, and no others', async () => {
    await publish(kafkaAs('root', 'toor'), 'secret', 'x')
    await publish(kafkaAs('root', 'toor'), 'orders-seen', 'x')
    const admin = kafkaAs('shop', 'a long one').admin()
    await admin.connect()
    const names = await admin.listTopics()
    expect(names).toContain('orders-seen')
    expect(names).not.toContain('secret')
    await expect(admin.fetchTopicMetadata({ topics: ['secret'] })).rejects.toMatchObject({ type: 'TOPIC_AUTHORIZATION_FAILED' })
    await expect(admin.createTopics({ topics: [{ topic: 'orders-made' }] })).rejects.toThrow(/.+/)
    await admin.disconnect()
  })
})

describe('ACLs', () => {
  const orders = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: 'acl-',
    resourcePatternType: ResourcePatternTypes.PREFIXED,
  }
  const permission = { principal: 'User:shop', host: '*', permissionType: AclPermissionTypes.ALLOW }

  test('by kafkajs', async () => {
    const admin = kafkaAs('root', 'toor').admin()
    await admin.connect()
    const filter = { ...orders, ...permission, operation: AclOperationTypes.ANY }
    await admin.createAcls({
      acl: [AclOperationTypes.WRITE, AclOperationTypes.READ].map((operation) => ({ ...orders, ...permission, operation })),
    })
    await publish(kafkaAs('shop', 'a long one'), 'acl-made', 'x')
    const { resources } = await admin.describeAcls(filter)
    expect(resources).toMatchObject([{ resourceName: 'acl-', acls: [{ principal: 'User:shop' }, { principal: 'User:shop' }] }])
    const { filterResponses } = await admin.deleteAcls({ filters: [filter] })
    expect(filterResponses[0]!.matchingAcls).toHaveLength(2)
    await expect(publish(kafkaAs('shop', 'a long one'), 'acl-made', 'x')).rejects.toThrow(/topic authorization failed/i)
    await admin.disconnect()
  })

  test('by @platformatic/kafka', async () => {
    const sasl = { mechanism: 'PLAIN', username: 'root', password: 'toor' } as const
    const admin = new Admin({ clientId: 'tests', bootstrapBrokers: server.brokers, retries: 0, sasl })
    const acl = {
      resourceType: 2,
      resourceName: 'by-platformatic',
      resourcePatternType: 3,
      principal: 'User:shop',
      host: '*',
      operation: 3,
      permissionType: 3,
    } as const
    await admin.createAcls({ creations: [acl] })
    expect(await server.native.admin.user('shop')).toMatchObject({
      rules: expect.arrayContaining(['allow read topic:by-platformatic']),
    })
    expect(await admin.describeAcls({ filter: acl })).toMatchObject([
      { resourceName: 'by-platformatic', acls: [{ principal: 'User:shop', operation: 3 }] },
    ])
    expect(await admin.deleteAcls({ filters: [acl] })).toHaveLength(1)
    await admin.close()
  })
})

test('a rule for some addresses is for connections from there', async () => {
  const root = kafkaAs('root', 'toor').admin()
  await root.connect()
  await root.createAcls({
    acl: [
      {
        resourceType: AclResourceTypes.TOPIC,
        resourceName: 'near',
        resourcePatternType: ResourcePatternTypes.LITERAL,
        operation: AclOperationTypes.WRITE,
        principal: 'User:shop',
        host: '127.0.0.2',
        permissionType: AclPermissionTypes.ALLOW,
      },
    ],
  })
  await root.disconnect()
  const from = (localAddress: string): Kafka =>
    kafkaAs('shop', 'a long one', 'plain', {
      socketFactory: ({ host, port, onConnect }) => connectSocket({ host, port, localAddress }, onConnect),
    })
  await expect(publish(from('127.0.0.1'), 'near', 'x')).rejects.toThrow(/topic authorization failed/i)
  await publish(from('127.0.0.2'), 'near', 'x')
})

describe('@platformatic/kafka', () => {
  test.each(mechanisms)('logs in with %s, publishes and consumes', async (mechanism) => {
    const options = {
      clientId: 'tests',
      bootstrapBrokers: server.brokers,
      retries: 0,
      sasl: { mechanism, username: 'shop', password: 'a long one' },
    }
    const topic = `orders-platformatic-${mechanism}`
    const producer = new Producer({ ...options, serializers: stringSerializers, autocreateTopics: true })
    await producer.send({ messages: [{ topic, key: 'k', value: 'a book' }] })
    await producer.close()
    const consumer = new Consumer({ ...options, groupId: 'shop-platformatic', deserializers: stringDeserializers })
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
    for await (const message of stream) {
      expect(message.value).toBe('a book')
      break
    }
    await stream.close()
    await consumer.close()
  })

  test('is refused with a wrong password', async () => {
    const sasl = { mechanism: 'SCRAM-SHA-256', username: 'shop', password: 'wrong' } as const
    const admin = new Admin({ clientId: 'tests', bootstrapBrokers: server.brokers, retries: 0, sasl })
    await expect(admin.listTopics()).rejects.toThrow(/.+/)
    await admin.close()
  })
})

test('quotas by @platformatic/kafka, and kafkajs is slowed down by them', async () => {
  const sasl = { mechanism: 'PLAIN', username: 'root', password: 'toor' } as const
  const admin = new Admin({ clientId: 'tests', bootstrapBrokers: server.brokers, retries: 0, sasl })
  const entities = [{ entityType: 'user', entityName: 'shop' }] as const
  await admin.alterClientQuotas({
    entries: [{ entities: [...entities], ops: [{ key: 'producer_byte_rate', value: 10_000, remove: false }] }],
    validateOnly: false,
  })
  expect(await server.native.admin.quotas()).toEqual([{ user: 'shop', publishBytesPerSecond: 10_000 }])
  const components = [{ entityType: 'user', matchType: 0, match: 'shop' }] as const
  expect(await admin.describeClientQuotas({ components: [...components], strict: true })).toMatchObject([
    { values: [{ key: 'producer_byte_rate', value: 10_000 }] },
  ])
  const producer = kafkaAs('shop', 'a long one').producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const [sent] = await producer.send({ topic: 'orders', messages: [{ value: 'x'.repeat(11_000) }] })
  expect(sent).toMatchObject({ errorCode: 0 })
  const before = performance.now()
  await producer.send({ topic: 'orders', messages: [{ value: 'x' }] })
  expect(performance.now() - before).toBeGreaterThan(50)
  await producer.disconnect()
  await server.native.admin.removeQuota({ user: 'shop' })
  await admin.close()
})

test('clients log in over TLS, with a password and by certificate', async () => {
  const authority = testCertificate('test authority')
  const broker = testCertificate('localhost', authority)
  const shop = testCertificate('shop', authority)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-tls-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const config = await loadConfig({
    flags: {
      engine: 'memory',
      listen: ['none', 'kafka=127.0.0.1:0'],
      drainTimeoutMs: 0,
      tlsCert: file('cert.pem', broker.cert),
      tlsKey: file('key.pem', broker.key),
      tlsCa: file('ca.pem', authority.cert),
    },
  })
  const secure = await startServer(config, silentLog)
  for (const user of users) secure.security.users.create(user)
  const brokers = [secure.listeners['kafka']!]
  const ssl = { ca: [authority.cert], servername: 'localhost' }
  await publish(kafkaAs('shop', 'a long one', 'plain', { brokers, ssl }), 'orders', 'by password')
  await publish(new Kafka({ ...common, brokers, ssl: { ...ssl, ...shop } }), 'orders', 'by certificate')
  await expect(publish(new Kafka({ ...common, brokers, ssl }), 'orders', 'by nobody')).rejects.toThrow(/.+/)
  expect(secure.broker.topic('orders').partitionInfo[0]).toMatchObject({ start: 0, end: 2 })
  await secure.close()
  rmSync(directory, { recursive: true })
})
