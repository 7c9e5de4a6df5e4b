import type { Handler, Message } from '../api.ts'
import { quietTimer } from '../end-of-turn.ts'
import { MillraceError } from '../errors.ts'
import { bodyFingerprint } from './fingerprint.ts'
import type { BeginOptions, BeginResult, IdempotencyStore } from './idempotency-store.ts'
import { messageIdentity } from './message-identity.ts'

const LEASE_MS = 60_000
const RETENTION_MS = 7 * 86_400_000
const WAIT_MS = 1000
const POLL_MS_FIRST = 10
const POLL_MS_MAX = 200

/** The message as an idempotent handler sees it: returning settles it as done, throwing gives it back. */
export type IdempotentMessage = Omit<Message, 'ack' | 'nack' | 'reject'>

/** The right to handle a message now. */
export interface Claim {
  readonly key: string
  /** Higher than that of every earlier claim of this key. Write it beside what the handler writes, and refuse to replace a higher one. */
  readonly fence: number
  /** Aborted when the lease has run out: somebody else may begin from now on. */
  readonly signal: AbortSignal
}

/** Bytes that it returns are kept with the key, for `onDuplicate` and `store.get`. */
export type IdempotentHandler = (message: IdempotentMessage, claim: Claim) => unknown

export interface IdempotentOptions {
  /** Names what is done once. The same message may come to several consumers, and each of them does its own work with it. */
  readonly consumer: string
  /** What is the same for messages that are to be handled once. Default: the header `message-id`, else partition and offset. */
  readonly key?: (message: Message) => string
  /** Longer than the handler ever takes: after that, others may begin. Default 60,000. */
  readonly leaseMs?: number
  /**
   * How long a duplicate waits here for the one that is being handled, before it goes back to the queue for the rest of that lease.
   * Default 1,000.
   */
  readonly waitMs?: number
  /** How long duplicates are recognised. Default 7 days. */
  readonly retentionMs?: number
  /** Stands for the payload, to find a key that is used twice for different things. Default: SHA-256 of the body; false: no check. */
  readonly fingerprint?: false | ((message: Message) => string | Promise<string>)
  /** Called for a message that was handled before, with the bytes that the handler returned then. */
  readonly onDuplicate?: (message: IdempotentMessage, result: Uint8Array | undefined) => unknown
}

/**
 * Makes a handler for `consume` that runs `handler` once per key.
 * - Done before: acked without running it.
 * - In progress elsewhere: waits a little for that to end, then comes again when that lease is over. Coming back sooner would use up
 *   its attempts.
 * - The handler throws: the key is released, and the message comes again as `consume` has it.
 * - The same key with another payload: rejected to the dead letters, with `payload_mismatch` for `onError`.
 *
 * A handler that fails after it had its effect, or whose process dies there, runs again: write the effect together with `claim.fence`,
 * or in the same transaction as an inbox, where even that must not happen.
 */
export function idempotent(store: IdempotencyStore, handler: IdempotentHandler, options: IdempotentOptions): Handler {
  const {
    consumer,
    key = messageIdentity,
    leaseMs = LEASE_MS,
    waitMs = WAIT_MS,
    retentionMs = RETENTION_MS,
    onDuplicate,
  } = options
  const fingerprintOf = options.fingerprint === false ? undefined : (options.fingerprint ?? bodyFingerprint)

  return async (message: Message): Promise<void> => {
    const scopedKey = `${consumer}/${key(message)}`
    const fingerprint = await fingerprintOf?.(message)
    const request = { leaseMs, retentionMs, ...(fingerprint === undefined ? {} : { fingerprint }) }
    const { begun, lease } = await beginWithin(waitMs, store, scopedKey, request)
    try {
      switch (begun.state) {
        case 'started':
          return await run(store, handler, message, { key: scopedKey, fence: begun.fence, signal: lease.signal })
        case 'done':
          await onDuplicate?.(message, begun.result)
          return
        case 'in-progress':
          return await message.defer({ delayMs: begun.retryAfterMs })
        case 'mismatch':
          return await refuse(message, scopedKey)
      }
    } finally {
      lease.end()
    }
  }
}

/** Asks the store until the key is not in progress any more, or `waitMs` are over. */
async function beginWithin(
  waitMs: number,
  store: IdempotencyStore,
  key: string,
  request: BeginOptions,
): Promise<{ readonly begun: BeginResult; readonly lease: Lease }> {
  const untilMs = performance.now() + waitMs
  for (let pollMs = POLL_MS_FIRST; ; pollMs = Math.min(POLL_MS_MAX, pollMs * 2)) {
    // From before the store is asked: its signal must not come later than the store's own clock says.
    const lease = new Lease(request.leaseMs)
    try {
      const begun = await store.begin(key, request)
      if (begun.state !== 'in-progress' || performance.now() >= untilMs) return { begun, lease }
      lease.end()
      const delayMs = Math.min(pollMs, begun.retryAfterMs)
      await new Promise((resolve) => {
        setTimeout(resolve, delayMs)
      })
    } catch (error) {
      lease.end()
      throw error
    }
  }
}

async function run(store: IdempotencyStore, handler: IdempotentHandler, message: Message, claim: Claim): Promise<void> {
  let result: unknown
  try {
    result = await handler(message, claim)
  } catch (error) {
    await releaseAfter(error, store, claim)
    throw error
  }
  await store.complete(claim.key, claim.fence, result instanceof Uint8Array ? result : undefined)
}

/** @throws AggregateError with both, when the release fails as well */
async function releaseAfter(error: unknown, store: IdempotencyStore, claim: Claim): Promise<void> {
  try {
    await store.release(claim.key, claim.fence)
  } catch (releaseError) {
    const message = `${messageOf(error)} (and its claim was not released: ${messageOf(releaseError)})`
    throw new AggregateError([error, releaseError], message, { cause: releaseError })
  }
}

async function refuse(message: Message, key: string): Promise<never> {
  const error = new MillraceError(
    'payload_mismatch',
    `The key ${JSON.stringify(key)} was used before for another payload. Give each message an id of its own.`,
  )
  await message.reject(error.message)
  throw error
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Tells the handler when its time is over. */
class Lease {
  readonly #controller = new AbortController()
  readonly #cancel: () => void

  constructor(leaseMs: number) {
    this.#cancel = quietTimer(leaseMs, () =>
      this.#controller.abort(
        new MillraceError('stale_claim', `The lease of ${leaseMs} ms ran out before the handler was ready.`),
      ),
    )
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  end(): void {
    this.#cancel()
  }
}
