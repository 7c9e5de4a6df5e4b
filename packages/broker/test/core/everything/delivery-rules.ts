/** What must hold of the deliveries of one partition of a queue or subscription, whatever happened before. */
import { readRetry, RETRY_HEADER } from '@millrace/wire'
import type { Message } from '../harness.ts'
import { must } from '../must.ts'
import { LEASE_MS, type Source } from './world.ts'

interface Slot {
  readonly offset: number
  readonly key: string | null
  /** It has a time to live of its own. */
  readonly expires: boolean
  /** Deliveries that it may have. */
  readonly maxAttempts: number
  attempts: number
  /** Who has it, unless the lease ran out. */
  holder: object | undefined
  heldSinceMs: number
  /** Of the settle that ended it. */
  endedIn: number | undefined
  /** It may be settled, or dead, or wait: nothing is known of it until it comes again. */
  isUnsure: boolean
  /** It was told to come back no earlier, wall clock. */
  waitsUntil: { readonly ms: number; readonly ticket: number } | undefined
}

export interface DeliveredTo {
  readonly source: Source
  readonly holder: object
  readonly nowMs: number
  readonly wallMs: number
}

export class DeliveryRules {
  readonly #slots = new Map<number, Slot>()
  readonly #times: number[] = []
  /** Something takes messages out by itself: what is not with a consumer need not come first. */
  isLoose = false
  /** The highest offset that was delivered for the first time. */
  #newest = -1

  /** @throws Error when the delivery breaks a rule */
  delivered(message: Message, to: DeliveredTo): void {
    const { offset, attempt } = message
    const { source, holder, nowMs, wallMs } = to
    const { policy, modulus } = source
    const key = message.record.key === null ? null : new TextDecoder().decode(message.record.key)
    const before = this.#slots.get(offset)
    must(!source.paused, `${offset} comes while it is paused`)
    must(wallMs < message.record.timestampMs + (policy.ttlMs ?? Infinity), `${offset} has expired`)
    must(numberOf(message) % modulus === 0, `${offset} does not match the filter`)
    if (before !== undefined) {
      must(before.endedIn === undefined, `${offset} comes after it was settled`)
      must(before.holder === undefined || nowMs >= before.heldSinceMs + LEASE_MS, `${offset} is with one consumer only`)
      must(wallMs >= (before.waitsUntil?.ms ?? 0), `${offset} waits until ${before.waitsUntil?.ms}`)
      must(attempt > before.attempts, `${offset} was delivery ${before.attempts}, now ${attempt}`)
    } else if (attempt === 1 && policy.order !== 'key') {
      must(offset > this.#newest, `${offset} comes after ${this.#newest}`)
    }
    if (attempt === 1) this.#newest = Math.max(this.#newest, offset)
    this.#checkOrder(source, offset, key, nowMs)
    this.#checkRate(source, nowMs)
    this.#slots.set(offset, {
      offset,
      key,
      expires: expires(message.record),
      maxAttempts: maxAttemptsOf(source, message),
      attempts: attempt,
      holder,
      heldSinceMs: nowMs,
      endedIn: undefined,
      isUnsure: false,
      waitsUntil: undefined,
    })
  }

  settled(offset: number, ticket: number): void {
    const slot = this.#slots.get(offset)!
    slot.endedIn = ticket
    slot.holder = undefined
  }

  /** @param mayOvertake others may come first, because it waits or may have died */
  handedBack(offset: number, isCounted: boolean, mayOvertake: boolean): void {
    const slot = this.#slots.get(offset)!
    slot.holder = undefined
    if (!isCounted) slot.attempts--
    slot.isUnsure = mayOvertake
  }

  /** @param ticket of what said so */
  waits(offset: number, ms: number, ticket: number): void {
    this.#slots.get(offset)!.waitsUntil = { ms, ticket }
  }

  extended(offset: number, nowMs: number): void {
    this.#slots.get(offset)!.heldSinceMs = nowMs
  }

  /** It lost all its consumers, and what is in a commit above `committed`. */
  crashed(committed: number): void {
    this.#times.length = 0
    for (const slot of this.#slots.values()) {
      slot.holder = undefined
      slot.isUnsure = true
      if (slot.waitsUntil !== undefined && slot.waitsUntil.ticket > committed) slot.waitsUntil = undefined
      if (slot.endedIn !== undefined && slot.endedIn > committed) slot.endedIn = undefined
    }
  }

  /** Nothing is known any more of what no consumer has. */
  forget(nowMs: number): void {
    for (const slot of this.#slots.values()) {
      if (slot.holder === undefined || nowMs >= slot.heldSinceMs + LEASE_MS) slot.isUnsure = true
    }
  }

  /** Whether it is certain that a consumer could have it now, where no order forbids that. */
  isReady({ offset, record }: Message): boolean {
    if (this.isLoose || expires(record)) return false
    const slot = this.#slots.get(offset)
    if (slot === undefined) return true
    return slot.endedIn === undefined && slot.holder === undefined && !slot.isUnsure && slot.waitsUntil === undefined
  }

  mayHaveLapsed(offset: number, nowMs: number): boolean {
    return nowMs >= this.#slots.get(offset)!.heldSinceMs + LEASE_MS
  }

  #checkOrder({ policy, limits }: Source, offset: number, key: string | null, nowMs: number): void {
    if (this.isLoose || policy.order === 'none' || (policy.order === 'key' && key === null)) return
    const mayVanish = policy.ttlMs !== undefined || (limits !== undefined && limits.overflow !== 'reject')
    for (const slot of this.#slots.values()) {
      if (slot.endedIn !== undefined || slot.isUnsure || slot.expires || mayVanish) continue
      // Its lease ran out at the last attempt: it is dead.
      if (slot.attempts >= slot.maxAttempts && nowMs >= slot.heldSinceMs + LEASE_MS) continue
      if (policy.order === 'key') {
        if (slot.key !== key) continue
        must(slot.offset >= offset, `${offset} comes before ${slot.offset}, which has the same key`)
        must(slot.offset === offset, `${offset} comes after ${slot.offset}, which has the same key`)
      } else if (slot.offset < offset) must(slot.holder !== undefined, `${offset} overtakes ${slot.offset}`)
    }
  }

  #checkRate({ policy }: Source, nowMs: number): void {
    const { ratePerSecond } = policy
    if (ratePerSecond === undefined) return
    this.#times.push(nowMs)
    while (this.#times[0]! < nowMs - 1000) this.#times.shift()
    must(
      this.#times.length <= 1.1 * ratePerSecond + 2,
      `${this.#times.length} messages in a second, the rate is ${ratePerSecond}`,
    )
  }
}

/** What a message says of itself counts more than what is said where it waits. */
export function maxAttemptsOf({ policy }: Source, message: Message): number {
  return retryOf(message)?.maxAttempts ?? policy.maxAttempts ?? Infinity
}

/** How long it waits at least after a nack that does not say so. */
export function backoffMsMin({ policy }: Source, message: Message): number {
  const backoff = retryOf(message)?.backoff ?? policy.backoff
  // It never waits less than after the first attempt.
  return backoff === undefined ? 0 : Math.floor(backoff.initialMs * (1 - (backoff.jitter ?? 0)))
}

function retryOf({ record }: Message): ReturnType<typeof readRetry> {
  const header = record.headers.find(({ key }) => key === RETRY_HEADER)
  return header === undefined ? undefined : readRetry(header.value!)
}

export function numberOf(message: Pick<Message, 'record'>): number {
  const header = message.record.headers.find((each) => each.key === 'n')
  return Number(new TextDecoder().decode(header!.value!))
}

/** Whether it has a time to live of its own. */
function expires({ headers }: Message['record']): boolean {
  return headers.some(({ key }) => key === 'expires-at')
}
