import { atMost } from '../figure.ts'
import type { Figure } from '../figure.ts'
import { measureAlone } from '../measure-alone.ts'
import { median } from '../median.ts'
import type { Percentiles, RawLatency } from '../raw-latency.ts'
import type { Load, RunningSystem } from '../system.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const RATE = 1000
const P99_OVER_RAW_MAX = 3
/** Code is compiled once it ran often enough, which takes its time at this rate, in the broker and in the load. */
const WARMUP_SECONDS = 15
/** A disk has quieter and busier seconds (p99 of the same file differs fourfold), so broker and disk alone take turns. */
const ROUNDS = 3

export const latency: Scenario = {
  name: 'latency',
  about:
    'confirmed publish of 100 B at 1,000 messages a second, corrected for coordinated omission; in turns with the disk alone',
  async *measure({ system, seconds }: ScenarioContext): AsyncGenerator<Figure> {
    const running = await system.start()
    try {
      const raw: RawLatency[] = [measureRawLatencyAlone(seconds)]
      const confirms: Percentiles[] = []
      for (let round = 0; round < ROUNDS; round++) {
        confirms.push(await confirmLatency(running, seconds))
        raw.push(measureRawLatencyAlone(seconds))
      }
      yield* figures(confirms, raw)
    } finally {
      await running.stop()
    }
  },
}

function measureRawLatencyAlone(seconds: number): RawLatency {
  return measureAlone('raw-latency.js', seconds) as RawLatency
}

async function confirmLatency(running: RunningSystem, seconds: number): Promise<Percentiles> {
  const load: Load = { mode: 'pub', sizeBytes: 100, seconds: seconds * 2, warmupSeconds: WARMUP_SECONDS, rate: RATE }
  return (await running.load(load)).latencyMs
}

function* figures(confirms: readonly Percentiles[], raw: readonly RawLatency[]): Generator<Figure> {
  const ours = medians(confirms)
  const sync = medians(raw.map(({ syncMs }) => syncMs))
  const groupCommit = medians(raw.map(({ groupCommitMs }) => groupCommitMs))
  yield figure('confirm latency p50', ours.p50, 'raw fdatasync p50', sync.p50)
  yield {
    ...figure('confirm latency p99', ours.p99, 'raw fdatasync p99', sync.p99),
    goal: atMost(ours.p99, P99_OVER_RAW_MAX * sync.p99, `${P99_OVER_RAW_MAX} x raw fdatasync p99`),
  }
  yield figure('confirm latency p99, against the least possible', ours.p99, 'raw group commit p99', groupCommit.p99)
  yield figure('confirm latency p99.9', ours.p999, 'raw fdatasync p99.9', sync.p999)
}

function figure(name: string, valueMs: number, limitName: string, limitMs: number): Figure {
  return { name, value: valueMs, unit: 'ms', limit: { name: limitName, value: limitMs } }
}

/** Of each percentile over the rounds. */
function medians(rounds: readonly Percentiles[]): Percentiles {
  return {
    p50: median(rounds.map(({ p50 }) => p50)),
    p99: median(rounds.map(({ p99 }) => p99)),
    p999: median(rounds.map(({ p999 }) => p999)),
  }
}
