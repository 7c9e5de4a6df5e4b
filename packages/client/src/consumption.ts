// hot path (bench/src/native.ts)
import type { Consumption, ConsumeOptions, Handler } from './api.ts'
import { callUser } from './call-user.ts'
import { FixedCredit } from './credit.ts'
import type { MillraceError } from './errors.ts'
import type { Link } from './link.ts'
import type { HeldMessage } from './received-message.ts'
import { Subscriber, type SubscribeRequest } from './subscriber.ts'

export const PREFETCH = 256
const RETRY_MS_FIRST = 100
const RETRY_MS_MAX = 30_000

/** Handler style: runs up to `concurrency` handlers at a time; acks what they return from, nacks what they throw at. */
export class HandlerConsumption implements Consumption {
  readonly done: Promise<void>
  readonly #link: Link
  readonly #subscriber: Subscriber
  readonly #handler: Handler
  readonly #options: ConsumeOptions
  readonly #concurrency: number
  #running = 0
  #stopping: Promise<void> | undefined
  #idle: (() => void) | undefined
  #finish!: () => void
  #fail!: (error: MillraceError) => void

  constructor(link: Link, request: SubscribeRequest, handler: Handler, options: ConsumeOptions) {
    this.#link = link
    this.#handler = handler
    this.#options = options
    this.#concurrency = options.concurrency ?? 1
    this.done = new Promise((resolve, reject) => {
      this.#finish = resolve
      this.#fail = reject
    })
    // Whoever does not look at `done` is told by `onError` of messages only.
    this.done.catch(() => {})
    const credit = new FixedCredit(options.prefetch ?? PREFETCH)
    this.#subscriber = new Subscriber(link, () => request, credit, {
      available: () => this.#pump(),
      ended: (error) => (error === undefined ? this.#finish() : this.#fail(error)),
      settleFailed: (error, message) => callUser(options.onError, error, message),
    })
    const { signal } = options
    if (signal?.aborted === true) void this.stop()
    else signal?.addEventListener('abort', () => void this.stop(), { once: true })
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    this.#subscriber.revoke()
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    await this.#link.settlesDone()
    await this.#subscriber.leave()
  }

  #pump(): void {
    while (this.#running < this.#concurrency && this.#stopping === undefined) {
      const message = this.#subscriber.take()
      if (message === undefined) return
      // Before the handler begins, which may stop this.
      this.#running++
      let result: unknown
      try {
        result = this.#handler(message)
      } catch (error) {
        this.#failed(message, error)
        this.#ended()
        continue
      }
      if (isThenable(result)) {
        void this.#wait(message, result)
        continue
      }
      this.#succeeded(message)
      this.#ended()
    }
  }

  async #wait(message: HeldMessage, result: PromiseLike<unknown>): Promise<void> {
    try {
      await result
      this.#succeeded(message)
    } catch (error) {
      this.#failed(message, error)
    }
    this.#ended()
    this.#pump()
  }

  #ended(): void {
    this.#running--
    if (this.#running === 0) this.#idle?.()
  }

  #succeeded(message: HeldMessage): void {
    // The handler may have decided by itself.
    if (!message.settled) this.#subscriber.settle(message, 'ack')
  }

  #failed(message: HeldMessage, error: unknown): void {
    if (!message.settled) {
      const delayMs = this.#retryDelayMs(message.attempt)
      const delay = this.#options.retryDelayMs === undefined ? { fallbackDelayMs: delayMs } : { delayMs }
      const text = error instanceof Error ? error.message : String(error)
      this.#subscriber.settle(message, 'nack', { ...delay, error: text.slice(0, 1000) })
    }
    callUser(this.#options.onError, error, message)
  }

  #retryDelayMs(attempt: number): number {
    const { retryDelayMs } = this.#options
    if (typeof retryDelayMs === 'function') return Math.max(0, Math.round(retryDelayMs(attempt)))
    return retryDelayMs ?? Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** (attempt - 1))
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
