import type { BoundTo } from '../bound-to.ts'

/** What several bindings may lead to. */
export class CountedSet {
  readonly #counts = new Map<BoundTo, number>()

  get isEmpty(): boolean {
    return this.#counts.size === 0
  }

  add(to: BoundTo): void {
    this.#counts.set(to, (this.#counts.get(to) ?? 0) + 1)
  }

  remove(to: BoundTo): void {
    const count = this.#counts.get(to) ?? 0
    if (count > 1) this.#counts.set(to, count - 1)
    else this.#counts.delete(to)
  }

  [Symbol.iterator](): Iterator<BoundTo> {
    return this.#counts.keys()
  }
}
