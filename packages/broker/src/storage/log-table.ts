import type { LogState } from './log-state.ts'
import type { LogId } from './log-store.ts'

// hot path (bench/src/log-store.ts)

/**
 * All logs by id. Ids only grow and are never used twice, so that pages of neighbours are found faster than in a Map; a page
 * whose logs are all gone is given back.
 */
export class LogTable {
  readonly #pages: (Page | undefined)[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: LogId): LogState | undefined {
    // Not `>>>`: ids may pass 2^32 one day.
    return this.#pages[Math.floor(id / PAGE_LOGS)]?.logs[id % PAGE_LOGS]
  }

  add(log: LogState): void {
    const n = Math.floor(log.id / PAGE_LOGS)
    while (this.#pages.length <= n) this.#pages.push(undefined)
    const page = (this.#pages[n] ??= { logs: Array.from<LogState | undefined>({ length: PAGE_LOGS }).fill(undefined), used: 0 })
    if (page.logs[log.id % PAGE_LOGS] === undefined) {
      page.used++
      this.#size++
    }
    page.logs[log.id % PAGE_LOGS] = log
  }

  delete(id: LogId): void {
    const n = Math.floor(id / PAGE_LOGS)
    const page = this.#pages[n]
    if (page === undefined || page.logs[id % PAGE_LOGS] === undefined) return
    page.logs[id % PAGE_LOGS] = undefined
    page.used--
    this.#size--
    if (page.used === 0) this.#pages[n] = undefined
  }

  /** The first log with an id of at least `id`. */
  atOrAfter(id: LogId): LogState | undefined {
    let first = id % PAGE_LOGS
    for (let n = Math.floor(id / PAGE_LOGS); n < this.#pages.length; n++) {
      const logs = this.#pages[n]?.logs ?? NO_LOGS
      for (let at = first; at < logs.length; at++) {
        const log = logs[at]
        if (log !== undefined) return log
      }
      first = 0
    }
    return undefined
  }

  /** In id order; logs may come and go meanwhile. */
  *values(): Generator<LogState> {
    for (let log = this.atOrAfter(0); log !== undefined; log = this.atOrAfter(log.id + 1)) yield log
  }
}

interface Page {
  readonly logs: (LogState | undefined)[]
  used: number
}

const PAGE_LOGS = 1024
const NO_LOGS: readonly (LogState | undefined)[] = []
