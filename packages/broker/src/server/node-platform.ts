import { getRandomValues } from 'node:crypto'
import type { Platform } from '../ports/platform.ts'

/** Time, scheduling and chance from Node. */
export function nodePlatform(): Platform {
  // One call into the crypto library serves many numbers.
  const pool = new Uint32Array(256)
  let used = pool.length
  return {
    clock: {
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
    },
    scheduler: {
      endOfTurn: (task) => void setImmediate(task),
      after: (delayMs, task) => {
        // Node turns delays above 2^31-1 into 1 ms; a timer that is far away is taken in hops.
        let left = Math.max(0, delayMs)
        let timer: NodeJS.Timeout
        const hop = (): void => {
          const step = Math.min(left, 2_147_483_647)
          left -= step
          timer = setTimeout(left > 0 ? hop : task, step)
        }
        hop()
        return { cancel: () => clearTimeout(timer) }
      },
    },
    random: {
      uint32: () => {
        if (used === pool.length) {
          getRandomValues(pool)
          used = 0
        }
        return pool[used++]!
      },
    },
  }
}
