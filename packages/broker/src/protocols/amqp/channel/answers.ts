import { MillraceError } from '../../../base/errors.ts'
import type { Ticket } from '../../commit-waiters.ts'

/** An answer that has its place among the others of its channel. */
export interface Answer {
  /** What has to be durable before it is told; undefined while it is not known what it will be. */
  ticket: Ticket | undefined
  /** What is done once `ticket` is durable. @returns what then has to be durable */
  act?: (() => Ticket) | undefined
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
      const answer = this.#waiting[done]!
      if (isOpen(answer, committed)) break
      if (answer.act !== undefined) {
        answer.ticket = answer.act()
        answer.act = undefined
        if (isOpen(answer, committed)) break
      }
      answer.write()
    }
    if (done > 0) this.#waiting.splice(0, done)
  }

  /** Nobody is told any more; what was asked for is done. */
  clear(): void {
    for (const { act } of this.#waiting.splice(0)) {
      try {
        act?.()
      } catch (error) {
        // The broker takes nothing more, and nobody was told that it was done.
        if (!(error instanceof MillraceError)) throw error
      }
    }
  }
}

function isOpen({ ticket }: Answer, committed: Ticket): boolean {
  return ticket === undefined || ticket > committed
}

function nothing(): void {}
