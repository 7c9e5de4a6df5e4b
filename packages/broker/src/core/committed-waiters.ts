import { MillraceError } from '../base/errors.ts'
import type { LogStore, Ticket } from '../storage/log-store.ts'
import { Fifo } from './fifo.ts'

interface Waiter {
  readonly ticket: Ticket
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Promises for tickets. */
export class CommittedWaiters {
  readonly #store: LogStore
  readonly #waiters = new Fifo<Waiter>()
  #failure: MillraceError | undefined
  readonly #stop: () => void

  constructor(store: LogStore) {
    this.#store = store
    this.#stop = store.onCommitted((ticket) => this.#committed(ticket))
  }

  wait(ticket: Ticket): Promise<void> {
    if (ticket <= this.#store.committedTicket) return Promise.resolve()
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    // A commit with nothing in it would never come.
    if (ticket === this.#store.ticket()) this.#store.touch()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ ticket, resolve, reject })
    })
  }

  /** Nothing will be committed any more. */
  fail(cause: Error): MillraceError {
    this.#failure ??= new MillraceError(
      'outcome_unknown',
      `the journal failed, so it is not known whether the last changes were kept; restart the broker and look (${cause.message})`,
      { cause },
    )
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) waiter.reject(this.#failure)
    return this.#failure
  }

  stop(): void {
    this.#stop()
  }

  /** Tickets that are waited for are nearly in order; one that is not waits for those before it, which are older calls. */
  #committed(ticket: Ticket): void {
    for (let waiter = this.#waiters.peek(); waiter !== undefined && waiter.ticket <= ticket; waiter = this.#waiters.peek()) {
      this.#waiters.shift()
      waiter.resolve()
    }
  }
}
