import { assert } from './assert.ts'

/** Something that is used again when its last holder let go of it. Where one never does it is garbage, like anything else. */
export abstract class Held {
  #holders = 1

  /** Nobody holds it any more, and nobody may. */
  get isOver(): boolean {
    return this.#holders === 0
  }

  hold(): void {
    assert(!this.isOver, 'hold of what others may use by now')
    this.#holders++
  }

  release(): void {
    assert(!this.isOver, 'release by one of the holders')
    if (--this.#holders === 0) this.released()
  }

  /** Nobody looks at it any more. */
  protected abstract released(): void
}

/**
 * What somebody was lent, so that it may be looked at until he says that he is done. Whoever makes it holds it, and gets to see nothing of
 * it after he released it.
 */
export class Lease extends Held {
  #lent: Held[] = []

  /** Whatever comes after the end is not lent. */
  add(one: Held): void {
    if (this.isOver || this.#lent[this.#lent.length - 1] === one) return
    one.hold()
    this.#lent.push(one)
  }

  protected released(): void {
    for (const one of this.#lent) one.release()
    this.#lent = []
  }
}
