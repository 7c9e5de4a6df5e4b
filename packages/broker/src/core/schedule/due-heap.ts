import type { Entry } from './entry.ts'
import type { Slot } from './slots.ts'

/** An entry that is due soon, in memory. */
export interface Loaded extends Entry {
  readonly slot: Slot
  /** Of those with the same due time the lower goes first. */
  readonly order: number
}

/** A binary heap: the earliest first, and in order among those of the same millisecond. */
export class DueHeap {
  #entries: Loaded[] = []

  peek(): Loaded | undefined {
    return this.#entries[0]
  }

  push(entry: Loaded): void {
    const entries = this.#entries
    let at = entries.length
    entries.push(entry)
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (!isBefore(entry, entries[parent]!)) break
      entries[at] = entries[parent]!
      at = parent
    }
    entries[at] = entry
  }

  pop(): void {
    const entries = this.#entries
    const entry = entries.pop()
    const size = entries.length
    if (size === 0 || entry === undefined) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && isBefore(entries[child + 1]!, entries[child]!)) child++
      if (!isBefore(entries[child]!, entry)) break
      entries[at] = entries[child]!
      at = child
    }
    entries[at] = entry
  }
}

function isBefore(a: Loaded, b: Loaded): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
}
