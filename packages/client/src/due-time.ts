import { isPastDue } from '@millrace/wire'
import type { PublishOptions } from './api.ts'
import type { ClientPlatform } from './client-platform.ts'
import { MillraceError } from './errors.ts'

type DueOptions = Pick<PublishOptions, 'delayMs' | 'deliverAt'>
type Clock = Pick<ClientPlatform, 'nowMs'>

/**
 * Looks at the time when its user states it. Only then: a message that waits for room, or is sent again on a new connection, may have
 * become due meanwhile, and is published at once.
 * @throws MillraceError `bad_request`, `time_in_past`
 */
export function checkDueTime({ delayMs, deliverAt }: DueOptions, clock: Clock): void {
  if (delayMs === undefined && deliverAt === undefined) return
  if (delayMs !== undefined && deliverAt !== undefined)
    throw new MillraceError('bad_request', 'A message has `delayMs` or `deliverAt`, not both.')
  if (delayMs !== undefined && !(delayMs > -Infinity && delayMs < Infinity))
    throw new MillraceError('bad_request', `\`delayMs\` is a number of milliseconds from 0 on, not ${delayMs}.`)
  if (delayMs !== undefined && delayMs < 0) throw inPast(`\`delayMs\` is ${delayMs}`)
  const nowMs = clock.nowMs()
  const dueMs = deliverAt === undefined ? nowMs : Number(deliverAt)
  if (!(dueMs > -Infinity && dueMs < Infinity))
    throw new MillraceError('bad_request', `\`deliverAt\` is a Date or milliseconds since 1970, not ${String(deliverAt)}.`)
  if (isPastDue(dueMs, nowMs)) throw inPast(`\`deliverAt\` is ${timeText(dueMs)}, and it is ${timeText(nowMs)} here`)
}

/**
 * When a message whose time was looked at is to be published: milliseconds since 1970 by the client's clock; 0 for now or a time that has passed.
 * @param mayWait whether its publisher can schedule messages
 * @throws MillraceError `bad_request`
 */
export function dueTimeMs({ delayMs, deliverAt }: DueOptions, clock: Clock, mayWait: boolean): number {
  if (delayMs === undefined && deliverAt === undefined) return 0
  const nowMs = clock.nowMs()
  const dueMs = deliverAt === undefined ? nowMs + (delayMs ?? 0) : Number(deliverAt)
  if (dueMs <= nowMs) return 0
  if (mayWait) return Math.ceil(dueMs)
  throw new MillraceError(
    'bad_request',
    'An idempotent publisher cannot schedule messages: use another publisher, or publish through the queue or topic.',
  )
}

function inPast(what: string): MillraceError {
  return new MillraceError('time_in_past', `${what}: that time has passed. To publish the message now, leave it out.`)
}

function timeText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}
