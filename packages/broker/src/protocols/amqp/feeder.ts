// hot path (packages/broker/test/amqp/throughput.mjs)

/** A consumer that gets credit in slices. */
export interface Fed {
  /** Whether it waits in the list for `pass`. Owned by the feeder. */
  isHungry: boolean
  /** Gives the broker the next slice of credit. */
  pass(): void
  /** Takes back what the broker has not used. */
  withhold(): void
}

/**
 * Passes credit of all consumers of a connection on to the broker, as far as the connection takes what comes back: a client that asks for much and
 * reads slowly never has more than a slice under way.
 */
export class Feeder {
  readonly #all = new Set<Fed>()
  #hungry: Fed[] = []
  #isStalled = false
  readonly #wake: () => void

  constructor(wake: () => void) {
    this.#wake = wake
  }

  add(consumer: Fed): void {
    this.#all.add(consumer)
    this.offer(consumer)
  }

  remove(consumer: Fed): void {
    this.#all.delete(consumer)
  }

  /** It may have credit to pass on. */
  offer(consumer: Fed): void {
    if (consumer.isHungry) return
    consumer.isHungry = true
    this.#hungry.push(consumer)
    if (!this.#isStalled) this.#wake()
  }

  /** @param room bytes that the connection takes before its backlog is too large @param written bytes that wait to be sent */
  feed(room: number, written: () => number): void {
    if (written() >= room) return this.#stall()
    this.#isStalled = false
    const hungry = this.#hungry
    if (hungry.length === 0) return
    this.#hungry = []
    let n = 0
    for (; n < hungry.length && written() < room; n++) {
      const consumer = hungry[n]!
      consumer.isHungry = false
      if (this.#all.has(consumer)) consumer.pass()
    }
    // Those that did not get their turn go first next time.
    if (n < hungry.length) this.#hungry = hungry.slice(n).concat(this.#hungry)
    if (this.#hungry.length > 0) this.#wake()
  }

  /** Nothing more is delivered. */
  stop(): void {
    for (const consumer of this.#all) consumer.withhold()
    this.#all.clear()
    this.#hungry = []
  }

  /** The peer does not keep up: what the broker has not delivered yet it shall keep for others. */
  #stall(): void {
    if (this.#isStalled) return
    this.#isStalled = true
    for (const consumer of this.#all) {
      consumer.withhold()
      this.offer(consumer)
    }
  }
}
