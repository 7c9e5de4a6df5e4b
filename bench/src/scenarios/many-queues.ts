import { atLeast, atMost } from '../figure.ts'
import type { Figure } from '../figure.ts'
import type { Load, LoadResult, RunningSystem } from '../system.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const QUEUES = 10_000
const BATCH = 64
const SHARE_MIN = 0.7
const TRICKLE_PER_SECOND = 1000
/** A commit takes what arrived while the one before was written, so two runs never count quite the same. */
const COMMITS_TOLERANCE = 1.1

export const manyQueues: Scenario = {
  name: 'many-queues',
  about: '10,000 queues against one, in the same batches',
  async *measure({ system, seconds }: ScenarioContext): AsyncGenerator<Figure> {
    const running = await system.start()
    try {
      const load: Load = { mode: 'pub', sizeBytes: 100, batchMessages: BATCH, seconds }
      const one = await running.load(load)
      const many = await running.load({ ...load, destinations: QUEUES })
      const share = many.messagesPerSecond / one.messagesPerSecond
      yield {
        name: `publish to ${QUEUES.toLocaleString('en-US')} queues, batches of ${BATCH}`,
        value: many.messagesPerSecond,
        unit: 'msg/s',
        limit: { name: 'one queue', value: one.messagesPerSecond },
        goal: atLeast(share, SHARE_MIN, '0.70 of one queue'),
      }

      const trickle: Load = { mode: 'pub', sizeBytes: 100, batchMessages: 1, rate: TRICKLE_PER_SECOND, seconds }
      const fromOne = await commitsPerMessage(running, trickle)
      const fromMany = await commitsPerMessage(running, { ...trickle, destinations: QUEUES })
      yield {
        name: `commits per message, trickle to ${QUEUES.toLocaleString('en-US')} queues`,
        value: fromMany,
        unit: 'ratio',
        limit: { name: 'one queue', value: fromOne },
        goal: atMost(fromMany, fromOne * COMMITS_TOLERANCE, 'as many as one queue (+10%)'),
      }
    } finally {
      await running.stop()
    }
  },
}

/** Commits that creating and deleting the queues took are in the count, for one queue as for many. */
async function commitsPerMessage(running: RunningSystem, load: Load): Promise<number> {
  const before = await running.commits()
  const result: LoadResult = await running.load(load)
  return ((await running.commits()) - before) / result.messages
}
