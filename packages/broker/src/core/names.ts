import { MillraceError } from '../base/errors.ts'
import { NAME_BYTES_MAX } from './limits.ts'

const NAME = /^[A-Za-z0-9._-]+$/

export interface Address {
  readonly kind: 'queue' | 'topic'
  readonly name: string
  readonly subscription: string | undefined
}

/** @throws MillraceError `illegal_name` */
export function checkName(name: string, what: string): void {
  if (typeof name === 'string' && name.length <= NAME_BYTES_MAX && NAME.test(name) && name !== '.' && name !== '..') return
  throw new MillraceError(
    'illegal_name',
    `${JSON.stringify(name)} cannot be the name of a ${what}: use 1 to ${NAME_BYTES_MAX} of the characters A-Z a-z 0-9 . _ - (and not "." or "..")`,
  )
}

/** Of exchanges, which no protocol restricts. */
const EXCHANGE_NAME_BYTES_MAX = 255
// oxlint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/
const encoder = new TextEncoder()

/** @throws MillraceError `illegal_name` */
export function checkExchangeName(name: string): void {
  if (
    typeof name === 'string' &&
    name !== '' &&
    !CONTROL_CHARACTER.test(name) &&
    encoder.encode(name).length <= EXCHANGE_NAME_BYTES_MAX
  )
    return
  throw new MillraceError(
    'illegal_name',
    `${JSON.stringify(name)} cannot be the name of an exchange: use 1 to ${EXCHANGE_NAME_BYTES_MAX} bytes of text without control characters`,
  )
}

/**
 * Takes `queue:NAME` or `topic:NAME` apart.
 * @throws MillraceError `bad_request`, `illegal_name`
 */
export function parseDestination(text: string): Address {
  const address = parseAddress(text)
  if (address.subscription !== undefined) {
    throw new MillraceError('bad_request', `${JSON.stringify(text)} names a subscription; publish to topic:${address.name}`)
  }
  return address
}

/**
 * Takes `queue:NAME`, `topic:NAME` or `topic:NAME/SUBSCRIPTION` apart.
 * @throws MillraceError `bad_request`, `illegal_name`
 */
export function parseAddress(text: string): Address {
  const colon = text.indexOf(':')
  const kind = text.slice(0, colon)
  if (colon < 0 || (kind !== 'queue' && kind !== 'topic')) {
    throw new MillraceError(
      'bad_request',
      `${JSON.stringify(text)} is no address: write queue:NAME, topic:NAME or topic:NAME/SUBSCRIPTION`,
    )
  }
  const path = text.slice(colon + 1)
  const slash = kind === 'topic' ? path.indexOf('/') : -1
  const name = slash < 0 ? path : path.slice(0, slash)
  const subscription = slash < 0 ? undefined : path.slice(slash + 1)
  checkName(name, kind)
  if (subscription !== undefined) checkName(subscription, 'subscription')
  return { kind, name, subscription }
}

/** How a subscription is written: `topic:NAME/SUBSCRIPTION`. */
export function subscriptionAddress(topic: string, name: string): string {
  return `topic:${topic}/${name}`
}
