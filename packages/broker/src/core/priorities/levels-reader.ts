import type { MillraceError } from '../../base/errors.ts'
import type { Delivery, DeliverySink, Reader } from '../broker.ts'
import type { PartitionReader, ReaderCredit } from '../partition-reader.ts'

/** Browses a queue with priorities: the levels that there are when it begins, the highest first, and what comes to them. */
export class LevelsReader implements Reader {
  readonly #readers: PartitionReader[] = []
  readonly #sink: DeliverySink
  readonly #credit: ReaderCredit = { messages: 0 }
  #behind: number
  #isOver = false

  /**
   * @param levels the highest first
   * @param open begins to read a level
   */
  constructor(
    levels: readonly number[],
    sink: DeliverySink,
    open: (level: number, before: readonly PartitionReader[], sink: DeliverySink, credit: ReaderCredit) => PartitionReader,
  ) {
    this.#sink = sink
    this.#behind = levels.length
    const part: DeliverySink = {
      deliver: (delivery) => this.#deliver(delivery),
      caughtUp: () => this.#caughtUp(),
      closed: (reason) => this.#closed(reason),
    }
    for (const level of levels) this.#readers.push(open(level, [...this.#readers], part, this.#credit))
  }

  get atEnd(): boolean {
    return this.#readers.every((reader) => reader.atEnd)
  }

  grant(messages: number): void {
    // Credit is shared: the first takes it for all.
    this.#wake()
    this.#readers[0]!.grant(messages)
  }

  revoke(): void {
    this.#credit.messages = 0
  }

  close(): void {
    this.#isOver = true
    for (const reader of this.#readers) reader.close()
  }

  #deliver(delivery: Delivery): void {
    this.#sink.deliver(delivery)
    this.#wake()
  }

  #caughtUp(): void {
    if (--this.#behind === 0) this.#sink.caughtUp?.()
    else this.#wake()
  }

  #closed(reason: MillraceError): void {
    if (this.#isOver) return
    this.close()
    this.#sink.closed(reason)
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake()
  }
}
