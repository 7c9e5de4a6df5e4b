import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { vi } from 'vitest'
import { BrokerProcess, repository } from '../../bench/src/broker-process.ts'

const cache = join(repository, 'node_modules/.cache')
const RUN_TIMEOUT_MS = 180_000
const WAIT_TIMEOUT_MS = 90_000

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A program of others while it runs. What it writes is kept. */
export class Program {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #name: string
  readonly #closed: Promise<unknown>

  constructor(command: string, parameters: readonly string[], input = '') {
    this.#name = [command, ...parameters].join(' ')
    this.#child = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'pipe'], timeout: RUN_TIMEOUT_MS, killSignal: 'SIGKILL' })
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    // One that ends early does not read.
    this.#child.stdin!.on('error', () => undefined).end(input)
    this.#closed = once(this.#child, 'close')
  }

  /** For messages. */
  get report(): string {
    return `${this.#name}: ended with ${this.#child.exitCode ?? this.#child.signalCode}\n${this.stdout}\n${this.stderr}`
  }

  /** Repeats `check` until it does not throw. @throws with what the program wrote */
  async until(check: () => Promise<void> | void): Promise<void> {
    try {
      await vi.waitFor(check, { timeout: WAIT_TIMEOUT_MS, interval: 100 })
    } catch (error) {
      throw new Error(this.report, { cause: error })
    }
  }

  async ended(): Promise<Outcome> {
    await this.#closed
    return { code: this.#child.exitCode, stdout: this.stdout, stderr: this.stderr }
  }

  async stop(signal: NodeJS.Signals): Promise<Outcome> {
    this.#child.kill(signal)
    return this.ended()
  }
}

/** @returns what it wrote to stdout. @throws when it fails */
async function output(command: string, parameters: readonly string[], input?: string): Promise<string> {
  const program = new Program(command, parameters, input)
  const { code, stdout } = await program.ended()
  if (code !== 0) throw new Error(program.report)
  return stdout
}

/** A broker with Kafka's door, on a disk, and the programs that come with it as their server. */
export class Foreign {
  readonly broker: BrokerProcess
  readonly address: string

  private constructor(broker: BrokerProcess) {
    this.broker = broker
    this.address = broker.kafkaAddress
  }

  /** @param settings further flags of the broker */
  static async start(settings: readonly string[] = []): Promise<Foreign> {
    return new Foreign(await BrokerProcess.start({ arguments: ['--listen=kafka=127.0.0.1:0', ...settings] }))
  }

  async stop(): Promise<void> {
    await this.broker.stop()
  }

  /** @throws when it fails */
  async kcat(parameters: readonly string[], input?: string): Promise<string> {
    return output('kcat', ['-b', this.address, ...parameters], input)
  }

  /** All records of a topic, each in the form of `format`, sorted by partition and offset. */
  async records(topic: string, format: string, ...parameters: readonly string[]): Promise<string[]> {
    const text = await this.kcat(['-C', '-t', topic, '-e', '-q', '-f', `%p %o ${format}\n`, ...parameters])
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.toSorted(byPlace).map((line) => line.replace(/^\d+ \d+ /, ''))
  }

  /** Runs a function of python/*.py. @returns what it printed, as JSON */
  async python(script: string, name: string): Promise<unknown> {
    const path = join(repository, 'interop/kafka-foreign/python', script)
    return JSON.parse(await output(join(cache, 'kafka-python/bin/python'), [path, this.address, name]))
  }

  /** Runs a check of node/rdkafka.mjs. @returns what it printed, as JSON */
  async nodeRdkafka(check: string): Promise<unknown> {
    const script = join(repository, 'interop/kafka-foreign/node/rdkafka.mjs')
    return JSON.parse(await output(process.execPath, [script, join(cache, 'node-rdkafka/node_modules'), this.address, check]))
  }

  /** A tool that takes `--bootstrap-server`. @throws when it fails */
  async tool(mainClass: string, parameters: readonly string[], input?: string): Promise<string> {
    return output('java', [...javaOptions, mainClass, '--bootstrap-server', this.address, ...parameters], input)
  }

  /** The same for one that is expected to fail. @returns all that it wrote */
  async failingTool(mainClass: string, parameters: readonly string[]): Promise<string> {
    const program = new Program('java', [...javaOptions, mainClass, '--bootstrap-server', this.address, ...parameters])
    const { code, stdout, stderr } = await program.ended()
    if (code === 0) throw new Error(`it did not fail: ${program.report}`)
    return stdout + stderr
  }

  async java(mainClass: string, parameters: readonly string[]): Promise<string> {
    return output('java', [...javaOptions, mainClass, ...parameters])
  }
}

/** Of lines that begin with partition and offset. */
function byPlace(a: string, b: string): number {
  const [partitionA, offsetA] = a.split(' ', 2).map(Number)
  const [partitionB, offsetB] = b.split(' ', 2).map(Number)
  return partitionA! - partitionB! || offsetA! - offsetB!
}

/** One that goes on until it is stopped, or ends by itself. */
export function startJava(mainClass: string, parameters: readonly string[], input?: string): Program {
  return new Program('java', [...javaOptions, mainClass, ...parameters], input)
}

/** They live for a second: what makes a start cheap is worth more than what makes long runs fast. */
const javaOptions = [
  '-XX:TieredStopAtLevel=1',
  '-XX:+UseSerialGC',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-cp',
  `${join(cache, 'kafka-jvm/jars/*')}:${join(cache, 'kafka-jvm/classes')}`,
]
