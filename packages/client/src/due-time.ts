import type { PublishOptions } from './api.ts'
import { MillraceError } from './errors.ts'

/**
 * When a message is to be published: milliseconds since 1970 by the client's clock; 0 for now or a time that has passed.
 * @throws MillraceError `bad_request`
 */
export function dueTimeMs({ delayMs, deliverAt }: Pick<PublishOptions, 'delayMs' | 'deliverAt'>, nowMs: number): number {
  if (delayMs !== undefined && deliverAt !== undefined)
    throw new MillraceError('bad_request', 'A message has `delayMs` or `deliverAt`, not both.')
  if (delayMs !== undefined && !(delayMs >= 0 && delayMs < Infinity))
    throw new MillraceError('bad_request', `\`delayMs\` is a number of milliseconds from 0 on, not ${delayMs}.`)
  const dueMs = deliverAt === undefined ? nowMs + (delayMs ?? 0) : Number(deliverAt)
  if (!(dueMs >= 0 && dueMs < Infinity))
    throw new MillraceError('bad_request', `\`deliverAt\` is a Date or milliseconds since 1970, not ${String(deliverAt)}.`)
  return dueMs > nowMs ? Math.ceil(dueMs) : 0
}
