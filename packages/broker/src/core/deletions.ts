/** Tells whoever keeps something about topics and queues that one of them is gone. */
export class Deletions {
  readonly #listeners = new Set<(address: string) => void>()

  /** @returns a function that stops it */
  listen(listener: (address: string) => void): () => void {
    // One that is added twice is called twice.
    const own = (address: string): void => listener(address)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  tell(address: string): void {
    for (const listener of this.#listeners) listener(address)
  }
}
