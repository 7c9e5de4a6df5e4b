import { ListenerSet } from '../base/listener-set.ts'

/** Tells whoever keeps something about topics and queues that one of them is gone. */
export class Deletions {
  readonly #listeners = new ListenerSet<[address: string]>()

  /** @returns a function that stops it */
  listen(listener: (address: string) => void): () => void {
    return this.#listeners.add(listener)
  }

  tell(address: string): void {
    this.#listeners.call(address)
  }
}
