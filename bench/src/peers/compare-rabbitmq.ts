// `npm run bench:rabbitmq -- [--seconds N] [--backlog MESSAGES] [--connections N] [--only PART]... [--json FILE]`: RabbitMQ and Millrace, one after the
// other, under the same loads from one client in C (peers/amqp/load.c). Needs a C compiler and Debian's rabbitmq-server. Prints a table for docs/amqp.md.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { repository } from '../broker-process.ts'
import { dropPageCache } from '../page-cache.ts'
import { latenciesInTurns, type Contender } from './amqp-latency.ts'
import { type AmqpBroker, type AmqpSystem, dataDirectory, millraceByAmqp, rabbitMq } from './amqp-peer.ts'
import { chosen, type Column, printComparison, type Row, throughput } from './comparison.ts'

/** What the client found out. */
type Outcome = Readonly<Record<string, number>>
type Load = (mode: string, parameters: Readonly<Record<string, string | number>>) => Promise<Outcome>

/** What `--only` may name. */
const PARTS = ['latency', 'loads', 'connections', 'backlog'] as const

const IDLE_SECONDS = 5
/** How long a backlog may take to be published: classic queues of RabbitMQ take some 20,000 messages a second. */
const BACKLOG_SECONDS_MAX = 1800
const MIB = 1024 * 1024
const FANOUT_QUEUES = 10
const MANY_QUEUES = 1000
/** A load is as long as this many messages take; it is found by a short run before. */
const PROBE_MESSAGES = 20_000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    backlog: { type: 'string', default: '10000000' },
    connections: { type: 'string', default: '10000' },
    only: { type: 'string', multiple: true, default: [...PARTS] },
    json: { type: 'string', default: fileURLToPath(new URL('../../dist/rabbitmq.json', import.meta.url)) },
  },
})
const seconds = Number(values.seconds)
const backlog = Number(values.backlog)
const connections = Number(values.connections)
const isWanted = chosen(PARTS, values.only)
const wait = `${backlog / 1e6} M messages wait`
const program = join(repository, 'node_modules/.cache/amqp-load')

execFileSync('cc', ['-O2', '-o', program, join(repository, 'bench/peers/amqp/load.c')], { stdio: 'inherit' })

const contenders: readonly Contender[] = [rabbitMq, millraceByAmqp].flatMap((system) =>
  system.queueTypes.map((type) => ({
    name: system.queueTypes.length > 1 ? `${system.name} ${type}` : system.name,
    system,
    type,
  })),
)
dropPageCache()
const latencies = isWanted('latency')
  ? await latenciesInTurns(contenders, seconds, ({ name }, broker, parameters) => loaded(name, broker, 'latency', parameters))
  : undefined
const results: Column[] = []
for (const { name, system, type } of contenders) {
  results.push({ name, rows: [...(latencies?.get(name) ?? []), ...(await measured(system, name, type))] })
  writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
}
printComparison('', results)

async function measured(system: AmqpSystem, name: string, type: string): Promise<readonly Row[]> {
  dropPageCache()
  const directory = dataDirectory()
  try {
    // The first start makes its directory; that is not what is measured.
    await (await system.start(directory.path)).stop()
    let broker = await system.start(directory.path)
    const load: Load = (mode, parameters) => loaded(name, broker, mode, { type, ...parameters })
    const rows: Row[] = [{ name: 'start', unit: 'ms', value: broker.readyMs, better: 'less' }]
    try {
      await sleep(IDLE_SECONDS * 1000)
      rows.push({ name: 'memory, idle', unit: 'MiB', value: broker.memory().rss / MIB, better: 'less' })
      if (isWanted('loads')) rows.push(...(await loads(load)))
      if (isWanted('connections')) rows.push(await manyConnections(name, broker))
      rows.push({ name: 'memory, most under load', unit: 'MiB', value: broker.memory().peak / MIB, better: 'less' })
      if (isWanted('backlog')) rows.push(...(await published(load, broker)))
    } finally {
      await broker.stop()
    }
    if (!isWanted('backlog')) return rows
    broker = await system.start(directory.path)
    rows.push({ name: `start, ${wait}`, unit: 'ms', value: broker.readyMs, better: 'less' })
    await broker.stop()
    return rows
  } finally {
    directory.remove()
  }
}

async function published(load: Load, broker: AmqpBroker): Promise<readonly Row[]> {
  await load('publish', { name: 'backlog', messages: backlog, window: 10_000, timeout: BACKLOG_SECONDS_MAX })
  return [
    { name: `memory, ${wait}`, unit: 'MiB', value: broker.memory().rss / MIB, better: 'less' },
    { name: `disk, ${wait}`, unit: 'MiB', value: broker.diskBytes() / MIB, better: 'less' },
  ]
}

async function loads(load: Load): Promise<readonly Row[]> {
  const rows: Row[] = []
  const one = await timed(load, 'publish', { name: 'one' })
  rows.push(throughput('publish with confirms', one.confirmed! / one.seconds!))
  const drained = await load('consume', { name: 'one', messages: one.confirmed! + PROBE_MESSAGES, timeout: 120 })
  rows.push(throughput('consume with acks', drained.received! / drained.seconds!))
  const both = await timed(load, 'both', { name: 'both' })
  rows.push(throughput('end to end', both.received! / both.seconds!))
  const fanout = await timed(load, 'publish', { name: 'fanout', fanout: 1, queues: FANOUT_QUEUES })
  rows.push(throughput(`publish to ${FANOUT_QUEUES} queues by fanout`, fanout.confirmed! / fanout.seconds!))
  const many = await timed(load, 'both', { name: 'many', queues: MANY_QUEUES })
  rows.push(throughput(`end to end over ${MANY_QUEUES} queues`, many.received! / many.seconds!))
  return rows
}

/** What a broker needs that has nothing to do but to keep them alive. */
async function manyConnections(name: string, broker: AmqpBroker): Promise<Row> {
  const words = ['idle', String(broker.port), `connections=${connections}`, `seconds=${IDLE_SECONDS * 2}`]
  process.stderr.write(`${name}: ${words.join(' ')}\n`)
  const client = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(client, 'close')
  await once(client.stdout, 'data')
  await sleep(IDLE_SECONDS * 1000)
  const { rss } = broker.memory()
  const [code] = await ended
  if (code !== 0) throw new Error(`${name} did not keep ${connections} connections`)
  return { name: `memory, ${connections} connections`, unit: 'MiB', value: rss / MIB, better: 'less' }
}

/** As many messages as take about the time of a load. */
async function timed(load: Load, mode: string, parameters: Readonly<Record<string, string | number>>): Promise<Outcome> {
  const all = { window: 10_000, ...parameters }
  const probe = await load(mode, { ...all, messages: PROBE_MESSAGES })
  const messages = Math.round((PROBE_MESSAGES / probe.seconds!) * seconds)
  return load(mode, { ...all, messages: Math.max(messages, PROBE_MESSAGES), timeout: seconds * 10 })
}

async function loaded(
  name: string,
  broker: AmqpBroker,
  mode: string,
  parameters: Readonly<Record<string, string | number>>,
): Promise<Outcome> {
  const words = Object.entries(parameters).map(([key, value]) => `${key}=${value}`)
  process.stderr.write(`${name}: ${mode} ${words.join(' ')}\n`)
  const { stdout } = await promisify(execFile)(program, [mode, String(broker.port), ...words])
  return JSON.parse(stdout) as Outcome
}
