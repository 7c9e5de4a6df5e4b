import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { checkKafka } from '../src/cli/doctor/kafka.ts'
import { speaksTls } from '../src/cli/doctor/kafka-connection.ts'
import type { RunningServer } from '../src/server/compose.ts'
import { startServer } from '../src/server/compose.ts'
import { loadConfig } from '../src/server/config/load.ts'
import { silentLog } from '../src/server/log/log.ts'
import { testCertificate } from './harness/test-certificate.ts'

const nobody = { tls: undefined, user: undefined, password: undefined }
const opened: (RunningServer | Server)[] = []

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

async function start(advertised?: string): Promise<{ server: RunningServer; address: { host: string; port: number } }> {
  const flags = { engine: 'memory', drainTimeoutMs: 0, listen: ['none', 'kafka=127.0.0.1:0'] }
  const config = await loadConfig({ flags: advertised === undefined ? flags : { ...flags, kafkaAdvertised: advertised } })
  const server = await startServer(config, silentLog)
  opened.push(server)
  return { server, address: { host: '127.0.0.1', port: Number(server.listeners['kafka']!.split(':')[1]) } }
}

/** A port on which nobody answers. */
async function closedPort(): Promise<number> {
  const { server, address } = await start()
  await server.close()
  return address.port
}

test('a broker that clients reach is in order', async () => {
  const { address } = await start()
  expect(await checkKafka(address, nobody)).toMatchObject({
    verdict: 'ok',
    found: expect.stringContaining(`127.0.0.1:${address.port}, which works`) as string,
  })
})

test('an advertised address that does not work is named, and the setting', async () => {
  const port = await closedPort()
  const { address } = await start(`127.0.0.1:${port}`)
  const finding = await checkKafka(address, nobody)
  expect(finding).toMatchObject({ verdict: 'fail', advice: expect.stringContaining('kafka.advertised') as string })
  expect(finding.found).toMatch(new RegExp(`connect to 127.0.0.1:${port}, and from here that fails: .*ECONNREFUSED`))
})

test('an advertised address at which another broker is, is found out', async () => {
  const other = await start()
  const { address } = await start(`127.0.0.1:${other.address.port}`)
  expect(await checkKafka(address, nobody)).toMatchObject({
    verdict: 'fail',
    found: expect.stringMatching(/another broker answers there/) as string,
  })
})

test('listeners with TLS, with logins and without are looked at, each as it is', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-doctor-'))
  const authority = testCertificate('test authority')
  const { cert, key } = testCertificate('localhost', authority)
  const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key)
  const external = { address: '127.0.0.1:0', tls: { cert: certFile, key: keyFile }, login: 'required' }
  const internal = { address: '127.0.0.1:0', login: 'none' }
  const flags = {
    engine: 'memory',
    drainTimeoutMs: 0,
    listen: ['none', { 'kafka/external': external, 'kafka/internal': internal }],
  }
  const server = await startServer(await loadConfig({ flags }), silentLog)
  opened.push(server)
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  server.security.users.create({ name: 'anonymous', rules: ['allow describe topic:*'] })
  const port = (name: string): number => Number(server.listeners[name]!.split(':')[1])
  const inside = { host: '127.0.0.1', port: port('kafka/internal') }
  const outside = { host: '127.0.0.1', port: port('kafka/external') }
  expect([await speaksTls(inside), await speaksTls(outside)]).toEqual([false, true])
  const root = { user: 'root', password: 'toor' }
  expect(await checkKafka(inside, { tls: undefined, ...root, listener: 'kafka/internal' })).toMatchObject({
    check: 'kafka/internal',
    verdict: 'ok',
  })
  const tls = { ca: Buffer.from(authority.cert) }
  expect(await checkKafka(outside, { tls, ...root, listener: 'kafka/external' })).toMatchObject({ verdict: 'ok' })
  expect(await checkKafka(outside, { ...nobody, tls, listener: 'kafka/external' })).toMatchObject({
    check: 'kafka/external',
    verdict: 'warn',
  })
  rmSync(directory, { recursive: true })
})

test('a broker that nobody reaches is in no order', async () => {
  expect(await checkKafka({ host: '127.0.0.1', port: await closedPort() }, nobody)).toMatchObject({
    verdict: 'fail',
    advice: expect.stringContaining('--listen kafka') as string,
  })
})

test('something that speaks another protocol fails', async () => {
  const other = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  opened.push(other)
  const { port } = other.address() as { port: number }
  expect((await checkKafka({ host: '127.0.0.1', port }, nobody)).verdict).not.toBe('ok')
})

test('a login is needed on a broker with users', async () => {
  const { server, address } = await start()
  server.security.users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  expect(await checkKafka(address, nobody)).toMatchObject({
    verdict: 'warn',
    advice: expect.stringContaining('MILLRACE_USER') as string,
  })
  expect(await checkKafka(address, { ...nobody, user: 'root', password: 'toor' })).toMatchObject({ verdict: 'ok' })
  expect(await checkKafka(address, { ...nobody, user: 'root', password: 'x' })).toMatchObject({
    verdict: 'fail',
    found: expect.stringContaining('not right') as string,
  })
})
