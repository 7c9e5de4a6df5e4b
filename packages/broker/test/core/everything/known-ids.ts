/** The message ids that dedup windows know. */
import type { Copy } from './oracle.ts'

interface KnownId {
  readonly copy: Copy
  readonly atMs: number
}

export class KnownIds {
  /** By place, then by id. */
  readonly #places = new Map<string, Map<string, KnownId>>()

  /** Whether a message with that id is a duplicate there now. @param windowMs 0: no dedup */
  has(place: string, id: string | undefined, windowMs: number, nowMs: number): boolean {
    const original = id === undefined ? undefined : this.#places.get(place)?.get(id)
    return original !== undefined && nowMs < original.atMs + windowMs
  }

  add(place: string, id: string, copy: Copy, atMs: number): void {
    const known = this.#places.get(place) ?? new Map<string, KnownId>()
    this.#places.set(place, known)
    known.set(id, { copy, atMs })
  }

  /** A crash left nothing of some of them. */
  forget(isLost: (copy: Copy) => boolean): void {
    for (const known of this.#places.values()) {
      for (const [id, { copy }] of known) if (isLost(copy)) known.delete(id)
    }
  }
}
