/** Which of the consumers of one queue or subscription may get something: those of the highest priority, or the single one. */
import { must } from '../must.ts'
import type { ModelConsumer } from './model-consumer.ts'
import { IN_FLIGHT_MAX, isSingle, type Source } from './world.ts'

export class ConsumerTurns {
  /** Those that may get something, in the order in which they came. */
  readonly #consumers = new Set<ModelConsumer>()
  readonly #source: Source
  #single: ModelConsumer | undefined

  constructor(source: Source) {
    this.#source = source
  }

  joined(consumer: ModelConsumer): void {
    this.#consumers.add(consumer)
    if (isSingle(this.#source)) this.#single ??= consumer
  }

  /** It left, or gets nothing any more. */
  left(consumer: ModelConsumer): void {
    this.#consumers.delete(consumer)
    if (this.#single === consumer) this.#single = this.#choose()
  }

  /** The policy is another one. */
  changed(): void {
    if (isSingle(this.#source)) this.#single ??= this.#choose()
    else this.#single = undefined
  }

  /**
   * @param held how many messages it certainly holds
   * @throws Error when it is not its turn, or it did not ask for so many
   */
  delivers(consumer: ModelConsumer, partition: number, messages: number, held: number): void {
    must(this.#consumers.has(consumer), 'who left or retired gets nothing')
    must(messages <= consumer.credit, `${messages} messages for a credit of ${consumer.credit}`)
    must(messages <= IN_FLIGHT_MAX - held, `${messages} messages for who holds ${held}`)
    must(mayTake(consumer, partition), `nothing of partition ${partition} for who wants others`)
    if (isSingle(this.#source)) must(consumer === this.#single, 'all goes to the single one')
    else {
      const { priority } = consumer.traits
      const before = this.#waiting(partition).find((other) => other.traits.priority > priority)
      must(
        before === undefined,
        `priority ${priority} comes before ${before?.traits.priority}, which has ${before?.credit} credit`,
      )
    }
  }

  /** @throws Error when somebody could take what lies in `partition` */
  notTaken(partition: number): void {
    const waiting = this.#waiting(partition).filter((consumer) => !isSingle(this.#source) || consumer === this.#single)
    must(waiting.length === 0, `is ready, and ${waiting.length} consumers want it`)
  }

  /** @throws Error when somebody is told something else about its part */
  checkTurns(): void {
    for (const consumer of this.#consumers) {
      const turn = !isSingle(this.#source) ? 'shared' : consumer === this.#single ? 'single' : 'waiting'
      must(consumer.consumer.turn === turn, `a turn is ${consumer.consumer.turn}, and must be ${turn}`)
    }
  }

  /** Those that certainly want something of it. */
  #waiting(partition: number): ModelConsumer[] {
    return [...this.#consumers].filter(
      (consumer) => mayTake(consumer, partition) && consumer.credit > 0 && consumer.held.length < IN_FLIGHT_MAX,
    )
  }

  /** The first that came of those with the highest priority. */
  #choose(): ModelConsumer | undefined {
    const byPriority = [...this.#consumers].toSorted((one, other) => other.traits.priority - one.traits.priority)
    return byPriority[0]
  }
}

function mayTake({ partitions }: ModelConsumer, partition: number): boolean {
  return partitions === undefined || partitions.has(partition)
}
