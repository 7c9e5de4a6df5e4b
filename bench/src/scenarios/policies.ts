import { atLeast } from '../figure.ts'
import type { Figure } from '../figure.ts'
import type { Load } from '../system.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const SHARE_MIN = 0.6

export const policies: Scenario = {
  name: 'policies',
  about: 'end to end with retry policy, order by key and dedup, against a plain queue',
  async *measure({ system, seconds }: ScenarioContext): AsyncGenerator<Figure> {
    const running = await system.start()
    try {
      const load: Load = { mode: 'e2e', seconds, sizeBytes: 100 }
      const plain = await running.load(load)
      const { messagesPerSecond } = await running.load({ ...load, policies: true })
      yield {
        name: 'end to end 100 B with policies',
        value: messagesPerSecond,
        unit: 'msg/s',
        limit: { name: 'a plain queue', value: plain.messagesPerSecond },
        goal: atLeast(messagesPerSecond / plain.messagesPerSecond, SHARE_MIN, '0.60 of a plain queue'),
      }
    } finally {
      await running.stop()
    }
  },
}
