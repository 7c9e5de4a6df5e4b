// hot path (bench/src/native.ts)
import type { Ticket } from '../commit-waiters.ts'

const CAPACITY_MIN = 16
const SHRINK_ABOVE = 65_536

/**
 * What a connection sent and was not told the outcome of yet, in order: a ticket and a number each, without an object per entry.
 * Tickets never decrease.
 */
export class TicketRing {
  #tickets = new Float64Array(CAPACITY_MIN)
  #values = new Float64Array(CAPACITY_MIN)
  #head = 0
  length = 0

  push(ticket: Ticket, value: number): void {
    if (this.length === this.#tickets.length) this.#resize(this.length * 2)
    const at = (this.#head + this.length) & (this.#tickets.length - 1)
    this.#tickets[at] = ticket
    this.#values[at] = value
    this.length++
  }

  /** How many entries from the oldest on have a ticket of at most `committed`. */
  durable(committed: Ticket): number {
    const mask = this.#tickets.length - 1
    let count = 0
    while (count < this.length && this.#tickets[(this.#head + count) & mask]! <= committed) count++
    return count
  }

  /** Removes the oldest entry. @returns its value */
  shift(): number {
    const value = this.#values[this.#head]!
    this.#head = (this.#head + 1) & (this.#tickets.length - 1)
    this.length--
    // A burst must not leave its memory with an idle connection.
    if (this.length === 0 && this.#tickets.length > SHRINK_ABOVE) this.#resize(CAPACITY_MIN)
    return value
  }

  /** Removes the `count` oldest entries. */
  drop(count: number): void {
    this.#head = (this.#head + count) & (this.#tickets.length - 1)
    this.length -= count
  }

  #resize(capacity: number): void {
    const tickets = new Float64Array(capacity)
    const values = new Float64Array(capacity)
    const mask = this.#tickets.length - 1
    for (let n = 0; n < this.length; n++) {
      tickets[n] = this.#tickets[(this.#head + n) & mask]!
      values[n] = this.#values[(this.#head + n) & mask]!
    }
    this.#tickets = tickets
    this.#values = values
    this.#head = 0
  }
}
