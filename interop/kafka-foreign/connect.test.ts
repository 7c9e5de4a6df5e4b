import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Program } from '../foreign-program.ts'
import { Foreign, startJava } from './programs.ts'

let foreign: Foreign
let directory: string

beforeEach(async () => {
  foreign = await Foreign.start()
  directory = mkdtempSync(join(tmpdir(), 'millrace-connect-'))
})

afterEach(async () => {
  await foreign.stop()
  rmSync(directory, { recursive: true, force: true })
})

function settings(file: string, values: Readonly<Record<string, string>>): string {
  const path = join(directory, file)
  writeFileSync(
    path,
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  return path
}

/** @returns the worker that copies what is appended to `in.txt` to `out.txt`, by the topic `copied` */
function start(): Program {
  mkdirSync(join(directory, 'plugins'), { recursive: true })
  const converter = 'org.apache.kafka.connect.storage.StringConverter'
  const worker = settings('worker.properties', {
    'bootstrap.servers': foreign.address,
    'key.converter': converter,
    'value.converter': converter,
    'offset.storage.file.filename': join(directory, 'offsets'),
    'offset.flush.interval.ms': '200',
    'plugin.discovery': 'only_scan',
    'plugin.path': join(directory, 'plugins'),
    listeners: 'http://127.0.0.1:0',
  })
  const source = settings('source.properties', {
    name: 'source',
    'connector.class': 'org.apache.kafka.connect.file.FileStreamSourceConnector',
    file: join(directory, 'in.txt'),
    topic: 'copied',
  })
  const sink = settings('sink.properties', {
    name: 'sink',
    'connector.class': 'org.apache.kafka.connect.file.FileStreamSinkConnector',
    file: join(directory, 'out.txt'),
    topics: 'copied',
  })
  return startJava('org.apache.kafka.connect.cli.ConnectStandalone', [worker, source, sink])
}

async function copied(worker: Program, lines: readonly string[]): Promise<void> {
  const path = join(directory, 'out.txt')
  await worker.until(() => expect(existsSync(path) ? readFileSync(path, 'utf8') : '').toBe(lines.join('')))
}

test('Kafka Connect, standalone, copies a file and goes on where it was after a restart', async () => {
  const lines = Array.from({ length: 500 }, (_, n) => `line ${n}\n`)
  writeFileSync(join(directory, 'in.txt'), lines.slice(0, 200).join(''))
  const first = start()
  await copied(first, lines.slice(0, 200))
  appendFileSync(join(directory, 'in.txt'), lines.slice(200, 300).join(''))
  await copied(first, lines.slice(0, 300))
  await first.stop('SIGTERM')
  appendFileSync(join(directory, 'in.txt'), lines.slice(300).join(''))
  const second = start()
  await copied(second, lines)
  await second.stop('SIGTERM')
  expect(await foreign.records('copied', '%s')).toEqual(lines.map((line) => line.trim()))
})
