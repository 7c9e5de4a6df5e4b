import { atLeast, atMost } from '../figure.ts'
import type { Figure } from '../figure.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const MESSAGES = 50_000
const AHEAD_MS = 5000
const LATE_MS_MAX = 2000

export const dueAtOnce: Scenario = {
  name: 'due-at-once',
  about: '50,000 messages for later, due in the same second',
  async *measure({ system }: ScenarioContext): AsyncGenerator<Figure> {
    const running = await system.start()
    try {
      for (const [what, withinMs] of [
        ['second', 1000],
        ['millisecond', 1],
      ] as const) {
        const { lastLateMs, earliestMs } = await running.dueTogether({ messages: MESSAGES, withinMs, aheadMs: AHEAD_MS })
        yield {
          name: `${MESSAGES.toLocaleString('en-US')} due in one ${what}: the last is consumed`,
          value: lastLateMs,
          unit: 'ms',
          goal: atMost(lastLateMs, LATE_MS_MAX, '2 s after its time'),
        }
        yield { name: 'the earliest, after its time', value: earliestMs, unit: 'ms', goal: atLeast(earliestMs, 0, 'its time') }
      }
    } finally {
      await running.stop()
    }
  },
}
