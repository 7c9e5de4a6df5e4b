import type { Ticket } from '../../commit-waiters.ts'

/** An answer that has its place among the others of its channel. */
export interface Answer {
  /** What has to be durable before it is told; undefined while it is not known what it will be. */
  ticket: Ticket | undefined
  write: () => void
}

/**
 * Answers of one channel, in the order of the requests: each leaves once what it tells of is durable. Requests take effect at once, also while
 * answers to earlier ones wait.
 */
export class Answers {
  readonly #waiting: Answer[] = []

  get length(): number {
    return this.#waiting.length
  }

  /** The ticket that the first of them waits for. */
  get isWaitingForCommit(): boolean {
    return this.#waiting[0]?.ticket !== undefined
  }

  add(ticket: Ticket | undefined, write: () => void = nothing): Answer {
    const answer = { ticket, write }
    this.#waiting.push(answer)
    return answer
  }

  /** Writes those that may leave. */
  tell(committed: Ticket): void {
    let done = 0
    for (; done < this.#waiting.length; done++) {
      const { ticket, write } = this.#waiting[done]!
      if (ticket === undefined || ticket > committed) break
      write()
    }
    if (done > 0) this.#waiting.splice(0, done)
  }

  clear(): void {
    this.#waiting.length = 0
  }
}

function nothing(): void {}
