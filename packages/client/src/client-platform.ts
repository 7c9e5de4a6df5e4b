import type { Millrace } from './api.ts'
import { endOfTurn, quietInterval, quietTimer } from './end-of-turn.ts'

/** Time, scheduling and chance as the client uses them. A test broker puts virtual ones in their place. */
export interface ClientPlatform {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number
  /** Never steps back. For intervals. */
  monotonicMs(): number
  /** Uniform in 0..1, without 1. */
  random(): number
  /** Runs `task` once the events that are waiting have been handled. */
  endOfTurn(task: () => void): void
  /** Runs `task` after `delayMs`, without keeping the process running. @returns what cancels it */
  after(delayMs: number, task: () => void): () => void
  /** As `after`, again and again. */
  every(periodMs: number, task: () => void): () => void
  /** As `after`, for a pause that only lets what is on its way arrive. Where that can be known it need not take any time. */
  lull(delayMs: number, task: () => void): () => void
  /** Resolves after `ms`, and keeps the process running meanwhile. */
  sleep(ms: number): Promise<void>
  /** As `every`, and keeps the process running, as a socket does. */
  keepAlive(periodMs: number, task: () => void): () => void
}

const platforms = new WeakMap<Millrace, ClientPlatform>()

/** What a client takes time from: for the packages beside this one. */
export function platformOf(client: Millrace): ClientPlatform {
  return platforms.get(client) ?? systemPlatform
}

export function setPlatform(client: Millrace, platform: ClientPlatform): void {
  platforms.set(client, platform)
}

export const systemPlatform: ClientPlatform = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  endOfTurn,
  after: quietTimer,
  every: quietInterval,
  lull: quietTimer,
  sleep: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms)
    }),
  keepAlive: (periodMs, task) => {
    const timer = setInterval(task, periodMs)
    return () => clearInterval(timer)
  },
}
