import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { millrace } from '../../packages/broker/test/harness/run-command.ts'
import { testCertificate } from '../../packages/broker/test/harness/test-certificate.ts'
import { Foreign } from './programs.ts'

const TOOLS = 'org.apache.kafka.tools'
const ACLS = `${TOOLS}.AclCommand`
const CONFIGS = 'kafka.admin.ConfigCommand'
const PRODUCER = `${TOOLS}.ConsoleProducer`
const CONSUMER = `${TOOLS}.consumer.ConsoleConsumer`

let directory: string
/** Over TLS. */
let secure: Foreign
/** Without. */
let plain: Foreign

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-security-'))
  const authority = testCertificate('test authority')
  const shop = testCertificate('shop', authority)
  const broker = testCertificate('localhost', authority)
  const tls = [`--tls-cert=${file('cert.pem', broker.cert)}`, `--tls-key=${file('key.pem', broker.key)}`]
  file('shop.pem', shop.key + shop.cert)
  const ca = file('ca.pem', authority.cert)
  const users = [await usersFile('secure.json'), await usersFile('plain.json')]
  secure = await Foreign.start([...tls, `--tls-ca=${ca}`, `--security-users-file=${users[0]}`])
  plain = await Foreign.start([`--security-users-file=${users[1]}`])
})

afterAll(async () => {
  await Promise.all([secure.stop(), plain.stop()])
  rmSync(directory, { recursive: true, force: true })
})

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}

/** root may do everything, shop nothing. */
async function usersFile(name: string): Promise<string> {
  const path = join(directory, name)
  await millrace(['user', 'add', 'root', '--admin', '--file', path], { input: 'toor\n' })
  await millrace(['user', 'add', 'shop', '--file', path], { input: 'a long one\n' })
  return path
}

type Mechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** Settings of a Java client, in a file. */
function login(protocol: 'SASL_SSL' | 'SASL_PLAINTEXT', user: string, password: string, mechanism: Mechanism = 'PLAIN'): string {
  const family = mechanism === 'PLAIN' ? 'plain.Plain' : 'scram.Scram'
  const module = `org.apache.kafka.common.security.${family}LoginModule`
  return settings({
    'security.protocol': protocol,
    'sasl.mechanism': mechanism,
    'sasl.jaas.config': `${module} required username="${user}" password="${password}";`,
    ...(protocol === 'SASL_SSL' ? trust() : {}),
  })
}

function trust(): Record<string, string> {
  return { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': join(directory, 'ca.pem') }
}

/** Of kcat. */
const asRoot = ['security.protocol=SASL_PLAINTEXT', 'sasl.mechanisms=PLAIN', 'sasl.username=root', 'sasl.password=toor'].flatMap(
  (setting) => ['-X', setting],
)

let files = 0

function settings(entries: Readonly<Record<string, string>>): string {
  const lines = Object.entries(entries).map(([key, value]) => `${key}=${value}\n`)
  return file(`client-${files++}.properties`, lines.join(''))
}

/** @param as settings of who it is */
async function publish(foreign: Foreign, as: string, topic: string, value: string): Promise<void> {
  const fast = ['--command-property', 'max.block.ms=10000', '--command-property', 'retries=0']
  await foreign.tool(PRODUCER, ['--topic', topic, '--command-config', as, ...fast], `${value}\n`)
}

async function consume(foreign: Foreign, as: string, topic: string, group: string): Promise<string> {
  const parameters = ['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '1', '--timeout-ms', '30000']
  return foreign.tool(CONSUMER, [...parameters, '--command-config', as])
}

async function allow(foreign: Foreign, root: string, ...parameters: string[]): Promise<string> {
  return foreign.tool(ACLS, ['--command-config', root, '--add', '--allow-principal', 'User:shop', ...parameters])
}

describe.each(['SASL_SSL', 'SASL_PLAINTEXT'] as const)('a Java client by %s', (protocol) => {
  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    'logs in with %s, publishes and consumes what ACLs let it',
    async (mechanism) => {
      const foreign = protocol === 'SASL_SSL' ? secure : plain
      const root = login(protocol, 'root', 'toor', mechanism)
      const shop = login(protocol, 'shop', 'a long one', mechanism)
      const topic = `orders-${mechanism}`
      await allow(foreign, root, '--producer', '--consumer', '--topic', topic, '--group', 'shops-')
      await allow(foreign, root, '--operation', 'Read', '--group', 'shops-', '--resource-pattern-type', 'prefixed')
      await publish(foreign, shop, topic, 'a lamp')
      expect(await consume(foreign, shop, topic, `shops-${mechanism}`)).toBe('a lamp\n')
      const refused = await foreign.failingTool(`${TOOLS}.TopicCommand`, [
        '--describe',
        '--topic',
        'secret',
        '--command-config',
        shop,
      ])
      expect(refused).toMatch(/'secret' does not exist|not authorized/i)
      const wrong = login(protocol, 'shop', 'wrong', mechanism)
      expect(await foreign.failingTool(ACLS, ['--list', '--command-config', wrong])).toMatch(/SaslAuthenticationException/)
    },
  )
})

test('a Java client with a certificate is the user that it names', async () => {
  const root = login('SASL_SSL', 'root', 'toor')
  const keys = { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': join(directory, 'shop.pem') }
  const shop = settings({ 'security.protocol': 'SSL', ...trust(), ...keys })
  await allow(secure, root, '--producer', '--topic', 'by-certificate')
  await publish(secure, shop, 'by-certificate', 'a book')
  expect(await consume(secure, root, 'by-certificate', 'roots')).toBe('a book\n')
})

test('kafka-acls', async () => {
  const root = login('SASL_PLAINTEXT', 'root', 'toor')
  const acls = async (...parameters: string[]): Promise<string> => plain.tool(ACLS, ['--command-config', root, ...parameters])
  const prices = ['--topic', 'prices-', '--resource-pattern-type', 'prefixed']
  await allow(plain, root, '--operation', 'Read', '--operation', 'Write', ...prices)
  await acls('--add', '--deny-principal', 'User:shop', '--operation', 'Write', '--topic', 'prices-secret')
  const listed = await acls('--list', '--principal', 'User:shop', '--topic', 'prices-secret', '--resource-pattern-type', 'match')
  expect(listed).toMatch(/name=prices-, patternType=PREFIXED/)
  expect(listed).toMatch(/principal=User:shop, host=\*, operation=READ, permissionType=ALLOW/)
  expect(listed).toMatch(/principal=User:shop, host=\*, operation=WRITE, permissionType=DENY/)
  const remove = ['--remove', '--force', '--allow-principal', 'User:shop', '--operation', 'Write', ...prices]
  await acls(...remove)
  const left = await acls('--list', ...prices)
  expect(left).toMatch(/operation=READ/)
  expect(left).not.toMatch(/operation=WRITE/)
  const shop = login('SASL_PLAINTEXT', 'shop', 'a long one')
  expect(await plain.failingTool(ACLS, ['--list', '--command-config', shop])).toMatch(
    /ClusterAuthorizationException|not authorized/i,
  )
})

test('kafka-acls with hosts', async () => {
  const root = login('SASL_PLAINTEXT', 'root', 'toor')
  const shop = login('SASL_PLAINTEXT', 'shop', 'a long one')
  const hosted = ['--operation', 'Write', '--operation', 'Describe', '--topic', 'hosted']
  await allow(plain, root, ...hosted, '--allow-host', '127.0.0.9')
  await plain.tool(`${TOOLS}.TopicCommand`, ['--create', '--topic', 'hosted', '--command-config', root])
  await publish(plain, shop, 'hosted', 'from elsewhere')
  expect(await plain.kcat(['-Q', '-t', 'hosted:0:-1', ...asRoot])).toBe('hosted [0] offset 0\n')
  await allow(plain, root, ...hosted, '--allow-host', '127.0.0.1')
  await publish(plain, shop, 'hosted', 'from here')
  expect(await plain.kcat(['-Q', '-t', 'hosted:0:-1', ...asRoot])).toBe('hosted [0] offset 1\n')
  const listed = await plain.tool(ACLS, ['--command-config', root, '--list', '--topic', 'hosted'])
  expect(listed).toMatch(/host=127\.0\.0\.9, operation=WRITE/)
  expect(listed).toMatch(/host=127\.0\.0\.1, operation=WRITE/)
})

test('kafka-configs for users: SCRAM credentials', async () => {
  const root = login('SASL_SSL', 'root', 'toor')
  const ann = ['--entity-type', 'users', '--entity-name', 'ann', '--command-config', root]
  await secure.tool(CONFIGS, ['--alter', ...ann, '--add-config', 'SCRAM-SHA-512=[iterations=8192,password=lamp]'])
  expect(await secure.tool(CONFIGS, ['--describe', ...ann])).toMatch(/SCRAM-SHA-512=iterations=8192/)
  await secure.tool(ACLS, ['--command-config', root, '--add', '--allow-principal', 'User:ann', '--producer', '--topic', 'of-ann'])
  const asAnn = login('SASL_SSL', 'ann', 'lamp', 'SCRAM-SHA-512')
  await publish(secure, asAnn, 'of-ann', 'hers')
  await secure.tool(CONFIGS, ['--alter', ...ann, '--delete-config', 'SCRAM-SHA-512'])
  expect(await secure.failingTool(ACLS, ['--list', '--command-config', asAnn])).toMatch(/SaslAuthenticationException/)
})

test('kafka-configs for users and client ids: quotas', async () => {
  const root = login('SASL_PLAINTEXT', 'root', 'toor')
  const quotas = async (...parameters: string[]): Promise<string> =>
    plain.tool(CONFIGS, [...parameters, '--command-config', root])
  const shop = ['--entity-type', 'users', '--entity-name', 'shop']
  const client = ['--entity-type', 'clients', '--entity-name', 'till']
  await quotas('--alter', ...shop, '--add-config', 'producer_byte_rate=10000000,consumer_byte_rate=20000000')
  await quotas('--alter', ...shop, ...client, '--add-config', 'producer_byte_rate=5000000')
  await quotas('--alter', '--entity-type', 'clients', '--entity-default', '--add-config', 'consumer_byte_rate=30000000')
  expect(await quotas('--describe', ...shop)).toMatch(/user-principal 'shop' are .*producer_byte_rate=1\.0E7/)
  expect(await quotas('--describe', ...shop, ...client)).toMatch(/client-id 'till' are producer_byte_rate=5000000\.0/)
  expect(await quotas('--describe', '--entity-type', 'clients', '--entity-default')).toMatch(/consumer_byte_rate=3\.0E7/)
  await quotas('--alter', ...shop, '--delete-config', 'producer_byte_rate')
  expect(await quotas('--describe', ...shop)).not.toMatch(/user-principal 'shop' are .*producer_byte_rate/)
  await quotas('--alter', ...shop, '--add-config', 'request_percentage=50,controller_mutation_rate=2')
  expect(await quotas('--describe', ...shop)).toMatch(/(request_percentage=50\.0|controller_mutation_rate=2\.0).*(=2\.0|=50\.0)/)
  const ip = ['--entity-type', 'ips', '--entity-name', '10.0.0.1', '--add-config', 'connection_creation_rate=5']
  expect(await plain.failingTool(CONFIGS, ['--alter', ...ip, '--command-config', root])).toMatch(/none for "ip"/)
})

test('kafka-topics is refused while too many partitions are created', async () => {
  const root = login('SASL_PLAINTEXT', 'root', 'toor')
  const limited = ['--entity-type', 'users', '--entity-name', 'root', '--command-config', root]
  await plain.tool(CONFIGS, ['--alter', ...limited, '--add-config', 'controller_mutation_rate=0.05'])
  const create = ['--create', '--partitions', '4', '--command-config', root]
  await plain.tool(`${TOOLS}.TopicCommand`, [...create, '--topic', 'mutated-1'])
  expect(await plain.failingTool(`${TOOLS}.TopicCommand`, [...create, '--topic', 'mutated-2'])).toMatch(
    /ThrottlingQuotaExceededException/,
  )
  await plain.tool(CONFIGS, ['--alter', ...limited, '--delete-config', 'controller_mutation_rate'])
  await plain.tool(`${TOOLS}.TopicCommand`, [...create, '--topic', 'mutated-2'])
  expect(await plain.kcat(['-L', '-t', 'mutated-2', ...asRoot])).toMatch(/"mutated-2" with 4 partitions/)
})
