import type { RedriveGroup } from '../broker.ts'
import { GROUPS_MAX } from './limits.ts'

const OTHERS = 'others'

/** Counts messages by where they died and of what. */
export class Tally {
  readonly #groups = new Map<string, { -readonly [K in keyof RedriveGroup]: RedriveGroup[K] }>()

  add(origin: string, reason: string, isPlaced: boolean): void {
    const key = JSON.stringify([origin, reason])
    let group = this.#groups.get(key)
    if (group === undefined && this.#groups.size >= GROUPS_MAX && origin !== OTHERS) {
      this.add(OTHERS, OTHERS, isPlaced)
      return
    }
    if (group === undefined) {
      group = { origin, reason, moved: 0, left: 0 }
      this.#groups.set(key, group)
    }
    if (isPlaced) group.moved++
    else group.left++
  }

  groups(): RedriveGroup[] {
    return [...this.#groups.values()].map((group) => ({ ...group }))
  }
}
