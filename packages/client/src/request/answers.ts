import type { StoredMessage } from '../api.ts'
import { MillraceError } from '../errors.ts'
import { MessageStream } from '../message-stream.ts'

/** Somebody who waits for answers. */
export interface AnswerWaiter {
  answered(message: StoredMessage): void
  /** Nothing follows. @param error undefined: the time is over */
  ended(error: Error | undefined): void
}

/** Waits for one answer. */
export class OneAnswer implements AnswerWaiter {
  readonly promise: Promise<StoredMessage>
  readonly #destination: string
  readonly #timeoutMs: number
  #resolve!: (message: StoredMessage) => void
  #reject!: (error: Error) => void

  constructor(destination: string, timeoutMs: number) {
    this.#destination = destination
    this.#timeoutMs = timeoutMs
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  answered(message: StoredMessage): void {
    this.#resolve(message)
  }

  ended(error: Error | undefined): void {
    const late = `Nobody answered from ${this.#destination} within ${this.#timeoutMs} ms.`
    this.#reject(error ?? new MillraceError('timeout', late))
  }
}

/** Gathers answers for whoever iterates over them. */
export class ManyAnswersStream implements AnswerWaiter {
  readonly stream: MessageStream<StoredMessage>
  readonly #destination: string
  readonly #wanted: number | 'until-timeout'
  readonly #timeoutMs: number
  readonly #waiting: StoredMessage[] = []
  #count = 0
  /** Once nothing follows: how it ends, when those that wait were taken. */
  #end: { readonly error: Error | undefined } | undefined

  /** @param leave called when nobody wants any more */
  constructor(destination: string, wanted: number | 'until-timeout', timeoutMs: number, leave: () => void) {
    this.#destination = destination
    this.#wanted = wanted
    this.#timeoutMs = timeoutMs
    this.stream = new MessageStream<StoredMessage>(
      () => this.#take(),
      () => {
        leave()
        return Promise.resolve()
      },
    )
  }

  /** Whether it has all that it wants. */
  get full(): boolean {
    return this.#count === this.#wanted
  }

  answered(message: StoredMessage): void {
    this.#count++
    this.#waiting.push(message)
    this.stream.pump()
    if (this.full) this.#finish(undefined)
  }

  ended(error: Error | undefined): void {
    if (error !== undefined || this.#wanted === 'until-timeout') return this.#finish(error)
    const what = `${this.#count} of ${this.#wanted} answers came from ${this.#destination} within ${this.#timeoutMs} ms.`
    this.#finish(new MillraceError('timeout', what))
  }

  #finish(error: Error | undefined): void {
    if (this.#waiting.length > 0) this.#end = { error }
    else this.stream.end(error)
  }

  #take(): StoredMessage | undefined {
    const message = this.#waiting.shift()
    const end = this.#end
    // After this message was handed over.
    if (end !== undefined && this.#waiting.length === 0) queueMicrotask(() => this.stream.end(end.error))
    return message
  }
}
