import type { Message } from '../../api.ts'

const encoder = new TextEncoder()

/** A message with an id, which comes until it is acked. */
export interface QueuedMessage extends Message {
  readonly id: string
  readonly body: string
  readonly isRejected: boolean
  readonly isDeferred: boolean
}

/** Delivers at least once and in any order; `defer` and `reject` are all that a handler may ask of it. */
export class FakeQueue {
  readonly #waiting: { readonly id: string; readonly body: string; readonly attempt: number; readonly dueMs: number }[] = []
  #nowMs = 0

  get size(): number {
    return this.#waiting.length
  }

  publish(id: string, body: string): void {
    this.#waiting.push({ id, body, attempt: 1, dueMs: 0 })
  }

  /** One of those that may be delivered now. */
  take(nowMs: number, below: (limit: number) => number): QueuedMessage | undefined {
    this.#nowMs = nowMs
    const ready = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs)
    const taken = ready[below(Math.max(1, ready.length))]
    if (taken === undefined) return undefined
    this.#waiting.splice(this.#waiting.indexOf(taken), 1)
    return this.#message(taken.id, taken.body, taken.attempt)
  }

  /** It comes again. */
  back({ id, body, attempt }: QueuedMessage, delayMs = 0): void {
    this.#waiting.push({ id, body, attempt: attempt + 1, dueMs: this.#nowMs + delayMs })
  }

  #message(id: string, body: string, attempt: number): QueuedMessage {
    const state = { isRejected: false, isDeferred: false }
    const message: QueuedMessage = {
      id,
      body,
      attempt,
      partition: 0,
      offset: 0,
      timestampMs: 0,
      key: null,
      value: encoder.encode(body),
      headers: { 'message-id': encoder.encode(id) },
      priority: 0,
      text: () => body,
      json: unexpected,
      ack: unexpected,
      nack: unexpected,
      extend: unexpected,
      reply: unexpected,
      reject: () => {
        state.isRejected = true
        return Promise.resolve()
      },
      defer: ({ delayMs = 0 } = {}) => {
        state.isDeferred = true
        this.back(message, delayMs)
        return Promise.resolve()
      },
      get isRejected() {
        return state.isRejected
      },
      get isDeferred() {
        return state.isDeferred
      },
    }
    return message
  }
}

function unexpected(): never {
  throw new Error('a handler leaves this to its consumption')
}
