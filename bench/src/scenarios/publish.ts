import { setTimeout as sleep } from 'node:timers/promises'
import { atLeast } from '../figure.ts'
import type { Figure } from '../figure.ts'
import type { RawDisk } from '../raw-disk.ts'
import type { Load, RunningSystem } from '../system.ts'
import type { Scenario, ScenarioContext } from './scenario.ts'

const GOAL_100_B = 400_000
const GOAL_64_KIB_BYTES = 500e6
const GOAL_64_KIB_SHARE = 0.8

/** 160 MB: less than the segments that a broker keeps for reuse. */
const RECYCLED_MESSAGES = 2_500
const RECYCLED_ROUNDS = 5
/** Until the space of the deleted queue was given back. */
const RECYCLE_MS = 300

export const publish: Scenario = {
  name: 'publish',
  about: 'one producer, pipelined, every message confirmed after fsync',
  async *measure({ system, disk, seconds }: ScenarioContext): AsyncGenerator<Figure> {
    const limit = { name: 'raw fsynced write', value: rawLimit(disk.growingBytesPerSecond) / 1e6 }
    const running = await system.start()
    try {
      const load = { mode: 'pub', seconds } satisfies Partial<Load>
      const small = await running.load({ ...load, sizeBytes: 100 })
      yield {
        name: 'publish 100 B',
        value: small.messagesPerSecond,
        unit: 'msg/s',
        goal: atLeast(small.messagesPerSecond, GOAL_100_B, '400,000 msg/s'),
      }
      yield { name: 'publish 100 B, bytes', value: small.bytesPerSecond / 1e6, unit: 'MB/s', limit }

      const medium = await running.load({ ...load, sizeBytes: 1024 })
      yield { name: 'publish 1 KiB', value: medium.messagesPerSecond, unit: 'msg/s' }
      yield { name: 'publish 1 KiB, bytes', value: medium.bytesPerSecond / 1e6, unit: 'MB/s', limit }

      yield await largeBatches(running, seconds, 'new space', rawLimit(disk.growingBytesPerSecond))
      yield await recycledLargeBatches(running, rawLimit(disk.prefilledBytesPerSecond))
    } finally {
      await running.stop()
    }
  },
}

const LARGE: Omit<Load, 'seconds'> = { mode: 'pub', sizeBytes: 64 * 1024, batchMessages: 1, window: 1024 }

/** A journal that grows is as fast as a file that grows. */
async function largeBatches(running: RunningSystem, seconds: number, where: string, limit: number): Promise<Figure> {
  const { bytesPerSecond } = await running.load({ ...LARGE, seconds })
  return largeFigure(where, bytesPerSecond, limit)
}

/** As it is where consumers keep up: the space of consumed messages is written again. The load fits into what the broker keeps for that. */
async function recycledLargeBatches(running: RunningSystem, limit: number): Promise<Figure> {
  const rates: number[] = []
  for (let n = 0; n < RECYCLED_ROUNDS; n++) {
    await sleep(RECYCLE_MS)
    const { bytesPerSecond } = await running.load({ ...LARGE, seconds: 10, warmupSeconds: 0, messages: RECYCLED_MESSAGES })
    rates.push(bytesPerSecond)
  }
  return largeFigure('recycled space', rates.toSorted((a, b) => a - b)[Math.floor(RECYCLED_ROUNDS / 2)]!, limit)
}

function largeFigure(where: string, bytesPerSecond: number, limit: number): Figure {
  const value = bytesPerSecond / 1e6
  const goal = Math.min(GOAL_64_KIB_BYTES, GOAL_64_KIB_SHARE * limit) / 1e6
  return {
    name: `publish 64 KiB batches into ${where}`,
    value,
    unit: 'MB/s',
    limit: { name: 'raw fsynced write', value: limit / 1e6 },
    goal: atLeast(value, goal, `${goal.toFixed(0)} MB/s`),
  }
}

/** The best the disk did with any size of write. */
export function rawLimit(bytesPerSecond: RawDisk['growingBytesPerSecond']): number {
  return Math.max(...Object.values(bytesPerSecond))
}
