// hot path
import type { Broker } from '../core/broker.ts'

/** As `Broker.ticket()` gives them. */
export type Ticket = Broker['committedTicket']

/** Somebody who has tickets that are not durable yet. */
export interface CommitWaiter {
  /**
   * Everything up to `committed` is durable. Called from within the commit notice.
   * @returns whether it still waits for a later ticket
   */
  committed(committed: Ticket): boolean
}

/**
 * Passes commit notices on to those who wait for one, so that a thousand idle connections cost a commit nothing.
 * A waiter enlists when it gets its first ticket and is dropped when it says that it waits for nothing more.
 */
export class CommitWaiters {
  #waiting: CommitWaiter[] = []
  #spare: CommitWaiter[] = []
  readonly #stop: () => void

  constructor(broker: Pick<Broker, 'onCommitted'>) {
    this.#stop = broker.onCommitted((ticket) => this.#committed(ticket))
  }

  /** The caller remembers that it is enlisted: once, until `committed` returned false. */
  enlist(waiter: CommitWaiter): void {
    this.#waiting.push(waiter)
  }

  close(): void {
    this.#stop()
    this.#waiting.length = 0
  }

  #committed(ticket: Ticket): void {
    const waiting = this.#waiting
    // Those who enlist meanwhile wait for a later ticket.
    this.#waiting = this.#spare
    for (let n = 0; n < waiting.length; n++) {
      const waiter = waiting[n]!
      if (waiter.committed(ticket)) this.#waiting.push(waiter)
    }
    waiting.length = 0
    this.#spare = waiting
  }
}
