import { PREPARED_FOR_HEADER, PREPARED_RETRY_HEADER, RETRY_HEADER } from '@millrace/wire'
import type { Body, Consumption, Message, Millrace, Transaction } from '../api.ts'
import { callUser } from '../call-user.ts'
import { platformOf } from '../client-platform.ts'
import { checkDestination } from '../destination.ts'
import { MillraceError } from '../errors.ts'
import { MESSAGE_ID_HEADER } from '../message-headers.ts'
import { withRetry } from '../outgoing.ts'
import type {
  Decision,
  PreparedForCheck,
  PreparedMessage,
  PreparedOptions,
  PreparedProducer,
  PreparedProducerOptions,
} from './types.ts'

const FIRST_CHECK_MS = 60_000
const CHECK_EVERY_MS = 60_000
const CHECKS_MAX = 15
const ERROR_CHARACTERS_MAX = 500

const decoder = new TextDecoder()

/**
 * A prepared message is scheduled for the queue `prepared-GROUP`. Committing it is one transaction: publish it where it belongs, take the
 * scheduled one back. If nobody decides, it comes out of the schedule, and whoever of the group consumes the queue is asked.
 */
export class ClientPreparedProducer implements PreparedProducer {
  readonly #client: Millrace
  readonly #queue: string
  readonly #options: PreparedProducerOptions
  #consumption: Consumption | undefined

  private constructor(client: Millrace, group: string, options: PreparedProducerOptions) {
    this.#client = client
    this.#queue = `prepared-${group}`
    this.#options = options
  }

  /** @throws MillraceError `already_exists` when the group has another `checksMax` */
  static async open(client: Millrace, group: string, options: PreparedProducerOptions): Promise<ClientPreparedProducer> {
    const producer = new ClientPreparedProducer(client, group, options)
    await producer.#open()
    return producer
  }

  async prepare(destination: string, body: Body, options: PreparedOptions = {}): Promise<PreparedMessage> {
    checkDestination(destination)
    const message = { ...options, headers: { [MESSAGE_ID_HEADER]: this.#newId(), ...options.headers } }
    const { retry, ...others } = message
    const [policy] = retry === undefined ? [] : withRetry([], retry)
    const { scheduled } = await this.#client.queue(this.#queue).publish(body, {
      ...others,
      headers: {
        ...message.headers,
        ...(policy === undefined ? {} : { [PREPARED_RETRY_HEADER]: policy.value! }),
        [PREPARED_FOR_HEADER]: destination,
      },
      delayMs: this.#options.firstCheckMs ?? FIRST_CHECK_MS,
    })
    const decide = (publish: (transaction: Transaction) => void): Promise<void> =>
      this.#client.transaction((transaction) => {
        if (scheduled === undefined) throw new MillraceError('stale_delivery', 'The message was handed to the check at once.')
        publish(transaction)
        transaction.cancelScheduled(scheduled)
      })
    return {
      commit: () => decide((transaction) => transaction.publish(destination, body, message)),
      rollback: () => decide(() => {}),
    }
  }

  async send(
    destination: string,
    body: Body,
    act: () => Decision | Promise<Decision>,
    options?: PreparedOptions,
  ): Promise<Decision> {
    const prepared = await this.prepare(destination, body, options)
    const decision = await act()
    try {
      if (decision === 'commit') await prepared.commit()
      else if (decision === 'rollback') await prepared.rollback()
    } catch (error) {
      // What was decided is known to whoever is asked.
      callUser(this.#options.onError, error)
    }
    return decision
  }

  close(): Promise<void> {
    return this.#consumption?.stop() ?? Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** If the confirm is lost in a crash the broker has the message twice, and this one id in both. */
  #newId(): string {
    const platform = platformOf(this.#client)
    const part = (): string => Math.floor(platform.random() * 2 ** 48).toString(36)
    return `${part()}${part()}`
  }

  async #open(): Promise<void> {
    const dead = `${this.#queue}-dead`
    await this.#client.admin.createQueue({ name: dead })
    const maxAttempts = this.#options.checksMax ?? CHECKS_MAX
    await this.#client.admin.createQueue({ name: this.#queue, delivery: { maxAttempts, deadLetter: `queue:${dead}` } })
    const everyMs = this.#options.checkEveryMs ?? CHECK_EVERY_MS
    this.#consumption = this.#client.queue(this.#queue).consume((message, transaction) => this.#ask(message, transaction), {
      transactional: true,
      retryDelayMs: () => everyMs,
    })
  }

  /** Settles the message in the transaction, or throws to be asked again. */
  async #ask(message: Message, transaction: Transaction): Promise<void> {
    const destination = decoder.decode(message.headers[PREPARED_FOR_HEADER] ?? new Uint8Array(0))
    if (destination === '') return transaction.reject(message, `it was not prepared: it has no header ${PREPARED_FOR_HEADER}`)
    const decision = await this.#decision(Object.assign(message, { destination }))
    if (decision === 'unknown') throw new UndecidedError()
    if (decision === 'rollback') return
    const { [PREPARED_FOR_HEADER]: _, [PREPARED_RETRY_HEADER]: retry, ...others } = message.headers
    const headers = retry === undefined ? others : { ...others, [RETRY_HEADER]: retry }
    transaction.publish(destination, message.value ?? new Uint8Array(0), {
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value ?? new Uint8Array(0)])),
      ...(message.key === null ? {} : { key: message.key }),
    })
  }

  async #decision(message: PreparedForCheck): Promise<Decision> {
    try {
      return await this.#options.check(message)
    } catch (error) {
      callUser(this.#options.onError, error)
      throw new UndecidedError(error instanceof Error ? error.message : String(error))
    }
  }
}

/** Ends as the error of the nack, and so as a header of the dead letter. */
class UndecidedError extends Error {
  constructor(why?: string) {
    super(`the check could not decide${why === undefined ? '' : `: ${why.slice(0, ERROR_CHARACTERS_MAX)}`}`)
  }
}
