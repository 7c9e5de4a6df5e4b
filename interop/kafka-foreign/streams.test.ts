import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Program } from '../foreign-program.ts'
import { Foreign, startJava } from './programs.ts'

const TOPICS = 'org.apache.kafka.tools.TopicCommand'
const LINES = 2000
const words = ['ash', 'birch', 'cedar', 'fir', 'oak', 'pine', 'yew']

let foreign: Foreign
let directory: string

beforeEach(async () => {
  foreign = await Foreign.start()
  directory = mkdtempSync(join(tmpdir(), 'millrace-streams-'))
  for (const topic of ['lines', 'counts']) await foreign.tool(TOPICS, ['--create', '--topic', topic, '--partitions', '2'])
})

afterEach(async () => {
  await foreign.stop()
  rmSync(directory, { recursive: true, force: true })
})

function start(guarantee: string, state: string): Program {
  return startJava('WordCount', [foreign.address, guarantee, join(directory, state)])
}

/** Each line has two words, and they are in turn. */
async function produce(from: number, to: number): Promise<void> {
  const lines = Array.from({ length: to - from }, (_, n) => `${word(from + n)} ${word(from + n + 1)}\n`)
  await foreign.kcat(['-P', '-t', 'lines', '-X', 'partitioner=random'], lines.join(''))
}

function word(n: number): string {
  return words[n % words.length]!
}

function expected(lines: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (let n = 0; n < lines; n++) {
    for (const each of [word(n), word(n + 1)]) counts.set(each, (counts.get(each) ?? 0) + 1)
  }
  return counts
}

/** Every count that was published, by word, in order. */
async function published(): Promise<Map<string, number[]>> {
  const byWord = new Map<string, number[]>()
  for (const line of await foreign.records('counts', '%k %s', '-X', 'isolation.level=read_committed')) {
    const [key, count] = line.split(' ') as [string, string]
    byWord.set(key, [...(byWord.get(key) ?? []), Number(count)])
  }
  return byWord
}

async function counted(program: Program, lines: number): Promise<void> {
  await program.until(async () => {
    const last = [...(await published())].map(([key, counts]) => [key, counts.at(-1)] as const)
    expect(new Map(last)).toEqual(expected(lines))
  })
}

test('word count, at least once: state is restored from its changelog', async () => {
  await produce(0, LINES)
  const first = start('at_least_once', 'first')
  await counted(first, LINES)
  expect((await first.stop('SIGTERM')).stdout).toContain('NOT_RUNNING')
  await produce(LINES, 2 * LINES)
  const second = start('at_least_once', 'second')
  await counted(second, 2 * LINES)
  await second.stop('SIGTERM')
})

test('counts by windows of time: their state is restored from a changelog that is compacted and limited', async () => {
  for (const topic of ['events', 'windows']) await foreign.tool(TOPICS, ['--create', '--topic', topic, '--partitions', '2'])
  const MINUTE_MS = 60_000
  const begin = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 60 * MINUTE_MS
  const windows = 10
  const wanted = new Map<string, string>()
  /** In each minute, every word as often as its place among the words says, and as often again each time. */
  const publish = async (round: number): Promise<void> => {
    const lines: string[] = []
    for (let window = 0; window < windows; window++) {
      const windowStart = begin + window * MINUTE_MS
      for (const [n, each] of words.entries()) {
        for (let time = 0; time <= n; time++) lines.push(`${each} ${windowStart + time}\n`)
        wanted.set(`${each}@${windowStart}`, String(round * (n + 1)))
      }
    }
    await foreign.kcat(['-P', '-t', 'events', '-X', 'partitioner=random'], lines.join(''))
  }
  const last = async (): Promise<Map<string, string>> => {
    const lines = await foreign.records('windows', '%k %s')
    return new Map(lines.map((line) => line.split(' ') as [string, string]))
  }
  for (const round of [1, 2]) {
    await publish(round)
    const program = startJava('WindowedCount', [foreign.address, join(directory, `windows-${round}`)])
    await program.until(async () => expect(await last()).toEqual(wanted))
    await program.stop('SIGTERM')
  }
  const changelog = ['--describe', '--topic', 'windowed-count-windowed-changelog']
  expect(await foreign.tool('kafka.admin.ConfigCommand', changelog)).toMatch(/cleanup\.policy=(compact,delete|delete,compact)/)
})

test('word count, exactly once, over a kill: every count is published once', async () => {
  await produce(0, LINES)
  const first = start('exactly_once_v2', 'first')
  await first.until(async () => expect((await published()).size).toBeGreaterThan(0))
  await first.stop('SIGKILL')
  await produce(LINES, 2 * LINES)
  const second = start('exactly_once_v2', 'second')
  await counted(second, 2 * LINES)
  await second.stop('SIGTERM')
  const wanted = [...expected(2 * LINES)].map(([key, count]) => [key, Array.from({ length: count }, (_, n) => n + 1)] as const)
  expect(await published()).toEqual(new Map(wanted))
})
