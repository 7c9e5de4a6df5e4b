/** Callbacks that come and go in any number, each as often as it was added. */
export class ListenerSet<T extends readonly unknown[]> {
  readonly #all = new Set<(...values: T) => void>()

  /** @returns a function that stops it */
  add(listener: (...values: T) => void): () => void {
    // One that is added twice is called twice.
    const own = (...values: T): void => listener(...values)
    this.#all.add(own)
    return () => void this.#all.delete(own)
  }

  call(...values: T): void {
    for (const listener of this.#all) listener(...values)
  }
}
