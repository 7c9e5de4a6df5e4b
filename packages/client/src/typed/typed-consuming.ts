import type {
  ConsumeOptions,
  Consumption,
  Message,
  PullOptions,
  StoredMessage,
  Subscription,
  Transaction,
  TransactionalHandler,
  TransactionalOptions,
} from '../api.ts'
import { callUser } from '../call-user.ts'
import type { MillraceError } from '../errors.ts'
import { TypedStream } from './typed-stream.ts'
import { type Decoder, whenReady } from './typed-codec.ts'

/** A received message with its validated body. */
export type Typed<M, Out> = M & { readonly body: Out }

export type TypedHandler<Out> = (message: Typed<Message, Out>) => unknown

export type TypedTransactionalHandler<Out> = (message: Typed<Message, Out>, transaction: Transaction) => unknown

/**
 * What becomes of a message whose body cannot be read or is not valid: `reject` sends it to the dead letters with the reason (the
 * default), `ack` drops it, `nack` has it delivered again. Undefined: it was settled by whoever decided.
 */
export type InvalidDecision = 'reject' | 'ack' | 'nack' | undefined

export interface InvalidOptions {
  /** Decides about a message that is not valid. What it throws counts as `nack`. */
  readonly onInvalid?: (message: Message, error: MillraceError) => InvalidDecision | Promise<InvalidDecision>
}

/** As `ConsumeOptions`; `onError` also hears of messages that are rejected because they are not valid. */
export type TypedConsumeOptions = ConsumeOptions & InvalidOptions

export type TypedPullOptions = PullOptions & InvalidOptions

/** As `Subscription`, with bodies of the declared type. */
export interface TypedSubscription<Out> {
  readonly name: string
  /** As `Queue.consume` with `transactional`. */
  consume(handler: TypedTransactionalHandler<Out>, options: TypedConsumeOptions & TransactionalOptions): Consumption
  /** Handler style: return acks, throw nacks. */
  consume(handler: TypedHandler<Out>, options?: TypedConsumeOptions): Consumption
  /** Iterator style: each message is acked by `message.ack()`. Messages that are not valid are settled and left out. */
  messages(options?: TypedConsumeOptions): AsyncIterableIterator<Typed<Message, Out>>
  /** Messages that are not valid are settled and left out, so that there may be fewer than came. */
  pull(options?: TypedPullOptions): Promise<readonly Typed<Message, Out>[]>
}

const REASON_CHARACTERS_MAX = 1000

export class TypedConsuming<Out> implements TypedSubscription<Out> {
  readonly name: string
  readonly #codec: Decoder<Out>
  readonly #untyped: Subscription

  constructor(codec: Decoder<Out>, untyped: Subscription) {
    this.name = untyped.name
    this.#codec = codec
    this.#untyped = untyped
  }

  consume(
    handler: TypedTransactionalHandler<Out>,
    options: TypedConsumeOptions & Partial<TransactionalOptions> = {},
  ): Consumption {
    const checked: TransactionalHandler = (message, transaction) =>
      whenReady(this.#codec.decode(message), (decoded) =>
        decoded.error === undefined
          ? handler(withBody(message, decoded.body), transaction)
          : refuseInHandler(message, decoded.error, options),
      )
    return this.#untyped.consume(checked, options as TypedConsumeOptions & TransactionalOptions)
  }

  messages(options: TypedConsumeOptions = {}): AsyncIterableIterator<Typed<Message, Out>> {
    return new TypedStream(this.#untyped.messages(options), (message) => this.#accepted(message, options))
  }

  async pull(options: TypedPullOptions = {}): Promise<readonly Typed<Message, Out>[]> {
    const messages = await this.#untyped.pull(options)
    const accepted = await Promise.all(messages.map((message) => this.#accepted(message, options)))
    return accepted.filter((message) => message !== undefined)
  }

  /** The message with its body; undefined once it is settled because it is not valid, or could not be checked. */
  async #accepted(message: Message, options: TypedConsumeOptions): Promise<Typed<Message, Out> | undefined> {
    let reason: unknown
    try {
      const { body, error } = await this.#codec.decode(message)
      if (error === undefined) return withBody(message, body)
      if ((await refuse(message, error, options)) !== 'nack') return undefined
      reason = error
    } catch (error) {
      callUser(options.onError, error, message)
      reason = error
    }
    void message.nack({ error: shortened(reason) })
    return undefined
  }
}

/** Adds the body to the message itself, which keeps all it can do. */
export function withBody<M extends StoredMessage, Out>(message: M, body: Out): Typed<M, Out> {
  return Object.assign(message, { body })
}

async function refuseInHandler(message: Message, error: MillraceError, options: TypedConsumeOptions): Promise<void> {
  // A handler that throws has its message delivered again after the retry delay.
  if ((await refuse(message, error, options)) === 'nack') throw error
}

/** Settles a message that is not valid, unless it shall be delivered again. */
async function refuse(message: Message, error: MillraceError, options: TypedConsumeOptions): Promise<InvalidDecision> {
  if (options.onInvalid === undefined) {
    callUser(options.onError, error, message)
    void message.reject(shortened(error))
    return 'reject'
  }
  const decision = await options.onInvalid(message, error)
  if (decision === 'reject') void message.reject(shortened(error))
  else if (decision === 'ack') void message.ack()
  return decision
}

function shortened(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, REASON_CHARACTERS_MAX)
}
