// hot path (packages/broker/test/core/throughput.mjs)
import { Fifo } from '../fifo.ts'
import type { GroupConsumer } from './group-consumer.ts'

/** Consumers whose credit is added up, and the most that is taken for one. */
const CREDIT_CONSUMERS_MAX = 32
const CREDIT_MAX = 65_536

interface Level {
  readonly priority: number
  readonly consumers: Fifo<GroupConsumer>
}

/** Consumers with credit, those of the highest priority first, equals in turn. */
export class Turns {
  /** Highest priority first. Made on first use. */
  readonly #levels: Level[] = []
  /** How many have credit. */
  count = 0

  /** The consumer has credit. */
  add(consumer: GroupConsumer): void {
    if (!consumer.willing) {
      consumer.willing = true
      this.count++
    }
    if (consumer.queued) return
    consumer.queued = true
    this.#level(consumer.priority).push(consumer)
  }

  /** It has none any more, or leaves. */
  remove(consumer: GroupConsumer): void {
    if (!consumer.willing) return
    consumer.willing = false
    this.count--
  }

  /** Whose turn it is. */
  next(): GroupConsumer | undefined {
    for (let n = 0; n < this.#levels.length; n++) {
      const { consumers } = this.#levels[n]!
      for (let consumer = consumers.peek(); consumer !== undefined; consumer = consumers.peek()) {
        if (consumer.willing && consumer.room > 0) return consumer
        consumers.shift()
        consumer.queued = false
        this.remove(consumer)
      }
    }
    return undefined
  }

  /** Whether consumers with a higher priority want what there is. */
  isBehind({ priority }: GroupConsumer): boolean {
    for (const level of this.#levels) {
      if (level.priority <= priority) return false
      for (const consumer of level.consumers) if (consumer.willing && consumer.room > 0) return true
    }
    return false
  }

  /** There is nothing that the consumer whose turn it was may get: another one may. */
  passOver(consumer: GroupConsumer): void {
    const consumers = this.#level(consumer.priority)
    consumers.shift()
    consumers.push(consumer)
  }

  /** The consumer whose turn it was got something. */
  served(consumer: GroupConsumer): void {
    const consumers = this.#level(consumer.priority)
    consumers.shift()
    if (consumer.room > 0) consumers.push(consumer)
    else {
      consumer.queued = false
      this.remove(consumer)
    }
  }

  /** About how many messages they would take now. */
  credit(): number {
    let credit = 0
    let counted = 0
    for (const { consumers } of this.#levels) {
      for (const consumer of consumers) {
        credit += Math.min(consumer.room, CREDIT_MAX)
        if (++counted === CREDIT_CONSUMERS_MAX) return credit
      }
    }
    return credit
  }

  #level(priority: number): Fifo<GroupConsumer> {
    let at = 0
    while (at < this.#levels.length && this.#levels[at]!.priority > priority) at++
    const level = this.#levels[at]
    if (level?.priority === priority) return level.consumers
    const consumers = new Fifo<GroupConsumer>()
    this.#levels.splice(at, 0, { priority, consumers })
    return consumers
  }
}
