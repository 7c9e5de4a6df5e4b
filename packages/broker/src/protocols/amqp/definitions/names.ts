import type { Random } from '../../../ports/platform.ts'
import { AmqpError } from '../amqp-error.ts'

/** Where a client gets direct replies. Replies go to this, a point and a token. */
export const REPLY_TO = 'amq.rabbitmq.reply-to'
export const REPLY_TO_PREFIX: string = `${REPLY_TO}.`

const RESERVED_PREFIX = 'amq.'
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** As RabbitMQ does: line ends in names are left out. */
export function withoutLineEnds(name: string): string {
  return name.includes('\n') || name.includes('\r') ? name.replaceAll(/[\r\n]/g, '') : name
}

/** @throws AmqpError 403 */
export function checkNotReserved(what: 'queue' | 'exchange', name: string): void {
  if (!name.startsWith(RESERVED_PREFIX)) return
  throw new AmqpError('access-refused', `${what} name '${name}' contains reserved prefix 'amq.*'`)
}

export function isReserved(name: string): boolean {
  return name.startsWith(RESERVED_PREFIX)
}

/** A name that nobody else has: 132 bits of chance. */
export function randomName(prefix: string, random: Random): string {
  let name = prefix
  for (let n = 0; n < 22; n++) name += ALPHABET[random.uint32() >>> 26]
  return name
}
