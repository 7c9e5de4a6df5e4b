import { KEYED_LANES, LANES } from './lanes.ts'

/**
 * Up to which id a lane may be read without leaving a gap.
 *
 * Ids are given when a row is inserted and seen when its transaction commits, so a row may appear below others that were seen, and
 * sent, long before. Whoever inserts into a keyed lane first takes a shared lock on the lane and keeps it until the end of its
 * transaction. So: (1) read the last id that was given; (2) then look who holds the lanes' locks. Who got an id up to (1) and has not
 * ended is among (2). Once all of (2) have ended, every row up to (1) is visible, or will never be.
 *
 * Writers that come after (2) do not matter, so that a lane with writers at all times still moves on.
 */
export class WriterBarrier {
  readonly #safe: number[] = Array.from({ length: LANES }, () => 0)
  readonly #waiting: ({ readonly upTo: number; readonly writers: ReadonlySet<string> } | undefined)[] = []

  /**
   * @param lastId the last id that was given, read before `writers`
   * @param writers transactions that hold a lane's lock
   */
  observe(lastId: number, writers: readonly { readonly lane: number; readonly writer: string }[]): void {
    const byLane = new Map<number, Set<string>>()
    for (const { lane, writer } of writers) {
      const known = byLane.get(lane)
      if (known === undefined) byLane.set(lane, new Set([writer]))
      else known.add(writer)
    }
    for (let lane = 0; lane < LANES; lane++) this.#observeLane(lane, lastId, byLane.get(lane))
  }

  #observeLane(lane: number, lastId: number, writers: ReadonlySet<string> | undefined): void {
    if (writers === undefined || lane >= KEYED_LANES) {
      this.#safe[lane] = lastId
      this.#waiting[lane] = undefined
      return
    }
    const waiting = this.#waiting[lane]
    if (waiting !== undefined) {
      for (const writer of waiting.writers) if (writers.has(writer)) return
      this.#safe[lane] = waiting.upTo
    }
    this.#waiting[lane] = { upTo: lastId, writers }
  }

  /** By lane: rows up to that id may be sent. */
  get safe(): readonly number[] {
    return this.#safe
  }
}
