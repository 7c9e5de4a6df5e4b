/** First in, first out, over one array that is compacted now and then. */
// hot path (packages/broker/test/core/throughput.mjs)
export class Fifo<T> {
  /** Made on first use: most queues of the broker have nothing to do. */
  #items: (T | undefined)[] | undefined
  #head = 0

  get size(): number {
    return this.#items === undefined ? 0 : this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items ??= []
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items?.[this.#head]
  }

  shift(): T | undefined {
    const items = this.#items
    if (items === undefined || this.#head === items.length) return undefined
    const item = items[this.#head]
    items[this.#head++] = undefined
    if (this.#head === items.length) {
      items.length = 0
      this.#head = 0
    } else if (this.#head >= 64 && this.#head > items.length / 2) {
      items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let at = this.#head; at < this.size + this.#head; at++) yield this.#items![at]!
  }
}
