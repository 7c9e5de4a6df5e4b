import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerProcess, repository, temporaryDirectory } from '../broker-process.ts'
import { freePort } from '../free-port.ts'
import { memoryOf, type ProcessMemory } from '../process-memory.ts'

/** A broker that speaks AMQP 0-9-1, in a process of its own. */
export interface AmqpBroker {
  readonly port: number
  /** From the spawn until it takes connections. */
  readonly readyMs: number
  memory(): ProcessMemory
  diskBytes(): number
  /** Stops it, and leaves its data to `start`. */
  stop(): Promise<void>
}

export interface AmqpSystem {
  readonly name: string
  /** Types of queues that are compared. */
  readonly queueTypes: readonly string[]
  start(directory: string): Promise<AmqpBroker>
}

const READY_TIMEOUT_MS = 300_000
const POLL_MS = 5

export const millraceByAmqp: AmqpSystem = {
  name: 'Millrace',
  queueTypes: ['classic'],
  async start(directory) {
    const broker = await BrokerProcess.start({ data: directory, arguments: ['--listen=amqp=127.0.0.1:0'] })
    return {
      port: broker.port('amqp'),
      readyMs: broker.readyMs,
      memory: () => memoryOf(broker.pid),
      diskBytes: () => sizeOf(directory),
      stop: async () => void (await broker.stop()),
    }
  },
}

export const rabbitMq: AmqpSystem = {
  name: 'RabbitMQ',
  queueTypes: ['classic', 'quorum'],
  async start(directory) {
    const [port, nodePort] = [await freePort(), await freePort()]
    const startedMs = performance.now()
    const script = join(repository, 'bench/peers/rabbitmq/start.sh')
    const child = spawn(script, [directory, String(port), String(nodePort)], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const onText = (text: string): void => void (output += text)
    child.stdout.setEncoding('utf8').on('data', onText)
    child.stderr.setEncoding('utf8').on('data', onText)
    while (!(await takesConnections(port))) {
      if (child.exitCode !== null) throw new Error(`RabbitMQ ended:\n${output}`)
      if (performance.now() - startedMs > READY_TIMEOUT_MS) throw new Error(`RabbitMQ does not start:\n${output}`)
      await sleep(POLL_MS)
    }
    return {
      port,
      readyMs: performance.now() - startedMs,
      memory: () => memoryOf(emulatorOf(child)),
      diskBytes: () => sizeOf(join(directory, 'data')),
      stop: async () => {
        const closed = once(child, 'close')
        process.kill(emulatorOf(child), 'SIGTERM')
        await closed
      },
    }
  },
}

/** A directory for the data of one broker, and how it goes. */
export function dataDirectory(): { readonly path: string; remove(): void } {
  const path = temporaryDirectory()
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

async function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => done(true)).once('error', () => done(false))
  })
}

/** The script runs the virtual machine as a process of its own. */
function emulatorOf({ pid }: ChildProcess): number {
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const isOurs = (candidate: string): boolean => {
    for (let at = candidate; at !== '0' && at !== '1'; at = parentOf(at)) if (at === String(pid)) return true
    return false
  }
  const found = children.find((name) => commandOf(name).startsWith('beam') && isOurs(name))
  if (found === undefined) throw new Error('the process of RabbitMQ is not to be found')
  return Number(found)
}

function parentOf(pid: string): string {
  return /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
}

/** Empty for one that is gone by now. */
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8')
  } catch {
    return ''
  }
}

function sizeOf(path: string): number {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined) return 0
  if (!status.isDirectory()) return status.blocks * 512
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
