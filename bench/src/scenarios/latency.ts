import { atMost } from '../figure.ts'
import type { Figure } from '../figure.ts'
import type { Load } from '../system.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const RATE = 1000
const P99_OVER_RAW_MAX = 3
/** Code is compiled once it ran often enough, which takes its time at this rate, in the broker and in the load. */
const WARMUP_SECONDS = 15

export const latency: Scenario = {
  name: 'latency',
  about: 'confirmed publish of 100 B at 1,000 messages a second, corrected for coordinated omission',
  async *measure({ system, disk, seconds }: ScenarioContext): AsyncGenerator<Figure> {
    const running = await system.start()
    try {
      const load: Load = { mode: 'pub', sizeBytes: 100, seconds: seconds * 2, warmupSeconds: WARMUP_SECONDS, rate: RATE }
      const { latencyMs } = await running.load(load)
      const raw = disk.syncMs
      yield {
        name: 'confirm latency p50',
        value: latencyMs.p50,
        unit: 'ms',
        limit: { name: 'raw fdatasync p50', value: raw.p50 },
      }
      const goal = atMost(latencyMs.p99, P99_OVER_RAW_MAX * raw.p99, `3 x raw fdatasync p99`)
      yield {
        name: 'confirm latency p99',
        value: latencyMs.p99,
        unit: 'ms',
        limit: { name: 'raw fdatasync p99', value: raw.p99 },
        goal,
      }
      yield {
        name: 'confirm latency p99, against the least possible',
        value: latencyMs.p99,
        unit: 'ms',
        limit: { name: 'raw group commit p99', value: disk.groupCommitMs.p99 },
      }
      yield {
        name: 'confirm latency p99.9',
        value: latencyMs.p999,
        unit: 'ms',
        limit: { name: 'raw fdatasync p99.9', value: raw.p999 },
      }
    } finally {
      await running.stop()
    }
  },
}
