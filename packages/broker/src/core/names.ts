import { parseTopicAddress, topicAddress } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import { DEFAULT_VHOST, isVhostName, splitScopedName } from '../base/scoped-names.ts'
import { NAME_BYTES_MAX, TEXT_NAME_BYTES_MAX } from './limits.ts'

const NAME = /^[A-Za-z0-9._-]+$/
/** No control characters, and no halves of characters, which have no bytes of their own. */
const TEXT_NAME = /^[ -~\u0080-\ud7ff\ue000-\u{10ffff}]+$/u

const encoder = new TextEncoder()

export interface Address {
  readonly kind: 'queue' | 'topic'
  readonly name: string
  readonly subscription: string | undefined
}

/**
 * Queues may have any text as their name, subscriptions what is a name everywhere, topics too, behind the name of their virtual host.
 * @throws MillraceError `illegal_name`
 */
export function checkName(name: string, what: 'queue' | 'topic' | 'subscription'): void {
  if (what === 'queue') checkText(name, 'a queue')
  else if (what === 'topic') checkTopicName(name)
  else checkBareName(name, what)
}

/** @throws MillraceError `illegal_name` */
export function checkExchangeName(name: string): void {
  checkText(name, 'an exchange')
}

function checkText(name: string, what: string): void {
  const isShort = typeof name === 'string' && name.length <= TEXT_NAME_BYTES_MAX
  if (isShort && TEXT_NAME.test(name) && name !== '.' && name !== '..' && encoder.encode(name).length <= TEXT_NAME_BYTES_MAX)
    return
  throw new MillraceError(
    'illegal_name',
    `${JSON.stringify(name)} cannot be the name of ${what}: use a text of 1 to ${TEXT_NAME_BYTES_MAX} bytes without control characters (and not "." or "..")`,
  )
}

function checkTopicName(name: string): void {
  const scoped = typeof name === 'string' ? splitScopedName(name) : undefined
  if (scoped === undefined || scoped.vhost === DEFAULT_VHOST || !isVhostName(scoped.vhost)) return checkBareName(name, 'topic')
  checkBareName(scoped.name, 'topic')
  checkText(name, 'a topic')
}

/** A name as Kafka's clients know it, without a virtual host. @throws MillraceError `illegal_name` */
export function checkBareName(name: string, what: 'topic' | 'subscription'): void {
  if (typeof name === 'string' && name.length <= NAME_BYTES_MAX && NAME.test(name) && name !== '.' && name !== '..') return
  throw new MillraceError(
    'illegal_name',
    `${JSON.stringify(name)} cannot be the name of a ${what}: use 1 to ${NAME_BYTES_MAX} of the characters A-Z a-z 0-9 . _ - (and not "." or "..")`,
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
 * Takes `queue:NAME`, `topic:NAME` or `topic:NAME/SUBSCRIPTION` apart. There is one way to write an address, so that it names what access is asked for.
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
  const topic = parseTopicAddress(text)
  if (topic === undefined) {
    const name = text.slice(colon + 1)
    checkName(name, 'queue')
    return { kind: 'queue', name, subscription: undefined }
  }
  const { name, subscription } = topic
  checkName(name, 'topic')
  if (subscription !== undefined) checkName(subscription, 'subscription')
  const written = topicAddress(name, subscription)
  if (written !== text) throw new MillraceError('bad_request', `${JSON.stringify(text)} is no address: write ${written}`)
  return { kind: 'topic', name, subscription }
}
