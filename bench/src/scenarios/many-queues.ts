import { atLeast, atMost } from '../figure.ts'
import type { Figure } from '../figure.ts'
import type { Load, RunningSystem } from '../system.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const QUEUES = 10_000
const BATCH = 64
const SHARE_MIN = 0.7
const TRICKLE_PER_SECOND = 1000
/** A commit takes what arrived while the one before was written, so two runs never count quite the same. */
const COMMITS_TOLERANCE = 1.1
const TURNS = 3

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

      const trickle: Load = { mode: 'pub', sizeBytes: 100, batchMessages: 1, rate: TRICKLE_PER_SECOND, seconds, warmupSeconds: 0 }
      const [fromOne, fromMany] = await commitsInTurns(running, trickle, { ...trickle, destinations: QUEUES })
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

/**
 * Commits per message of two loads, in turns: how many messages are due at once, and so share a commit, is up to how late
 * the load wakes up, which differs from one second to the next.
 */
async function commitsInTurns(running: RunningSystem, one: Load, other: Load): Promise<readonly [number, number]> {
  const loads = [one, other] as const
  const around = [await commitsAround(running, one), await commitsAround(running, other)] as const
  const commits: [number, number] = [0, 0]
  const messages: [number, number] = [0, 0]
  for (let turn = 0; turn < TURNS; turn++) {
    for (const which of [0, 1] as const) {
      const run = await commitsOf(running, loads[which])
      commits[which] += run.commits - around[which]
      messages[which] += run.messages
    }
  }
  return [commits[0] / messages[0], commits[1] / messages[1]]
}

/** What creating and deleting the queues of a load takes. */
async function commitsAround(running: RunningSystem, load: Load): Promise<number> {
  const { commits, messages } = await commitsOf(running, { ...load, messages: 1 })
  return commits - messages
}

async function commitsOf(running: RunningSystem, load: Load): Promise<{ commits: number; messages: number }> {
  const before = await running.commits()
  const { messages } = await running.load(load)
  return { commits: (await running.commits()) - before, messages }
}
