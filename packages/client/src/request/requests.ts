import { CORRELATION_ID_HEADER, REPLY_TO_HEADER } from '@millrace/wire'
import type { Admin, Body, StoredMessage } from '../api.ts'
import type { ClientPlatform } from '../client-platform.ts'
import { asMillraceError, MillraceError } from '../errors.ts'
import type { Hub } from '../sources.ts'
import { type AnswerWaiter, ManyAnswersStream, OneAnswer } from './answers.ts'
import { ReplyInbox } from './reply-inbox.ts'
import type { ManyAnswers, RequestOptions } from './types.ts'

const TIMEOUT_MS = 30_000

/** The requests of a client. */
export class Requests {
  readonly #hub: Hub
  readonly #admin: Admin
  readonly #platform: ClientPlatform
  readonly #clientId: string | undefined
  /** Tells this client's requests from all others. */
  #name = ''
  #inbox: ReplyInbox | undefined
  #next = 0
  #closed = false

  constructor(hub: Hub, admin: Admin, platform: ClientPlatform, clientId: string | undefined) {
    this.#hub = hub
    this.#admin = admin
    this.#platform = platform
    this.#clientId = clientId
  }

  one(destination: string, body: Body, options: RequestOptions): Promise<StoredMessage> {
    const answer = new OneAnswer(destination, options.timeoutMs ?? TIMEOUT_MS)
    void this.#ask(destination, body, options, answer, () => true)
    return answer.promise
  }

  many(destination: string, body: Body, options: RequestOptions & ManyAnswers): AsyncIterableIterator<StoredMessage> {
    const { answers, timeoutMs = TIMEOUT_MS } = options
    if (answers !== 'until-timeout' && !(Number.isSafeInteger(answers) && answers > 0)) {
      throw new MillraceError('bad_request', `\`answers\` is a number from 1 on, or 'until-timeout', not ${String(answers)}.`)
    }
    const leave = new AbortController()
    const gathered = new ManyAnswersStream(destination, answers, timeoutMs, () => leave.abort())
    void this.#ask(destination, body, options, gathered, () => gathered.full, leave.signal)
    return gathered.stream
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#inbox?.close(closedError())
  }

  /**
   * Has `waiter` told of answers until it is done, or the time is over, or it left.
   * @param isDone after an answer: whether that was all
   */
  async #ask(
    destination: string,
    body: Body,
    options: RequestOptions,
    waiter: AnswerWaiter,
    isDone: () => boolean,
    left?: AbortSignal,
  ): Promise<void> {
    const { timeoutMs = TIMEOUT_MS, signal } = options
    const inbox = this.#openInbox()
    const id = `${this.#name}-${this.#next++}`
    const stops: (() => void)[] = []
    const finish = (): boolean => {
      for (const stop of stops.splice(0)) stop()
      return inbox.forget(id)
    }
    const fail = (error: Error | undefined): void => {
      if (finish()) waiter.ended(error)
    }
    inbox.await(id, {
      answered: (message) => {
        waiter.answered(message)
        if (isDone()) finish()
      },
      ended: (error) => {
        finish()
        waiter.ended(error)
      },
    })
    stops.push(this.#platform.after(timeoutMs, () => fail(undefined)))
    stops.push(
      onAbort(left, finish),
      onAbort(signal, () => fail(signal!.reason as Error)),
    )
    try {
      if (this.#closed) throw closedError()
      await inbox.open()
      // The bare name is what clients of AMQP take for an address.
      const headers = { ...options.headers, [REPLY_TO_HEADER]: inbox.queue, [CORRELATION_ID_HEADER]: id }
      await this.#hub.publisherOf(destination).publish(body, { ...options, headers })
    } catch (error) {
      fail(asMillraceError(error, 'bad_request', 'the request cannot be sent'))
    }
  }

  #openInbox(): ReplyInbox {
    if (this.#inbox === undefined) {
      const part = (): string => Math.floor(this.#platform.random() * 2 ** 48).toString(36)
      this.#name = `${part()}${part()}`
      this.#inbox = new ReplyInbox(this.#hub, this.#admin, this.#clientId, this.#name)
    }
    return this.#inbox
  }
}

function closedError(): MillraceError {
  return new MillraceError('closed', 'This client is closed.')
}

/** @returns what stops listening */
function onAbort(signal: AbortSignal | undefined, aborted: () => void): () => void {
  if (signal === undefined) return () => {}
  if (signal.aborted) queueMicrotask(aborted)
  else signal.addEventListener('abort', aborted, { once: true })
  return () => signal.removeEventListener('abort', aborted)
}
