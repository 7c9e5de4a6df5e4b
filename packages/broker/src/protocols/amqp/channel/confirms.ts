// hot path (packages/broker/test/amqp/throughput.mjs)
import type { Ticket } from '../../commit-waiters.ts'

const CAPACITY_MIN = 16

/** Tells the client of its publishes. */
export interface ConfirmWriter {
  /** @param multiple all up to `tag` that were not told yet */
  ack(tag: number, multiple: boolean): void
  nack(tag: number, multiple: boolean): void
}

/**
 * What became of the publishes of a channel in confirm mode, in their order: runs of publishes that share a ticket and an outcome. Tickets never
 * decrease, so that one cumulative answer says it for all that a commit made durable.
 */
export class Confirms {
  #tickets = new Float64Array(CAPACITY_MIN)
  #last = new Float64Array(CAPACITY_MIN)
  #nacks = new Uint8Array(CAPACITY_MIN)
  #head = 0
  #length = 0
  #lastTicket: Ticket = 0
  /** Tag of the last publish that came in, of the last that was told. */
  #published = 0
  told = 0

  get waiting(): boolean {
    return this.#length > 0
  }

  /** How many publishes are not told of. */
  get open(): number {
    return this.#published - this.told
  }

  /** The next publishes came in and are stored with `ticket`. */
  published(ticket: Ticket, count: number): void {
    this.#lastTicket = ticket
    this.#add(ticket, count, 0)
  }

  /** The next publishes came in and changed nothing: they are told after those before them. */
  settled(count: number): void {
    this.#add(this.#lastTicket, count, 0)
  }

  /** The next publishes came in and were refused. */
  refused(count: number): void {
    this.#add(this.#lastTicket, count, 1)
  }

  /** Tells all that is known once `committed` is durable. */
  tell(committed: Ticket, writer: ConfirmWriter): void {
    const mask = this.#tickets.length - 1
    while (this.#length > 0) {
      const at = this.#head & mask
      if (this.#tickets[at]! > committed) return
      const isNack = this.#nacks[at]!
      let last = this.#last[at]!
      this.#shift()
      while (this.#length > 0) {
        const next = this.#head & mask
        if (this.#tickets[next]! > committed || this.#nacks[next]! !== isNack) break
        last = this.#last[next]!
        this.#shift()
      }
      const multiple = last - this.told > 1
      if (isNack === 1) writer.nack(last, multiple)
      else writer.ack(last, multiple)
      this.told = last
    }
  }

  #add(ticket: Ticket, count: number, nack: 0 | 1): void {
    this.#published += count
    const mask = this.#tickets.length - 1
    if (this.#length > 0) {
      const newest = (this.#head + this.#length - 1) & mask
      if (this.#tickets[newest] === ticket && this.#nacks[newest] === nack) {
        this.#last[newest] = this.#published
        return
      }
    }
    if (this.#length === this.#tickets.length) this.#grow()
    const at = (this.#head + this.#length) & (this.#tickets.length - 1)
    this.#tickets[at] = ticket
    this.#last[at] = this.#published
    this.#nacks[at] = nack
    this.#length++
  }

  #shift(): void {
    this.#head = (this.#head + 1) & (this.#tickets.length - 1)
    this.#length--
  }

  #grow(): void {
    const capacity = this.#tickets.length * 2
    const tickets = new Float64Array(capacity)
    const last = new Float64Array(capacity)
    const nacks = new Uint8Array(capacity)
    const mask = this.#tickets.length - 1
    for (let n = 0; n < this.#length; n++) {
      const from = (this.#head + n) & mask
      tickets[n] = this.#tickets[from]!
      last[n] = this.#last[from]!
      nacks[n] = this.#nacks[from]!
    }
    this.#tickets = tickets
    this.#last = last
    this.#nacks = nacks
    this.#head = 0
  }
}
