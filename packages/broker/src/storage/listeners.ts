/** A few callbacks; one may stop itself or add others while they are called. */
export class Listeners<T extends readonly unknown[]> {
  #all: readonly ((...values: T) => void)[] = []

  /** @returns a function that stops it */
  add(listener: (...values: T) => void): () => void {
    this.#all = [...this.#all, listener]
    return () => {
      this.#all = this.#all.filter((other) => other !== listener)
    }
  }

  call(...values: T): void {
    for (const listener of this.#all) listener(...values)
  }
}
