/** Time, scheduling and chance, injected so that a simulator can drive them. Core and storage use nothing else. */
export interface Platform {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
}

export interface Clock {
  /** Wall clock, milliseconds since 1970. May step back. For timestamps that people see. */
  nowMs(): number
  /** Never steps back; meaningless across restarts. For intervals. */
  monotonicMs(): number
}

export interface Scheduler {
  /** Runs `task` once the input that is already waiting has been handled (setImmediate). */
  endOfTurn(task: () => void): void
  /** Runs `task` after `delayMs`. */
  after(delayMs: number, task: () => void): Timer
}

export interface Timer {
  cancel(): void
}

export interface Random {
  /** Uniform in 0..2^32-1. */
  uint32(): number
}
