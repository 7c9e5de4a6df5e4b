import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { freePort } from '../../../bench/src/free-port.ts'
import { directoryPerTest } from './harness/directory-per-test.ts'
import { commandsFor, millrace } from './harness/run-command.ts'

/** For `expect.poll`: commands are processes. */
const soon = { timeout: 20_000 }

const inDirectory = directoryPerTest()

const oneLine = (pattern: string): unknown => expect.stringMatching(new RegExp(`^millrace: [^\\n]*${pattern}[^\\n]*\\n$`))

describe('a crash', () => {
  test('loses nothing that was confirmed', async () => {
    const data = inDirectory('data')
    const first = await BrokerProcess.start({ data })
    const run = commandsFor(first.url)
    await run(['topic', 'create', 'events', '--partitions', '3'])
    expect((await run(['pub', 'queue:mail', 'before the crash', '--count', '3'])).code).toBe(0)
    expect((await run(['pub', 'topic:events', 'event', '--key', 'k'])).code).toBe(0)
    expect((await run(['sub', 'queue:mail', '--count', '1', '-q'])).stdout).toBe('before the crash\n')
    expect(await first.kill()).toMatchObject({ signal: 'SIGKILL' })

    const second = await BrokerProcess.start({ data })
    const again = commandsFor(second.url)
    expect((await again(['sub', 'queue:mail', '--timeout', '500ms', '-q'])).stdout).toBe('before the crash\nbefore the crash\n')
    const { stdout } = await again(['topic', 'get', 'events', '-o', 'json'])
    expect(JSON.parse(stdout)).toMatchObject({ partitions: 3 })
    expect((await again(['sub', 'topic:events', '--from', 'earliest', '--count', '1', '-q'])).stdout).toBe('event\n')
    expect(await second.stop()).toMatchObject({ code: 0 })
  })
})

describe('stopping', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s drains and exits 0', async (signal) => {
    const broker = await BrokerProcess.start({ data: inDirectory('data') })
    await commandsFor(broker.url)(['pub', 'queue:mail', 'x'])
    process.kill(broker.pid, signal)
    expect(await broker.exited).toMatchObject({ code: 0, signal: null })
    await broker.stop()
  })

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    '%s while somebody consumes: they are told, and go on when it is back',
    async (signal) => {
      const options = { data: inDirectory('data'), ports: { native: await freePort(), http: await freePort() } }
      const broker = await BrokerProcess.start(options)
      const run = commandsFor(broker.url)
      await run(['queue', 'create', 'mail'])
      const consumer = run(['sub', 'queue:mail', '--count', '1'])
      await expect
        .poll(async () => JSON.parse((await run(['queue', 'get', 'mail', '-o', 'json'])).stdout) as object, soon)
        .toMatchObject({ consumers: 1 })
      process.kill(broker.pid, signal)
      await broker.exited
      const again = await BrokerProcess.start(options)
      expect((await run(['pub', 'queue:mail', 'after'])).code).toBe(0)
      expect(await consumer).toEqual({
        code: 0,
        stdout: 'after\n',
        stderr: 'the broker is gone; waiting for it to come back\nthe broker is back\nreceived 1 message from queue:mail\n',
      })
      await again.stop()
    },
  )
})

describe('a start that cannot work says why, and ends', () => {
  test('the data directory is open in another process', async () => {
    const data = inDirectory('data')
    const broker = await BrokerProcess.start({ data })
    const exit = await BrokerProcess.startToFail({ data })
    expect(exit.code).toBe(1)
    expect(exit.stderr).toEqual(oneLine('data.*(another|other|process)'))
    expect((await commandsFor(broker.url)(['pub', 'queue:mail', 'still works'])).code).toBe(0)
    await broker.stop()
  })

  test('an unknown key or a wrong value in the file', async () => {
    const config = inDirectory('config.yaml')
    writeFileSync(config, 'durabilty: fsync\n')
    expect(await BrokerProcess.startToFail({ arguments: ['--config', config] })).toMatchObject({
      code: 2,
      stderr: oneLine('durabilty.*Did you mean "durability"'),
    })
    writeFileSync(config, 'durability: maybe\n')
    expect(await BrokerProcess.startToFail({ arguments: ['--config', config] })).toMatchObject({
      code: 2,
      stderr: oneLine('fsync, os'),
    })
    expect(await BrokerProcess.startToFail({ arguments: ['--config', inDirectory('missing.yaml')] })).toMatchObject({
      code: 2,
      stderr: oneLine('missing.yaml'),
    })
  })

  test('a port that was asked for is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const exit = await BrokerProcess.startToFail({ data: inDirectory('data'), ports: { native: port } })
    expect(exit).toMatchObject({ code: 1, stderr: oneLine(String(port)) })
    await new Promise((resolve) => server.close(resolve))
  })

  test('the data directory cannot be made, or is no directory', async () => {
    writeFileSync(inDirectory('file'), 'in the way')
    for (const data of [inDirectory('file'), inDirectory('file/data')]) {
      const exit = await BrokerProcess.startToFail({ data })
      expect(exit).toMatchObject({ code: 1, stderr: oneLine(data) })
    }
  })

  test('the data directory holds something else', async () => {
    const data = inDirectory('data')
    mkdirSync(data)
    writeFileSync(join(data, 'precious.txt'), 'not ours')
    const broker = await BrokerProcess.start({ data })
    await broker.stop()
    expect(readFileSync(join(data, 'precious.txt'), 'utf8')).toBe('not ours')
    expect((await millrace(['doctor', '--data', data, '--url', broker.url])).stdout).toContain(data)
  })

  test('listening beyond this machine needs users', async () => {
    const exit = await BrokerProcess.startToFail({
      data: inDirectory('data'),
      arguments: ['--listen', 'kafka=0.0.0.0:0'],
    })
    expect(exit).toMatchObject({ code: 4, stderr: oneLine('0\\.0\\.0\\.0.*no users.*millrace user add') })
  })

  test('a file of the data directory is damaged: it is named, with the position, and stays as it is', async () => {
    const data = inDirectory('data')
    const broker = await BrokerProcess.start({ data })
    expect((await commandsFor(broker.url)(['pub', 'queue:mail', 'precious', '--count', '3'])).code).toBe(0)
    await broker.stop()
    const segment = join(data, '0000000001.segment')
    const bytes = readFileSync(segment)
    const at = bytes.indexOf('precious')
    bytes[at]! ^= 1
    writeFileSync(segment, bytes)
    expect(await BrokerProcess.startToFail({ data })).toMatchObject({
      code: 1,
      stderr: oneLine('0000000001\\.segment: .*at byte \\d+.*restore the data directory from a backup'),
    })
    expect(readFileSync(segment).equals(bytes)).toBe(true)
    bytes[at]! ^= 1
    writeFileSync(segment, bytes)
    const mended = await BrokerProcess.start({ data })
    expect((await commandsFor(mended.url)(['sub', 'queue:mail', '--count', '3', '-q'])).stdout).toBe('precious\n'.repeat(3))
    await mended.stop()
  })
})
