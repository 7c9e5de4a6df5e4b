// `npm run bench:kafka -- [--seconds N] [--durability fsync|os]... [--only LOAD]... [--system NAME]...`: Millrace and Apache Kafka, one after the
// other, under the same loads from Kafka's own client, and one from librdkafka. Needs Java 17, Maven, a C compiler and librdkafka (Debian: librdkafka-dev).
// Prints a table for docs/kafka.md.
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { repository } from '../broker-process.ts'
import { diskFigures } from '../disk-figures.ts'
import { formatFigure } from '../figure.ts'
import { measureAlone } from '../measure-alone.ts'
import { dropPageCache } from '../page-cache.ts'
import type { RawDisk } from '../raw-disk.ts'
import { chosen, type Column, printComparison, type Row, throughput } from './comparison.ts'
import { apacheKafka, millraceByKafka, type Durability, type KafkaBroker, type KafkaSystem } from './kafka-peer.ts'

/** What `--only` may name. `consume` needs `produce`. */
const LOADS = ['idle', 'latency', 'produce', 'consume', 'many', 'large', 'pipelined'] as const

const IDLE_SECONDS = 5
const MANY_TOPICS = 1000
const LARGE_BYTES = 65_000
const MIB = 1024 * 1024

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    durability: { type: 'string', multiple: true, default: ['fsync', 'os'] },
    only: { type: 'string', multiple: true, default: [...LOADS] },
    system: { type: 'string', multiple: true, default: ['kafka', 'millrace'] },
    json: { type: 'string', default: fileURLToPath(new URL('../../dist/kafka.json', import.meta.url)) },
  },
})
const seconds = Number(values.seconds)
const jars = join(repository, 'node_modules/.cache/kafka-jvm/jars/*')
const classes = join(repository, 'node_modules/.cache/kafka-jvm/load')

const jvm = join(repository, 'interop/kafka-foreign/jvm')
execFileSync(join(repository, 'interop/install-jars.sh'), [jvm, 'kafka-jvm'], { stdio: 'inherit' })
mkdirSync(classes, { recursive: true })
execFileSync('javac', ['-d', classes, '-cp', jars, join(repository, 'bench/peers/kafka/Load.java')], { stdio: 'inherit' })

const isWanted = chosen(LOADS, values.only)
const pipelined = join(repository, 'node_modules/.cache/kafka-pipelined')
if (isWanted('pipelined')) {
  const source = join(repository, 'bench/peers/kafka/pipelined.c')
  execFileSync('cc', ['-O2', '-o', pipelined, source, '-lrdkafka'], { stdio: 'inherit' })
}
const systems = [apacheKafka, millraceByKafka].filter(({ name }) =>
  values.system.some((wanted) => name.toLowerCase().includes(wanted)),
)

const results: Record<string, readonly Column[]> = {}
for (const durability of values.durability as Durability[]) {
  const columns: Column[] = []
  for (const system of systems) columns.push({ name: system.name, rows: await measured(system, durability) })
  results[durability] = columns
  printComparison(durability, columns)
  if (durability !== 'fsync' || !isWanted('pipelined')) continue
  const disk = measureAlone('raw-disk.js', seconds) as RawDisk
  for (const figure of diskFigures(disk)) console.log(formatFigure(figure))
}
writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)

async function measured(system: KafkaSystem, durability: Durability): Promise<readonly Row[]> {
  dropPageCache()
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
  if (isWanted('idle')) {
    await sleep(IDLE_SECONDS * 1000)
    list.push({ name: 'memory, idle', unit: 'MiB', value: broker.memory().rss / MIB, better: 'less' })
  }
  for (const rate of isWanted('latency') ? [1000, 50_000] : []) {
    const { p50, p99 } = await load('latency', address, `latency-${rate}`, rate, seconds)
    list.push({ name: `end to end at ${rate}/s, p50`, unit: 'ms', value: p50!, better: 'less' })
    list.push({ name: `end to end at ${rate}/s, p99`, unit: 'ms', value: p99!, better: 'less' })
  }
  if (isWanted('produce')) list.push(messagesPerSecond('produce 100 B', await load('produce', address, 'one', 1, 100, seconds)))
  if (isWanted('consume')) {
    await load('produce', address, 'other', 1, 100, 1)
    list.push(messagesPerSecond('consume 100 B', await load('consume', address, 'one', 'other', seconds * 4)))
  }
  if (isWanted('many')) {
    const many = await load('produce', address, 'many', MANY_TOPICS, 100, seconds)
    list.push(messagesPerSecond(`produce 100 B, ${MANY_TOPICS} topics`, many))
  }
  if (isWanted('large')) {
    list.push(megabytesPerSecond('produce 64 KiB', await load('produce', address, 'large', 1, LARGE_BYTES, seconds)))
  }
  if (isWanted('pipelined')) {
    process.stderr.write(`${name}: pipelined\n`)
    const words = [address, 'pipelined', LARGE_BYTES, seconds].map(String)
    const { stdout } = await promisify(execFile)(pipelined, words)
    list.push(megabytesPerSecond('produce 64 KiB, librdkafka', JSON.parse(stdout) as Record<string, number>))
  }
  list.push({ name: 'memory, most under load', unit: 'MiB', value: broker.memory().peak / MIB, better: 'less' })
  return list
}

function messagesPerSecond(name: string, { messages, seconds: taken }: Record<string, number>): Row {
  return throughput(name, messages! / taken!)
}

function megabytesPerSecond(name: string, { messages, seconds: taken }: Record<string, number>): Row {
  return { name, unit: 'MB/s', value: (messages! * LARGE_BYTES) / taken! / 1e6, better: 'more' }
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
