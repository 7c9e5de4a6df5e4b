import { median } from '../median.ts'
import { dataDirectory, type AmqpBroker, type AmqpSystem } from './amqp-peer.ts'
import type { Row } from './comparison.ts'

/** A machine has quieter and busier seconds, so the brokers take turns; the median of the rounds counts. */
const ROUNDS = 5
const RATE = 1000
/** What the load says, in microseconds. */
const FIGURES = [
  { key: 'p50us', name: 'publish to delivery at 1,000/s, p50' },
  { key: 'p99us', name: 'publish to delivery at 1,000/s, p99' },
  { key: 'confirm_p50us', name: 'publish to confirm at 1,000/s, p50' },
  { key: 'confirm_p99us', name: 'publish to confirm at 1,000/s, p99' },
] as const

/** One kind of queue of one broker. */
export interface Contender {
  readonly name: string
  readonly system: AmqpSystem
  readonly type: string
}

/** Runs the latency load against a broker. @returns microseconds */
export type LatencyLoad = (
  contender: Contender,
  broker: AmqpBroker,
  parameters: Readonly<Record<string, string | number>>,
) => Promise<Readonly<Record<string, number>>>

/** From publish to delivery and to confirm, with all brokers running. @returns rows by the name of the contender */
export async function latenciesInTurns(
  contenders: readonly Contender[],
  seconds: number,
  load: LatencyLoad,
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const systems = [...new Set(contenders.map(({ system }) => system))]
  const directories = systems.map(() => dataDirectory())
  const brokers = new Map<AmqpSystem, AmqpBroker>()
  const found = new Map(contenders.map(({ name }) => [name, FIGURES.map(() => [] as number[])]))
  try {
    for (const [n, system] of systems.entries()) brokers.set(system, await system.start(directories[n]!.path))
    for (let round = 0; round < ROUNDS; round++) {
      for (const contender of contenders) {
        const parameters = { type: contender.type, name: `latency-${contender.type}-${round}`, rate: RATE, seconds }
        const outcome = await load(contender, brokers.get(contender.system)!, parameters)
        for (const [n, { key }] of FIGURES.entries()) found.get(contender.name)![n]!.push(outcome[key]! / 1000)
      }
    }
  } finally {
    for (const broker of brokers.values()) await broker.stop()
    for (const directory of directories) directory.remove()
  }
  return new Map([...found].map(([name, rounds]) => [name, FIGURES.map((figure, n) => row(figure.name, rounds[n]!))]))
}

function row(name: string, rounds: readonly number[]): Row {
  return { name, unit: 'ms', value: median(rounds), better: 'less' }
}
