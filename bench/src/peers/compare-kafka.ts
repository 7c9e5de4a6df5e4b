// `npm run bench:kafka -- [--seconds N] [--durability fsync|os]...`: Millrace and Apache Kafka, one after the other, under the same loads from
// Kafka's own client. Needs Java 17 and Maven. Prints a table for docs/kafka.md.
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { repository } from '../broker-process.ts'
import { apacheKafka, millraceByKafka, type Durability, type KafkaBroker, type KafkaSystem } from './kafka-peer.ts'

interface Row {
  readonly name: string
  readonly unit: string
  readonly value: number
  /** What more is better of. */
  readonly better: 'more' | 'less'
}

const IDLE_SECONDS = 5
const MANY_TOPICS = 1000
const LARGE_BYTES = 65_000
const MIB = 1024 * 1024

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    durability: { type: 'string', multiple: true, default: ['fsync', 'os'] },
    json: { type: 'string', default: fileURLToPath(new URL('../../dist/kafka.json', import.meta.url)) },
  },
})
const seconds = Number(values.seconds)
const jars = join(repository, 'node_modules/.cache/kafka-jvm/jars/*')
const classes = join(repository, 'node_modules/.cache/kafka-jvm/load')

execFileSync(join(repository, 'interop/kafka-foreign/jvm/install.sh'), { stdio: 'inherit' })
mkdirSync(classes, { recursive: true })
execFileSync('javac', ['-d', classes, '-cp', jars, join(repository, 'bench/peers/kafka/Load.java')], { stdio: 'inherit' })

const results: Record<string, Record<string, readonly Row[]>> = {}
for (const durability of values.durability as Durability[]) {
  results[durability] = {}
  for (const system of [apacheKafka, millraceByKafka]) results[durability][system.name] = await measured(system, durability)
  print(durability, results[durability])
}
writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)

async function measured(system: KafkaSystem, durability: Durability): Promise<readonly Row[]> {
  const broker = await system.start(durability)
  try {
    return await rows(system.name, broker)
  } finally {
    await broker.stop()
  }
}

async function rows(name: string, broker: KafkaBroker): Promise<readonly Row[]> {
  const { address } = broker
  const load = (...parameters: readonly (string | number)[]): Promise<Record<string, number>> => {
    process.stderr.write(`${name}: ${parameters.join(' ')}\n`)
    return loaded(parameters)
  }
  const list: Row[] = [{ name: 'start', unit: 'ms', value: broker.readyMs, better: 'less' }]
  await sleep(IDLE_SECONDS * 1000)
  list.push({ name: 'memory, idle', unit: 'MiB', value: broker.memory().rss / MIB, better: 'less' })
  for (const rate of [1000, 50_000]) {
    const { p50, p99 } = await load('latency', address, `latency-${rate}`, rate, seconds)
    list.push({ name: `end to end at ${rate}/s, p50`, unit: 'ms', value: p50!, better: 'less' })
    list.push({ name: `end to end at ${rate}/s, p99`, unit: 'ms', value: p99!, better: 'less' })
  }
  list.push(throughput('produce 100 B', await load('produce', address, 'one', 1, 100, seconds)))
  list.push(throughput('consume 100 B', await load('consume', address, 'one', seconds * 4)))
  list.push(throughput(`produce 100 B, ${MANY_TOPICS} topics`, await load('produce', address, 'many', MANY_TOPICS, 100, seconds)))
  const large = await load('produce', address, 'large', 1, LARGE_BYTES, seconds)
  list.push({
    name: 'produce 64 KiB',
    unit: 'MB/s',
    value: (large.messages! * LARGE_BYTES) / large.seconds! / 1e6,
    better: 'more',
  })
  list.push({ name: 'memory, most under load', unit: 'MiB', value: broker.memory().peak / MIB, better: 'less' })
  return list
}

function throughput(name: string, { messages, seconds: taken }: Record<string, number>): Row {
  return { name, unit: 'k/s', value: messages! / taken! / 1000, better: 'more' }
}

/** Not synchronous: what the broker writes has to be read meanwhile, or it stops. */
async function loaded(parameters: readonly (string | number)[]): Promise<Record<string, number>> {
  const all = [
    '-Xmx512m',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    `${jars}:${classes}`,
    'Load',
    ...parameters.map(String),
  ]
  const { stdout } = await promisify(execFile)('java', all)
  return JSON.parse(stdout.slice(stdout.lastIndexOf('{'))) as Record<string, number>
}

function print(durability: Durability, systems: Record<string, readonly Row[]>): void {
  const ours = systems[millraceByKafka.name]!
  const theirs = systems[apacheKafka.name]!
  console.log(
    `\n${durability}`.padEnd(36) +
      apacheKafka.name.padStart(14) +
      millraceByKafka.name.padStart(14) +
      'times better'.padStart(16),
  )
  for (const [n, { name, unit, value, better }] of ours.entries()) {
    const other = theirs[n]!.value
    const ratio = better === 'more' ? value / other : other / value
    console.log(
      `${`${name}, ${unit}`.padEnd(35)}${shown(other).padStart(14)}${shown(value).padStart(14)}${ratio.toFixed(2).padStart(16)}`,
    )
  }
}

function shown(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
}
