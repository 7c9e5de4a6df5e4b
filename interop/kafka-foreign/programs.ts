import { join } from 'node:path'
import { BrokerProcess, repository } from '../../bench/src/broker-process.ts'
import { output, Program } from '../foreign-program.ts'

const cache = join(repository, 'node_modules/.cache')

/** A broker with Kafka's door, on a disk, and the programs that come with it as their server. */
export class Foreign {
  readonly broker: BrokerProcess
  readonly address: string

  private constructor(broker: BrokerProcess) {
    this.broker = broker
    this.address = broker.address('kafka')
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
