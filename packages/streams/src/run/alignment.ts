import type { Lane } from './lane.ts'
import { ALIGNMENT_MS_LEAST } from './limits.ts'

/**
 * Lanes of an instance go through event time together. Behind `key` their records meet, and what a lane far ahead sends there would make
 * late what comes from the others. So no lane takes a record that is further ahead of what another has not committed than windows
 * give grace for. The lane that is furthest behind is never held up.
 */
export class Alignment {
  readonly #slackMs: number
  readonly #lanes: readonly Lane[]

  /** @param graceMs undefined: there is nothing to align for */
  constructor(graceMs: number | undefined, lanes: readonly Lane[]) {
    this.#slackMs = graceMs === undefined ? Infinity : Math.max(graceMs, ALIGNMENT_MS_LEAST)
    this.#lanes = lanes
  }

  /** Up to which timestamp that lane may take records from topics that are not the application's own. */
  horizonMs(lane: number): number {
    if (this.#slackMs === Infinity) return Infinity
    let leastMs = Infinity
    for (const other of this.#lanes) if (other.number !== lane) leastMs = Math.min(leastMs, other.headMs)
    return leastMs + this.#slackMs
  }

  /** A lane has come further, or is not here any more. */
  moved(): void {
    if (this.#slackMs === Infinity) return
    for (const lane of this.#lanes) lane.alignedAgain()
  }
}
