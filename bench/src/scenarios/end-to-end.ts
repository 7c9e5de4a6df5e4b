import { atLeast } from '../figure.ts'
import type { Figure } from '../figure.ts'
import { rawLimit } from './publish.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const GOAL = 200_000

export const endToEnd: Scenario = {
  name: 'end-to-end',
  about: 'one producer, one consumer, every message confirmed and acked durably',
  async *measure({ system, disk, seconds }: ScenarioContext): AsyncGenerator<Figure> {
    const limit = { name: 'raw fsynced write', value: rawLimit(disk.prefilledBytesPerSecond) / 1e6 }
    const running = await system.start()
    try {
      const small = await running.load({ mode: 'e2e', seconds, sizeBytes: 100 })
      const { messagesPerSecond } = small
      yield {
        name: 'end to end 100 B',
        value: messagesPerSecond,
        unit: 'msg/s',
        goal: atLeast(messagesPerSecond, GOAL, '200,000 msg/s'),
      }
      const medium = await running.load({ mode: 'e2e', seconds, sizeBytes: 1024 })
      yield { name: 'end to end 1 KiB', value: medium.messagesPerSecond, unit: 'msg/s' }
      yield { name: 'end to end 1 KiB, bytes', value: medium.bytesPerSecond / 1e6, unit: 'MB/s', limit }
    } finally {
      await running.stop()
    }
  },
}
