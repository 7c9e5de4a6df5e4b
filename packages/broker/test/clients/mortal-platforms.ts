/** Time and scheduling for processes that are killed: what they planned does not happen any more. */
import type { ClientPlatform } from '@millrace/client'
import type { Platform } from '../../src/ports/platform.ts'

export interface Life {
  readonly isOver: boolean
}

export function mortalPlatform(platform: Platform, life: Life): Platform {
  const { clock, random, scheduler } = platform
  const whileAlive = aliveOnly(life)
  return {
    clock,
    random,
    scheduler: {
      endOfTurn: (task) => scheduler.endOfTurn(whileAlive(task)),
      after: (delayMs, task) => scheduler.after(delayMs, whileAlive(task)),
    },
  }
}

export function mortalClientPlatform(platform: ClientPlatform, life: Life): ClientPlatform {
  const whileAlive = aliveOnly(life)
  return {
    nowMs: () => platform.nowMs(),
    monotonicMs: () => platform.monotonicMs(),
    random: () => platform.random(),
    endOfTurn: (task) => platform.endOfTurn(whileAlive(task)),
    after: (delayMs, task) => platform.after(delayMs, whileAlive(task)),
    every: (periodMs, task) => platform.every(periodMs, whileAlive(task)),
    lull: (delayMs, task) => platform.lull(delayMs, whileAlive(task)),
    sleep: (ms) =>
      new Promise((resolve) => {
        platform.after(ms, whileAlive(resolve))
      }),
    keepAlive: (periodMs, task) => platform.keepAlive(periodMs, whileAlive(task)),
  }
}

function aliveOnly(life: Life): (task: () => void) => () => void {
  return (task) => () => {
    if (!life.isOver) task()
  }
}
