import { MillraceError } from '../../base/errors.ts'
import type { Clock } from '../../ports/platform.ts'
import type { Ticket } from '../../storage/log-store.ts'
import { checkKeys, within } from '../settings.ts'
import { BURST_MS, NAME_LENGTH_MAX, QUOTAS_MAX, SPENDERS_MAX, WAIT_MS_MAX } from './limits.ts'
import { EACH, type QuotaKind, type Quotas, type QuotaScope, type QuotaSpec } from './quotas.ts'

const MS_PER_SECOND_AND_PERCENT = 10

interface Applying {
  /** In the unit of its kind. */
  readonly perSecond: number
  /** Whom it counts together. */
  readonly spender: string
}

/** Quotas by scope, and how far each spender is ahead of its own. */
export class CoreQuotas implements Quotas {
  readonly #clock: Clock
  readonly #keep: (specs: readonly QuotaSpec[]) => Ticket
  readonly #specs = new Map<string, QuotaSpec>()
  /** Spender -> when all that it did would have been done at its rate; monotonic milliseconds. */
  readonly #paidUntilMs = new Map<string, number>()

  /** @param keep makes them durable */
  constructor(clock: Clock, stored: readonly QuotaSpec[], keep: (specs: readonly QuotaSpec[]) => Ticket) {
    this.#clock = clock
    this.#keep = keep
    for (const spec of stored) this.#specs.set(keyOf(spec.user, spec.clientId), spec)
  }

  list(): readonly QuotaSpec[] {
    return [...this.#specs.values()]
  }

  check(spec: QuotaSpec): void {
    checkSpec(spec)
  }

  set(spec: QuotaSpec): Ticket {
    checkSpec(spec)
    const key = keyOf(spec.user, spec.clientId)
    if (!this.#specs.has(key) && this.#specs.size >= QUOTAS_MAX)
      throw new MillraceError(
        'limit_reached',
        `there are ${QUOTAS_MAX} quotas, which is the limit: * stands for each user or client`,
      )
    this.#specs.set(key, spec)
    return this.#keep(this.list())
  }

  remove({ user, clientId }: QuotaScope): Ticket {
    if (!this.#specs.delete(keyOf(user, clientId)))
      throw new MillraceError('not_found', `there is no quota for ${described({ user, clientId } as QuotaScope)}`)
    return this.#keep(this.list())
  }

  charge(user: string, clientId: string, kind: QuotaKind, amount: number): number {
    const quota = this.#applying(user, clientId, kind)
    if (quota === undefined) return 0
    const nowMs = this.#clock.monotonicMs()
    const { spender, perSecond } = quota
    const fromMs = Math.max(this.#paidUntilMs.get(spender) ?? -Infinity, nowMs - BURST_MS)
    const untilMs = Math.min(fromMs + (amount / perSecond) * 1000, nowMs + WAIT_MS_MAX)
    if (this.#paidUntilMs.size >= SPENDERS_MAX && !this.#paidUntilMs.has(spender)) this.#forgetIdle(nowMs)
    this.#paidUntilMs.set(spender, untilMs)
    return Math.max(0, Math.ceil(untilMs - nowMs))
  }

  burstBytes(user: string, clientId: string, kind: 'publish' | 'consume'): number {
    const quota = this.#applying(user, clientId, kind)
    return quota === undefined ? Infinity : Math.ceil((quota.perSecond * BURST_MS) / 1000)
  }

  /** The one that says most about who it is. */
  #applying(user: string, clientId: string, kind: QuotaKind): Applying | undefined {
    if (this.#specs.size === 0) return undefined
    for (const ofUser of [user, EACH, undefined]) {
      for (const ofClient of [clientId, EACH, undefined]) {
        const spec = this.#specs.get(keyOf(ofUser, ofClient))
        const perSecond = spec === undefined ? undefined : rates[kind](spec)
        if (perSecond === undefined) continue
        const together = keyOf(ofUser === undefined ? undefined : user, ofClient === undefined ? undefined : clientId)
        return { perSecond, spender: `${kind} ${together}` }
      }
    }
    return undefined
  }

  /** Those that owe nothing; and the oldest, if all do. */
  #forgetIdle(nowMs: number): void {
    for (const [spender, paidUntilMs] of this.#paidUntilMs) if (paidUntilMs <= nowMs - BURST_MS) this.#paidUntilMs.delete(spender)
    if (this.#paidUntilMs.size < SPENDERS_MAX) return
    const oldest = this.#paidUntilMs.keys().next()
    if (oldest.done !== true) this.#paidUntilMs.delete(oldest.value)
  }
}

const rates: Readonly<Record<QuotaKind, (spec: QuotaSpec) => number | undefined>> = {
  publish: ({ publishBytesPerSecond }) => publishBytesPerSecond,
  consume: ({ consumeBytesPerSecond }) => consumeBytesPerSecond,
  requests: ({ requestPercent }) => (requestPercent === undefined ? undefined : requestPercent * MS_PER_SECOND_AND_PERCENT),
  partitions: ({ partitionChangesPerSecond }) => partitionChangesPerSecond,
}

/** Least and most of what a quota may say. */
const bounds = {
  publishBytesPerSecond: [1, Number.MAX_SAFE_INTEGER],
  consumeBytesPerSecond: [1, Number.MAX_SAFE_INTEGER],
  requestPercent: [0.01, 1_000_000],
  partitionChangesPerSecond: [0.01, 1_000_000],
} as const
const figures = Object.keys(bounds) as (keyof typeof bounds)[]

/** Names may hold anything, so their length is part of it. */
function keyOf(user: string | undefined, clientId: string | undefined): string {
  return `${user === undefined ? '' : `u${user.length}:${user}`}${clientId === undefined ? '' : `c${clientId}`}`
}

/** @throws MillraceError `bad_request` */
function checkSpec(spec: QuotaSpec): void {
  checkKeys('a quota', spec, ['user', 'clientId', ...figures])
  const { user, clientId } = spec
  if (user === undefined && clientId === undefined)
    throw new MillraceError('bad_request', 'a quota is for a user, a clientId, or both; * stands for each that has no other')
  for (const name of [user, clientId]) {
    if (name !== undefined && name.length > NAME_LENGTH_MAX)
      throw new MillraceError('bad_request', `the name of a user or client has at most ${NAME_LENGTH_MAX} characters`)
  }
  if (figures.every((what) => spec[what] === undefined))
    throw new MillraceError('bad_request', `a quota says some of ${figures.join(', ')}`)
  for (const what of figures) {
    const value = spec[what]
    if (value !== undefined) within(what, value, bounds[what][0], bounds[what][1])
  }
}

function described({ user, clientId }: QuotaScope): string {
  return [user === undefined ? [] : `user ${user}`, clientId === undefined ? [] : `client ${clientId}`].flat().join(' and ')
}
