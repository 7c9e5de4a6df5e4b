/**
 * What a message says of itself beside key, value and timestamp: record headers of these names, the same through every door
 * (docs/mapping.md). Values are text unless it is said otherwise.
 */
export const messageProperties = {
  /** Name of the exchange that it was published to; absent for the default exchange, and for what was published to a queue or topic itself. */
  exchange: 'exchange',
  contentType: 'content-type',
  contentEncoding: 'content-encoding',
  correlationId: 'correlation-id',
  replyTo: 'reply-to',
  messageId: 'message-id',
  type: 'type',
  userId: 'user-id',
  appId: 'app-id',
  clusterId: 'cluster-id',
  /** 0 to 255. */
  priority: 'priority',
  /** Milliseconds since 1970. */
  expiresAt: 'expires-at',
  /** What the publisher says when the message was made: milliseconds since 1970. The record's own timestamp is the broker's. */
  timestamp: 'timestamp',
  /** Absent for 2, persistent; empty when the publisher did not say. */
  deliveryMode: 'delivery-mode',
  /** Bytes: all headers of a message from AMQP, when record headers cannot tell their types. */
  amqpHeaders: 'amqp-headers',
} as const

/** Headers whose names begin with it are the broker's. */
export const BROKER_HEADER_PREFIX = 'millrace-'
/** Of a dead letter: where it died, newest first. JSON, an array of `DeathEntry`. */
export const DEAD_HISTORY_HEADER = 'millrace-dead-history'

/**
 * How often and after which waits it is delivered again, where that is not for its queue to say: JSON, a `RetryPolicy`. Batches with such
 * messages announce it by BATCH_HAS_RETRY.
 */
export const RETRY_HEADER = 'millrace-retry'

/** Keys by which it was routed beside its own. JSON, an array of texts. */
export const MORE_KEYS_HEADER = 'millrace-more-keys'

/**
 * How many milliseconds a message waits in the first delayed exchange that it comes to, in decimal. It is below zero once it has waited there, so that
 * no other exchange keeps it again.
 */
export const DELAY_HEADER = 'x-delay'

const names: ReadonlySet<string> = new Set(Object.values(messageProperties))

/** Whether a header of this name is a property, or the broker's: not one that an application may use for something else. */
export function isMessageProperty(name: string): boolean {
  return names.has(name) || name.startsWith(BROKER_HEADER_PREFIX)
}
