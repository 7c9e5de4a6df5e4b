import { CORRELATION_ID_HEADER } from '@millrace/wire'
import type { Admin, Consumption, Message } from '../api.ts'
import { asMillraceError, MillraceError } from '../errors.ts'
import { type Hub, QueueHandle } from '../sources.ts'
import type { AnswerWaiter } from './answers.ts'

/** A queue that nobody uses any more, because its client is gone without a word, is deleted by the broker. */
const EXPIRE_MS = 10 * 60_000
const PREFETCH = 1024
const CLIENT_ID_CHARACTERS_MAX = 100

const decoder = new TextDecoder()

/** The queue in which a client gets answers, made when it asks for the first time. Every answer is acked; those that nobody waits for are dropped. */
export class ReplyInbox {
  readonly queue: string
  readonly #hub: Hub
  readonly #admin: Admin
  readonly #waiting = new Map<string, AnswerWaiter>()
  #opening: Promise<void> | undefined
  #consumption: Consumption | undefined

  /** @param suffix makes the name unique */
  constructor(hub: Hub, admin: Admin, clientId: string | undefined, suffix: string) {
    this.#hub = hub
    this.#admin = admin
    const id = (clientId ?? 'client').replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, CLIENT_ID_CHARACTERS_MAX)
    this.queue = `reply-${id}-${suffix}`
  }

  /** Resolves when answers can come. @throws MillraceError */
  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  await(correlationId: string, waiter: AnswerWaiter): void {
    this.#waiting.set(correlationId, waiter)
  }

  /** @returns whether it still waited */
  forget(correlationId: string): boolean {
    return this.#waiting.delete(correlationId)
  }

  /** Those who wait get the error, and the queue is deleted. */
  async close(reason: MillraceError): Promise<void> {
    this.#fail(reason)
    if (this.#opening === undefined) return
    await Promise.allSettled([this.#opening])
    await this.#consumption?.stop()
    try {
      await this.#admin.deleteQueue(this.queue)
    } catch (failure) {
      // Without a connection, or if somebody else deleted it: it expires, or is gone.
      if (!(failure instanceof MillraceError)) throw failure
    }
  }

  async #open(): Promise<void> {
    try {
      await this.#admin.createQueue({ name: this.queue, expireMs: EXPIRE_MS })
    } catch (error) {
      this.#opening = undefined
      throw error
    }
    const consumption = new QueueHandle(this.#hub, this.queue).consume((message: Message) => this.#arrived(message), {
      prefetch: PREFETCH,
    })
    this.#consumption = consumption
    void this.#watch(consumption)
  }

  /** If the broker ends it, the next request makes it anew. */
  async #watch(consumption: Consumption): Promise<void> {
    try {
      await consumption.done
    } catch (error) {
      this.#opening = this.#consumption = undefined
      this.#fail(asMillraceError(error, 'closed', 'answers cannot come any more'))
    }
  }

  #arrived(message: Message): void {
    const correlation = message.headers[CORRELATION_ID_HEADER]
    if (correlation === undefined || correlation === null) return
    this.#waiting.get(decoder.decode(correlation))?.answered(message)
  }

  #fail(error: MillraceError): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const waiter of waiting) waiter.ended(error)
  }
}
