import type { BoundTo } from './bound-to.ts'
import type { BoundBinding } from './exchange.ts'

const NONE: ReadonlySet<BoundBinding> = new Set()

/** All bindings. Those from an exchange are the exchange's; here they are by where they lead. */
export class Bindings {
  size = 0
  readonly #to = new Map<BoundTo, Set<BoundBinding>>()

  add(bound: BoundBinding): void {
    bound.from.add(bound)
    let to = this.#to.get(bound.to)
    if (to === undefined) this.#to.set(bound.to, (to = new Set()))
    to.add(bound)
    this.size++
  }

  /** @returns whether it was there */
  remove(bound: BoundBinding): boolean {
    const to = this.#to.get(bound.to)
    if (to?.delete(bound) !== true) return false
    if (to.size === 0) this.#to.delete(bound.to)
    bound.from.remove(bound)
    this.size--
    return true
  }

  /** Those that lead somewhere. */
  to(to: BoundTo): ReadonlySet<BoundBinding> {
    return this.#to.get(to) ?? NONE
  }
}
