import { atLeast, atMost } from '../figure.ts'
import type { Figure } from '../figure.ts'
import type { Load } from '../system.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const MESSAGES = 10_000_000
const QUEUE = 'bench-backlog'
const FILL_SECONDS_MAX = 120
/** Two runs of one load differ by so much. */
const SHARE_MIN = 0.9
/** Two fillings of caches and heaps differ by so much: 16 bytes for each message of the backlog. */
const MEMORY_BYTES_MAX = 160 * 1024 * 1024

export const backlog: Scenario = {
  name: 'backlog',
  about: 'end to end through a queue in which 10 million messages are ready, against an empty one',
  async *measure({ system, seconds }: ScenarioContext): AsyncGenerator<Figure> {
    const running = await system.start()
    try {
      const load: Load = { mode: 'e2e', seconds, sizeBytes: 100 }
      const empty = await running.load(load)
      const before = running.rssBytes()
      await running.load({
        mode: 'pub',
        queue: QUEUE,
        messages: MESSAGES,
        seconds: FILL_SECONDS_MAX,
        warmupSeconds: 0,
        sizeBytes: 100,
      })
      const full = running.rssBytes()
      const { messagesPerSecond } = await running.load({ ...load, queue: QUEUE })
      yield {
        name: `end to end 100 B with ${MESSAGES.toLocaleString('en-US')} ready`,
        value: messagesPerSecond,
        unit: 'msg/s',
        limit: { name: 'an empty queue', value: empty.messagesPerSecond },
        goal: atLeast(messagesPerSecond / empty.messagesPerSecond, SHARE_MIN, '0.90 of an empty queue'),
      }
      yield {
        name: `memory with ${MESSAGES.toLocaleString('en-US')} ready`,
        value: full / 1e6,
        unit: 'MB',
        limit: { name: 'before', value: before / 1e6 },
        goal: atMost(full - before, MEMORY_BYTES_MAX, 'what caches differ by'),
      }
    } finally {
      await running.stop()
    }
  },
}
