import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../bench/src/free-port.ts'
import { testCertificate } from '../../packages/broker/test/harness/test-certificate.ts'
import { type RunningServer, startServer } from '../../packages/broker/src/server/compose.ts'
import { loadConfig } from '../../packages/broker/src/server/config/load.ts'
import { silentLog } from '../../packages/broker/src/server/log/log.ts'
import { Program } from '../foreign-program.ts'
import { startJava } from './programs.ts'

/** Java's client and librdkafka at a listener inside, where nobody logs in, and at one with SASL_SSL and another name outside. */

const PRODUCER = 'org.apache.kafka.tools.ConsoleProducer'

let directory: string
let server: RunningServer
let inside: string
let outside: string

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-foreign-listeners-'))
  const authority = testCertificate('test authority')
  const certificate = testCertificate('localhost', authority)
  const tls = { cert: file('cert.pem', certificate.cert), key: file('key.pem', certificate.key) }
  file('ca.pem', authority.cert)
  const port = await freePort()
  const external = { address: `127.0.0.1:${port}`, advertised: `localhost:${port}`, tls, login: 'required' }
  const listen = ['none', { kafka: { address: '127.0.0.1:0', login: 'none' }, 'kafka/external': external }]
  server = await startServer(await loadConfig({ flags: { engine: 'memory', drainTimeoutMs: 0, listen } }), silentLog)
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  server.security.users.create({ name: 'anonymous', rules: ['allow all topic:*'] })
  inside = server.listeners['kafka']!
  outside = `localhost:${port}`
})

afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

const trust = (): string => `ssl.truststore.type=PEM\nssl.truststore.location=${join(directory, 'ca.pem')}\n`

/** @param settings of a Java client @returns whether the record was taken */
async function publishes(address: string, topic: string, settings: string): Promise<boolean> {
  const config = file(`${topic}.properties`, settings)
  const fast = ['--command-property', 'max.block.ms=8000', '--command-property', 'retries=0']
  const parameters = ['--bootstrap-server', address, '--topic', topic, '--command-config', config, ...fast]
  await startJava(PRODUCER, parameters, 'x\n').ended()
  return server.broker.topics().some(({ name }) => name === topic)
}

const login = (mechanism: string, module: string): string =>
  `sasl.mechanism=${mechanism}\nsasl.jaas.config=org.apache.kafka.common.security.${module}LoginModule required username="root" password="toor";\n`

test('a Java client inside does not log in, and one outside must, over TLS', async () => {
  const plain = login('PLAIN', 'plain.Plain')
  expect(await publishes(inside, 'inside', 'security.protocol=PLAINTEXT\n')).toBe(true)
  expect(await publishes(inside, 'inside-login', `security.protocol=SASL_PLAINTEXT\n${plain}`)).toBe(false)
  expect(await publishes(outside, 'outside', `security.protocol=SASL_SSL\n${trust()}${plain}`)).toBe(true)
  const scram = login('SCRAM-SHA-512', 'scram.Scram')
  expect(await publishes(outside, 'outside-scram', `security.protocol=SASL_SSL\n${trust()}${scram}`)).toBe(true)
  expect(await publishes(outside, 'outside-unnamed', `security.protocol=SSL\n${trust()}`)).toBe(false)
})

const brokersTold = async (address: string, ...settings: string[]): Promise<unknown> => {
  const { stdout } = await new Program('kcat', ['-b', address, '-L', '-J', ...settings.flatMap((each) => ['-X', each])]).ended()
  return (JSON.parse(stdout) as { brokers: unknown }).brokers
}

test('librdkafka is told the address of its own listener', async () => {
  expect(await brokersTold(inside)).toEqual([{ id: 1, name: inside }])
  const secure = ['security.protocol=SASL_SSL', `ssl.ca.location=${join(directory, 'ca.pem')}`]
  expect(await brokersTold(outside, ...secure, 'sasl.mechanisms=PLAIN', 'sasl.username=root', 'sasl.password=toor')).toEqual([
    { id: 1, name: outside },
  ])
})
