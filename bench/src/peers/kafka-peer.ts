import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { BrokerProcess, repository, temporaryDirectory } from '../broker-process.ts'

/** `fsync`: a batch is on the disk before it is confirmed. `os`: the operating system has it. */
export type Durability = 'fsync' | 'os'

/** A broker that speaks Kafka's protocol, in a process of its own. */
export interface KafkaBroker {
  readonly address: string
  /** From the spawn until it takes connections. */
  readonly readyMs: number
  /** Physical memory in bytes: in use, and the most that ever was. */
  memory(): { readonly rss: number; readonly peak: number }
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
    const broker = await BrokerProcess.start({ arguments: ['--listen=kafka=127.0.0.1:0', `--durability=${durability}`] })
    return {
      address: broker.kafkaAddress,
      readyMs: broker.readyMs,
      memory: () => memoryOf(broker.pid),
      stop: async () => void (await broker.stop()),
    }
  },
}

export const apacheKafka: KafkaSystem = {
  name: 'Apache Kafka',
  async start(durability) {
    const directory = temporaryDirectory()
    const port = await freePort()
    const settings = durability === 'fsync' ? ['log.flush.interval.messages=1'] : []
    const script = join(repository, 'bench/peers/kafka/start.sh')
    // The first start makes its directory; that is not what is measured.
    await stopped(await started(script, directory, port, settings))
    const startedMs = performance.now()
    const child = await started(script, directory, port, settings)
    return {
      address: `127.0.0.1:${port}`,
      readyMs: performance.now() - startedMs,
      memory: () => memoryOf(child.pid!),
      stop: async () => {
        await stopped(child)
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
}

async function started(script: string, directory: string, port: number, settings: readonly string[]): Promise<ChildProcess> {
  const child = spawn(script, [directory, String(port), ...settings], { stdio: ['ignore', 'pipe', 'pipe'] })
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

function memoryOf(pid: number): { rss: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)![1]) * 1024
  return { rss: bytes('VmRSS'), peak: bytes('VmHWM') }
}

/** One whose successor is free as well. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const next = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      next.once('error', () => resolve(false))
      next.listen(port + 1, '127.0.0.1', () => resolve(true))
    })
    await Promise.all([close(server), isFree ? close(next) : undefined])
    if (isFree) return port
  }
}

function close(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
