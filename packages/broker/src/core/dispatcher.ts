import type { Scheduler } from '../ports/platform.ts'

/** How many tasks get a share before the turn ends. */
const SHARES_PER_TURN = 256

/** Work that comes in shares. */
export interface Task {
  /** Owned by the Dispatcher. */
  queued: boolean
  /** Does a bounded share of its work. @returns whether there is more that can be done now */
  work(): boolean
}

/** Gives everyone with something to do a share in turn, and lets input be handled in between. */
export class Dispatcher {
  readonly #scheduler: Scheduler
  #tasks: Task[] = []
  #next = 0
  #running = false
  #scheduled = false
  #stopped = false

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  /** Has `task` work in the next run, at the latest at the end of the turn. */
  wake(task: Task): void {
    if (task.queued || this.#stopped) return
    task.queued = true
    this.#tasks.push(task)
    if (!this.#running) this.#schedule()
  }

  /** Works now, within limits, unless it is at it already; what is left follows at the end of the turn. */
  run(): void {
    if (this.#running || this.#next === this.#tasks.length) return
    this.#running = true
    let shares = SHARES_PER_TURN
    while (this.#next < this.#tasks.length && shares-- > 0 && !this.#stopped) {
      const task = this.#tasks[this.#next++]!
      task.queued = false
      if (task.work()) this.wake(task)
    }
    this.#running = false
    if (this.#next === this.#tasks.length) {
      this.#tasks.length = 0
      this.#next = 0
    } else {
      if (this.#next > this.#tasks.length / 2) {
        this.#tasks = this.#tasks.slice(this.#next)
        this.#next = 0
      }
      this.#schedule()
    }
  }

  stop(): void {
    this.#stopped = true
    this.#tasks.length = 0
    this.#next = 0
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#scheduler.endOfTurn(() => {
      this.#scheduled = false
      this.run()
    })
  }
}
