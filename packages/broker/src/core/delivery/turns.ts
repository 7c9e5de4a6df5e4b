// hot path (packages/broker/test/core/throughput.mjs)
import type { GroupConsumer } from './group-consumer.ts'

/** Consumers whose credit is added up, and the most that is taken for one. */
const CREDIT_CONSUMERS_MAX = 32
const CREDIT_MAX = 65_536

/** Consumers with credit, those of the highest priority first, equals in turn. */
export class Turns {
  /** Highest priority first. Made on first use. */
  readonly #levels: Level[] = []
  /** How many have credit. */
  count = 0

  /** The consumer has credit. */
  add(consumer: GroupConsumer): void {
    if (consumer.willing) return
    consumer.willing = true
    this.count++
    this.#level(consumer.priority).push(consumer)
  }

  /** It has none any more. */
  remove(consumer: GroupConsumer): void {
    if (!consumer.willing) return
    consumer.willing = false
    this.count--
    this.#level(consumer.priority).remove(consumer)
  }

  /** It leaves: nothing of it stays here, its priority included if nobody else has that. */
  leave(consumer: GroupConsumer): void {
    this.remove(consumer)
    const at = this.#levels.findIndex(({ priority }) => priority === consumer.priority)
    if (at >= 0 && this.#levels[at]!.size === 0) this.#levels.splice(at, 1)
  }

  /**
   * Whose turn it is.
   * @param passed so many were passed over since somebody was served: it is that of who comes after them
   */
  next(passed: number): GroupConsumer | undefined {
    for (let n = 0; n < this.#levels.length; n++) {
      const level = this.#levels[n]!
      // Those of this level that were passed over stand at its end.
      while (level.size > passed) {
        const consumer = level.first!
        if (consumer.room > 0) return consumer
        this.remove(consumer)
      }
      passed -= level.size
    }
    return undefined
  }

  /** Whether consumers with a higher priority want what there is, whichever partition it is in. */
  isBehind({ priority }: GroupConsumer): boolean {
    for (const level of this.#levels) {
      if (level.priority <= priority) return false
      for (let consumer = level.first; consumer !== undefined; consumer = consumer.turnAfter)
        if (consumer.room > 0 && consumer.partitions === undefined) return true
    }
    return false
  }

  /** There is nothing that the consumer whose turn it was may get: another one may. */
  passOver(consumer: GroupConsumer): void {
    const level = this.#level(consumer.priority)
    level.remove(consumer)
    level.push(consumer)
  }

  /** The consumer whose turn it was got something. */
  served(consumer: GroupConsumer): void {
    if (consumer.room > 0) this.passOver(consumer)
    else this.remove(consumer)
  }

  /** About how many messages they would take now. */
  credit(): number {
    let credit = 0
    let counted = 0
    for (const level of this.#levels) {
      for (let consumer = level.first; consumer !== undefined; consumer = consumer.turnAfter) {
        credit += Math.max(0, Math.min(consumer.room, CREDIT_MAX))
        if (++counted === CREDIT_CONSUMERS_MAX) return credit
      }
    }
    return credit
  }

  #level(priority: number): Level {
    let at = 0
    while (at < this.#levels.length && this.#levels[at]!.priority > priority) at++
    const level = this.#levels[at]
    if (level?.priority === priority) return level
    const made = new Level(priority)
    this.#levels.splice(at, 0, made)
    return made
  }
}

/** Consumers of one priority, linked in the order of their turns: any of them can leave at once. */
class Level {
  readonly priority: number
  size = 0
  first: GroupConsumer | undefined
  #last: GroupConsumer | undefined

  constructor(priority: number) {
    this.priority = priority
  }

  push(consumer: GroupConsumer): void {
    consumer.turnBefore = this.#last
    if (this.#last === undefined) this.first = consumer
    else this.#last.turnAfter = consumer
    this.#last = consumer
    this.size++
  }

  remove(consumer: GroupConsumer): void {
    const { turnBefore, turnAfter } = consumer
    if (turnBefore === undefined) this.first = turnAfter
    else turnBefore.turnAfter = turnAfter
    if (turnAfter === undefined) this.#last = turnBefore
    else turnAfter.turnBefore = turnBefore
    consumer.turnBefore = undefined
    consumer.turnAfter = undefined
    this.size--
  }
}
