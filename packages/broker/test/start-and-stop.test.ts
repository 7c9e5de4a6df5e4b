import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BrokerProcess, temporaryDirectory } from '../../../bench/src/broker-process.ts'
import { commandsFor, millrace } from './harness/run-command.ts'

let directory: string

beforeEach(() => {
  directory = temporaryDirectory()
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const inDirectory = (name: string): string => join(directory, name)
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

  test('a consumer that waits is told, and the message stays', async () => {
    const broker = await BrokerProcess.start({ data: inDirectory('data') })
    const consumer = commandsFor(broker.url)(['sub', 'queue:mail', '--timeout', '2s'])
    await commandsFor(broker.url)(['pub', 'queue:other', 'kept'])
    expect(await broker.stop()).toMatchObject({ code: 0 })
    expect((await consumer).code).not.toBeNull()
    const again = await BrokerProcess.start({ data: broker.data })
    expect((await commandsFor(again.url)(['sub', 'queue:other', '--count', '1', '-q'])).stdout).toBe('kept\n')
    await again.stop()
  })
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
    expect((await millrace(['doctor', '--data', data, '--url', broker.url])).stdout).toContain(data)
  })

  test('listening beyond this machine needs users', async () => {
    const exit = await BrokerProcess.startToFail({
      data: inDirectory('data'),
      arguments: ['--listen', 'native=none', '--listen', 'http=0.0.0.0:0'],
    })
    expect(exit.code).not.toBe(0)
  })
})
