import type { Publisher } from '@millrace/client'
import type { Meter } from './meter.ts'

/** Entries that were used up before the lists are shortened. */
const USED_MAX = 1024

/** One destination: its publisher, and when its messages under way were meant to be sent. */
// hot path (millrace bench)
export class Lane {
  readonly publisher: Publisher
  /** For each batch under way, oldest first: when it was meant to be sent, and how many of its messages are unconfirmed. */
  #intendedMs: number[] = []
  #messages: number[] = []
  #first = 0

  constructor(open: (lane: Lane) => Publisher) {
    this.publisher = open(this)
  }

  sent(intendedMs: number, messages: number): void {
    this.#intendedMs.push(intendedMs)
    this.#messages.push(messages)
  }

  /** The next so many messages are confirmed, in the order in which they were sent. */
  confirmed(messages: number, nowMs: number, meter: Pick<Meter, 'add'> | undefined): void {
    let left = messages
    while (left > 0) {
      const some = Math.min(left, this.#messages[this.#first]!)
      meter?.add(nowMs - this.#intendedMs[this.#first]!, some)
      left -= some
      this.#messages[this.#first]! -= some
      if (this.#messages[this.#first] === 0) this.#first++
    }
    if (this.#first < USED_MAX) return
    this.#intendedMs = this.#intendedMs.slice(this.#first)
    this.#messages = this.#messages.slice(this.#first)
    this.#first = 0
  }
}
