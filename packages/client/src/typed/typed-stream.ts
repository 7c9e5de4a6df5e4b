/** Passes on what `accept` makes of each item; what it makes undefined of is left out. */
export class TypedStream<T, R> implements AsyncIterableIterator<R> {
  readonly #source: AsyncIterableIterator<T>
  readonly #accept: (item: T) => Promise<R | undefined>

  constructor(source: AsyncIterableIterator<T>, accept: (item: T) => Promise<R | undefined>) {
    this.#source = source
    this.#accept = accept
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<R>> {
    for (;;) {
      const { done, value } = await this.#source.next()
      if (done === true) return { done: true, value: undefined }
      let accepted: R | undefined
      try {
        accepted = await this.#accept(value)
      } catch (error) {
        // A loop that ends by an error does not call `return`.
        await this.return()
        throw error
      }
      if (accepted !== undefined) return { done: false, value: accepted }
    }
  }

  async return(): Promise<IteratorResult<R>> {
    await this.#source.return?.()
    return { done: true, value: undefined }
  }
}
