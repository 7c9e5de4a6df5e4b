// `npm run bench:kafka -- [--seconds N] [--rounds N] [--durability fsync|os]... [--only LOAD]... [--system NAME]...`: Millrace and Apache Kafka, both
// running, in turns under the same loads from Kafka's own client, and one from librdkafka. Needs Java 17, Maven, a C compiler and librdkafka (Debian:
// librdkafka-dev). Prints a table for docs/kafka.md.
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { diskFigures } from '../disk-figures.ts'
import { formatFigure } from '../figure.ts'
import { measureAlone } from '../measure-alone.ts'
import { median } from '../median.ts'
import { dropPageCache } from '../page-cache.ts'
import type { RawDisk } from '../raw-disk.ts'
import { chosen, type Column, printComparison, type Row } from './comparison.ts'
import { buildClients, KAFKA_LOADS, KafkaClient, loadsInTurns, manyTopics } from './kafka-load.ts'
import { apacheKafka, millraceByKafka, type Durability, type KafkaBroker, type KafkaSystem } from './kafka-peer.ts'

const IDLE_SECONDS = 5
const MIB = 1024 * 1024

/** One that takes part. */
interface Contender {
  readonly broker: KafkaBroker
  readonly client: KafkaClient
  /** What each run gave, by row. */
  readonly found: Map<string, Row[]>
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    durability: { type: 'string', multiple: true, default: ['fsync', 'os'] },
    only: { type: 'string', multiple: true, default: [...KAFKA_LOADS] },
    system: { type: 'string', multiple: true, default: ['kafka', 'millrace'] },
    json: { type: 'string', default: fileURLToPath(new URL('../../dist/kafka.json', import.meta.url)) },
  },
})
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)
const isWanted = chosen(KAFKA_LOADS, values.only)
const systems = [apacheKafka, millraceByKafka].filter(({ name }) =>
  values.system.some((wanted) => name.toLowerCase().includes(wanted)),
)
buildClients(isWanted('pipelined'))

const results: Record<string, readonly Column[]> = {}
for (const durability of values.durability as Durability[]) {
  results[durability] = await measured(durability)
  printComparison(durability, results[durability])
  if (durability !== 'fsync' || !isWanted('pipelined')) continue
  const disk = measureAlone('raw-disk.js', seconds) as RawDisk
  for (const figure of diskFigures(disk)) console.log(formatFigure(figure))
}
writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)

async function measured(durability: Durability): Promise<readonly Column[]> {
  const alone: (readonly Row[])[] = []
  for (const system of systems) alone.push(await measuredAlone(system, durability))
  const contenders: Contender[] = []
  try {
    for (const system of systems) {
      const broker = await system.start(durability)
      contenders.push({ broker, client: new KafkaClient(system.name, broker.address, seconds), found: new Map() })
    }
    for (let round = 0; round < rounds; round++) await takeTurns(contenders, round)
    if (isWanted('many')) for (const { client, found } of contenders) add(found, await manyTopics(client))
    return contenders.map(({ broker, found }, n) => {
      const peak: Row = { name: 'memory, most under load', unit: 'MiB', value: broker.memory().peak / MIB, better: 'less' }
      return { name: systems[n]!.name, rows: [...alone[n]!, peak, ...[...found.values()].map(middle)] }
    })
  } finally {
    for (const { broker } of contenders) await broker.stop()
  }
}

/** What it needs when it has nothing to do. */
async function measuredAlone(system: KafkaSystem, durability: Durability): Promise<readonly Row[]> {
  dropPageCache()
  const broker = await system.start(durability)
  try {
    const rows: Row[] = [{ name: 'start', unit: 'ms', value: broker.readyMs, better: 'less' }]
    if (!isWanted('idle')) return rows
    await sleep(IDLE_SECONDS * 1000)
    return [...rows, { name: 'memory, idle', unit: 'MiB', value: broker.memory().rss / MIB, better: 'less' }]
  } finally {
    await broker.stop()
  }
}

/** A machine has quicker and slower minutes: what is compared is measured within the same one, and the median of the rounds counts. */
async function takeTurns(contenders: readonly Contender[], round: number): Promise<void> {
  dropPageCache()
  const order = round % 2 === 0 ? contenders : contenders.toReversed()
  for (const load of loadsInTurns.filter(({ name }) => isWanted(name))) {
    for (const { client, found } of order) for (const row of await load.run(client, round)) add(found, row)
  }
}

function add(found: Map<string, Row[]>, row: Row): void {
  const rows = found.get(row.name)
  if (rows === undefined) found.set(row.name, [row])
  else rows.push(row)
}

function middle(rows: readonly Row[]): Row {
  return { ...rows[0]!, value: median(rows.map(({ value }) => value)) }
}
