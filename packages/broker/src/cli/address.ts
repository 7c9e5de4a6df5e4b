import { parseExchangeAddress, parseTopicAddress } from '@millrace/wire'
import { usageError } from './failure.ts'

/** What `pub`, `sub` and `peek` are told to work on. */
export type Address =
  | { readonly kind: 'queue'; readonly name: string }
  | { readonly kind: 'topic'; readonly name: string }
  | { readonly kind: 'subscription'; readonly topic: string; readonly name: string }

/** @throws CommandError unless `text` is `queue:NAME`, `topic:NAME` or `topic:NAME/SUBSCRIPTION` */
export function parseAddress(text: string): Address {
  const colon = text.indexOf(':')
  const kind = text.slice(0, Math.max(colon, 0))
  const name = text.slice(colon + 1)
  if ((kind !== 'queue' && kind !== 'topic') || name === '') {
    const bare = name === '' ? 'NAME' : name
    throw usageError(`'${text}' is not an address. Write queue:${bare} or topic:${bare}.`)
  }
  if (kind === 'queue') return { kind, name }
  const topic = parseTopicAddress(text)!
  if (topic.subscription === undefined) return { kind, name: topic.name }
  return subscriptionAddress(topic.name, topic.subscription, text)
}

/** Where messages can be published: a queue or a topic. @throws CommandError */
export function parseDestination(text: string): Exclude<Address, { kind: 'subscription' }> {
  const address = parseAddress(text)
  if (address.kind !== 'subscription') return address
  throw usageError(`'${text}' is a subscription. Publish to its topic: topic:${address.topic}.`)
}

/** Where `pub` publishes: also an exchange, and with which key. @throws CommandError */
export function parsePublishTarget(
  text: string,
): ReturnType<typeof parseDestination> | { readonly kind: 'exchange'; readonly name: string; readonly key: string | undefined } {
  const exchange = parseExchangeAddress(text)
  if (exchange === undefined) return parseDestination(text)
  if (exchange.name === '' && exchange.key === undefined) throw usageError(`'${text}' names no exchange. Write exchange:NAME.`)
  return { kind: 'exchange', ...exchange }
}

/** `TOPIC/NAME`, or the same as an address. @throws CommandError */
export function parseSubscription(text: string): Extract<Address, { kind: 'subscription' }> {
  const { name, subscription } = parseTopicAddress(text.startsWith('topic:') ? text : `topic:${text}`)!
  if (subscription === undefined) return subscriptionAddress('', name, text)
  return subscriptionAddress(name, subscription, text)
}

/** The name of a queue or topic, which may also be given as an address. @throws CommandError */
export function parseName(kind: 'queue' | 'topic', text: string): string {
  const prefix = `${kind}:`
  const bare = text.startsWith(prefix) ? text.slice(prefix.length) : text
  const name = kind === 'topic' ? (parseTopicAddress(text)?.name ?? bare) : bare
  if (name === '') throw usageError(`The name of the ${kind} is missing.`)
  return name
}

function subscriptionAddress(topic: string, name: string, text: string): Extract<Address, { kind: 'subscription' }> {
  if (topic === '' || name === '') throw usageError(`'${text}' is not a subscription. Write TOPIC/NAME.`)
  return { kind: 'subscription', topic, name }
}
