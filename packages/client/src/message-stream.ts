type Waiter<T> = { readonly resolve: (result: IteratorResult<T>) => void; readonly reject: (error: unknown) => void }

/** An async iterator over whatever `take` gives; `pump` is called when there may be more. */
export class MessageStream<T> implements AsyncIterableIterator<T> {
  readonly #take: () => T | undefined
  readonly #leave: () => Promise<void>
  readonly #waiting: Waiter<T>[] = []
  #state: 'open' | 'ended' = 'open'
  #error: Error | undefined

  /** @param leave called once when the user leaves the loop early */
  constructor(take: () => T | undefined, leave: () => Promise<void>) {
    this.#take = take
    this.#leave = leave
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#waiting.length === 0) {
      const message = this.#state === 'open' ? this.#take() : undefined
      if (message !== undefined) return Promise.resolve({ done: false, value: message })
    }
    if (this.#state === 'ended') {
      const error = this.#error
      this.#error = undefined
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  async return(): Promise<IteratorResult<T>> {
    if (this.#state === 'open') {
      this.end(undefined)
      await this.#leave()
    }
    return { done: true, value: undefined }
  }

  pump(): void {
    while (this.#waiting.length > 0 && this.#state === 'open') {
      const message = this.#take()
      if (message === undefined) return
      this.#waiting.shift()!.resolve({ done: false, value: message })
    }
  }

  /** Nothing follows. The error, if any, is thrown by the next `next()`. */
  end(error: Error | undefined): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#error = error
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#error === undefined) resolve({ done: true, value: undefined })
      else {
        reject(this.#error)
        this.#error = undefined
      }
    }
  }
}
