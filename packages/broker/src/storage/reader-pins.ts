/** Readers of the journal, so that nothing is given up under them. */
export class ReaderPins {
  #generation = 0
  /** Readers at work by the generation they began in. */
  readonly #readers = new Map<number, number>()
  #waiters: { readonly generation: number; readonly resolve: () => void }[] = []

  /** @returns what to give back to `unpin` */
  pin(): number {
    this.#readers.set(this.#generation, (this.#readers.get(this.#generation) ?? 0) + 1)
    return this.#generation
  }

  unpin(generation: number): void {
    const left = this.#readers.get(generation)! - 1
    if (left > 0) {
      this.#readers.set(generation, left)
      return
    }
    this.#readers.delete(generation)
    this.#waiters = this.#waiters.filter((waiter) => {
      if (this.#isAnyUpTo(waiter.generation)) return true
      waiter.resolve()
      return false
    })
  }

  /** Resolves when all readers that are at work now are done. */
  drained(): Promise<void> {
    const generation = this.#generation++
    if (!this.#isAnyUpTo(generation)) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ generation, resolve }))
  }

  #isAnyUpTo(generation: number): boolean {
    for (const reading of this.#readers.keys()) if (reading <= generation) return true
    return false
  }
}
