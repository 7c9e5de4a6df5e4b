/** Asynchronous checks finish in any order; what passed them goes on in the order of the calls. */
export class InOrder {
  #last: Promise<void> | undefined

  /** Calls `use` with the value, after the `use` of all earlier calls. At once when nothing is waited for. */
  run<T, R>(value: T | Promise<T>, use: (value: T) => R | Promise<R>): R | Promise<R> {
    if (this.#last === undefined && !(value instanceof Promise)) return use(value)
    const before = this.#last
    const ready = (async (): Promise<T> => {
      try {
        return await value
      } finally {
        await before
      }
    })()
    const done = ready.then(use)
    // Registered after `use`: whoever waits for this one comes after it.
    const last: Promise<void> = ready.then(
      () => this.#finished(last),
      () => this.#finished(last),
    )
    this.#last = last
    return done
  }

  #finished(call: Promise<void>): void {
    if (this.#last === call) this.#last = undefined
  }
}
