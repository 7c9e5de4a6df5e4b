import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, repository, temporaryDirectory } from '../broker-process.ts'
import { freePort } from '../free-port.ts'
import { memoryOf, type ProcessMemory } from '../process-memory.ts'

/** `fsync`: a batch is on the disk before it is confirmed. `os`: the operating system has it. */
export type Durability = 'fsync' | 'os'

/** A broker that speaks Kafka's protocol, in a process of its own. */
export interface KafkaBroker {
  readonly address: string
  /** From the spawn until it takes connections. */
  readonly readyMs: number
  memory(): ProcessMemory
  stop(): Promise<void>
}

export interface KafkaSystem {
  readonly name: string
  start(durability: Durability): Promise<KafkaBroker>
}

const READY_TIMEOUT_MS = 60_000

export const millraceByKafka: KafkaSystem = {
  name: 'Millrace',
  async start(durability) {
    const directory = temporaryDirectory()
    const options = { data: join(directory, 'data'), arguments: ['--listen=kafka=127.0.0.1:0', `--durability=${durability}`] }
    // As below: the first start makes the directory.
    await (await BrokerProcess.start(options)).stop()
    const broker = await BrokerProcess.start(options)
    return {
      address: broker.address('kafka'),
      readyMs: broker.readyMs,
      memory: () => memoryOf(broker.pid),
      stop: async () => {
        await broker.stop()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
}

export const apacheKafka: KafkaSystem = {
  name: 'Apache Kafka',
  async start(durability) {
    const directory = temporaryDirectory()
    const ports = [await freePort(), await freePort()] as const
    const settings = durability === 'fsync' ? ['log.flush.interval.messages=1'] : []
    const script = join(repository, 'bench/peers/kafka/start.sh')
    // The first start makes its directory; that is not what is measured.
    await stopped(await started(script, [directory, ...ports.map(String), ...settings]))
    const startedMs = performance.now()
    const child = await started(script, [directory, ...ports.map(String), ...settings])
    return {
      address: `127.0.0.1:${ports[0]}`,
      readyMs: performance.now() - startedMs,
      memory: () => memoryOf(child.pid!),
      stop: async () => {
        await stopped(child)
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
}

async function started(script: string, parameters: readonly string[]): Promise<ChildProcess> {
  const child = spawn(script, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Kafka does not start:\n${output}`)), READY_TIMEOUT_MS)
    const onText = (text: string): void => {
      output += text
      if (!output.includes('Kafka Server started')) return
      clearTimeout(timer)
      resolve()
    }
    child.stdout.setEncoding('utf8').on('data', onText)
    child.stderr.setEncoding('utf8').on('data', onText)
    child.once('close', () => reject(new Error(`Kafka ended:\n${output}`)))
  })
  return child
}

async function stopped(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  await closed
}
