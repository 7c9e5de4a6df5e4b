import { setTimeout as sleep } from 'node:timers/promises'
import { atMost } from '../figure.ts'
import type { Figure } from '../figure.ts'
import { median } from '../median.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const STARTS = 5
const SETTLE_MS = 500

export const startUp: Scenario = {
  name: 'start-up',
  about: 'spawn to ready, and memory when idle',
  async *measure({ system }: ScenarioContext): AsyncGenerator<Figure> {
    const ready: number[] = []
    const rss: number[] = []
    for (let n = 0; n < STARTS; n++) {
      const running = await system.start()
      await sleep(SETTLE_MS)
      ready.push(running.readyMs)
      rss.push(running.rssBytes() / 1e6)
      await running.stop()
    }
    const readyMs = median(ready)
    yield { name: `ready, median of ${STARTS} starts`, value: readyMs, unit: 'ms', goal: atMost(readyMs, 300, '300 ms') }
    const rssMb = Math.max(...rss)
    yield { name: 'resident memory when idle', value: rssMb, unit: 'MB', goal: atMost(rssMb, 100, '100 MB') }
  },
}
