import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from '../broker-process.ts'
import { type Row, throughput } from './comparison.ts'

/** What `--only` may name. `idle` is no load. */
export const KAFKA_LOADS = ['idle', 'latency', 'produce', 'consume', 'large', 'pipelined', 'many'] as const

/** A load that comes in turns: it runs against each broker, and again in each round. */
export interface KafkaLoad {
  readonly name: (typeof KAFKA_LOADS)[number]
  /** @param round one that no other run had */
  run(client: KafkaClient, round: number): Promise<readonly Row[]>
}

const RATES = [1000, 50_000]
const MANY_TOPICS = 1000
const SMALL_BYTES = 100
/** With what is said about it a batch of 64 KiB. */
const LARGE_BYTES = 65_000

const cache = join(repository, 'node_modules/.cache')
const jars = join(cache, 'kafka-jvm/jars/*')
const classes = join(cache, 'kafka-jvm/load')
const pipelined = join(cache, 'kafka-pipelined')

/** @param withC whether `produceByC` is wanted: it needs librdkafka */
export function buildClients(withC: boolean): void {
  execFileSync(join(repository, 'interop/install-jars.sh'), [join(repository, 'interop/kafka-foreign/jvm'), 'kafka-jvm'], {
    stdio: 'inherit',
  })
  mkdirSync(classes, { recursive: true })
  const source = join(repository, 'bench/peers/kafka')
  execFileSync('javac', ['-d', classes, '-cp', jars, join(source, 'Load.java')], { stdio: 'inherit' })
  if (withC) execFileSync('cc', ['-O2', '-o', pipelined, join(source, 'pipelined.c'), '-lrdkafka'], { stdio: 'inherit' })
}

/** Kafka's Java client, and librdkafka, against one broker. */
export class KafkaClient {
  readonly #name: string
  readonly #address: string
  readonly seconds: number

  /** @param name of the broker, to tell what is going on */
  constructor(name: string, address: string, seconds: number) {
    this.#name = name
    this.#address = address
    this.seconds = seconds
  }

  async produce(topic: string, topics: number, bytes: number, seconds: number = this.seconds): Promise<number> {
    return perSecond(await this.#java('produce', topic, topics, bytes, seconds))
  }

  /** Reads `topic` from the beginning to the end, again and again, after `other` for a while. */
  async consume(topic: string, other: string): Promise<number> {
    return perSecond(await this.#java('consume', topic, other, this.seconds))
  }

  latency(topic: string, rate: number): Promise<Readonly<Record<string, number>>> {
    return this.#java('latency', topic, rate, this.seconds)
  }

  async produceByC(topic: string, bytes: number): Promise<number> {
    return perSecond(await this.#run(pipelined, [], [this.#address, topic, bytes, this.seconds]))
  }

  #java(load: string, ...parameters: readonly (string | number)[]): Promise<Readonly<Record<string, number>>> {
    const options = ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', `${jars}:${classes}`, 'Load']
    return this.#run('java', options, [load, this.#address, ...parameters])
  }

  /** Not synchronous: what the broker writes has to be read meanwhile, or it stops. */
  async #run(
    program: string,
    options: readonly string[],
    parameters: readonly (string | number)[],
  ): Promise<Readonly<Record<string, number>>> {
    // What the load before left to be written would be written during this one.
    execFileSync('sync')
    process.stderr.write(`${this.#name}: ${parameters.join(' ')}\n`)
    const { stdout } = await promisify(execFile)(program, [...options, ...parameters.map(String)])
    return JSON.parse(stdout.slice(stdout.lastIndexOf('{'))) as Readonly<Record<string, number>>
  }
}

export const loadsInTurns: readonly KafkaLoad[] = [
  {
    name: 'latency',
    run: async (client, round) => {
      const rows: Row[] = []
      for (const rate of RATES) {
        const { p50, p99 } = await client.latency(`latency-${rate}-${round}`, rate)
        rows.push({ name: `end to end at ${rate}/s, p50`, unit: 'ms', value: p50!, better: 'less' })
        rows.push({ name: `end to end at ${rate}/s, p99`, unit: 'ms', value: p99!, better: 'less' })
      }
      return rows
    },
  },
  {
    name: 'produce',
    run: async (client, round) => [throughput('produce 100 B', await client.produce(`one-${round}`, 1, SMALL_BYTES))],
  },
  {
    // Of what `produce` left.
    name: 'consume',
    run: async (client, round) => {
      await client.produce('other', 1, SMALL_BYTES, 1)
      return [throughput('consume 100 B', await client.consume(`one-${round}`, 'other'))]
    },
  },
  {
    name: 'large',
    run: async (client, round) => [megabytes('produce 64 KiB', await client.produce(`large-${round}`, 1, LARGE_BYTES))],
  },
  {
    name: 'pipelined',
    run: async (client, round) => [
      megabytes('produce 64 KiB, librdkafka', await client.produceByC(`pipelined-${round}`, LARGE_BYTES)),
    ],
  },
]

/** Kafka takes long for it, and is another broker afterwards. */
export async function manyTopics(client: KafkaClient): Promise<Row> {
  return throughput(`produce 100 B, ${MANY_TOPICS} topics`, await client.produce('many', MANY_TOPICS, SMALL_BYTES))
}

function perSecond({ messages, seconds }: Readonly<Record<string, number>>): number {
  return messages! / seconds!
}

function megabytes(name: string, messagesPerSecond: number): Row {
  return { name, unit: 'MB/s', value: (messagesPerSecond * LARGE_BYTES) / 1e6, better: 'more' }
}
