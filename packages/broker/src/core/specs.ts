/** What topics, queues and subscriptions are told to be. `broker.ts` exports it too. */
import type { Backoff } from '@millrace/wire'
import type { Labels } from './router/router.ts'

export interface TopicSpec {
  readonly name: string
  /** Default 1. */
  readonly partitions?: number
  readonly retention?: Retention
  readonly cleanup?: Cleanup
  /** Largest record batch that it takes, as it is stored, and so the largest message. 0, like the default: that of the broker, which is the most. */
  readonly batchBytesMax?: number
  readonly dedup?: DedupPolicy
  /** What doors keep with it: at most 16 KiB of JSON. Default, and `{}`: none. */
  readonly labels?: Labels
}

/**
 * `delete` (default) drops old records by `retention`; `compact` keeps the last record of every key, and `retention` does not count;
 * `compact,delete` does both.
 */
export type Cleanup = 'delete' | 'compact' | 'compact,delete'

/** What exceeds any of these is dropped, oldest first. Absent means no limit. */
export interface Retention {
  readonly ms?: number
  readonly bytes?: number
  readonly records?: number
}

/** Which messages count as published already. */
export interface DedupPolicy {
  /** A record whose `message-id` header was published within so many milliseconds is not stored again. 0: dedup is off. */
  readonly windowMs: number
  /** Ids that are remembered at most; beyond, the oldest are forgotten early. Default 1,000,000. */
  readonly entriesMax?: number
}

/** How much a queue may hold, about: what is being committed is counted late. */
export interface QueueLimits {
  /** Messages that are not settled. */
  readonly messages?: number
  /** Bytes that the log takes; space comes back by stored batches. */
  readonly bytes?: number
  /**
   * What happens to more: it is refused with `queue_full` (default), or the oldest are dropped, or go to the dead letters. With
   * `reject-dead-letter` it is refused and goes to the dead letters as well.
   */
  readonly overflow?: 'reject' | 'drop-head' | 'dead-letter' | 'reject-dead-letter'
}

export interface QueueSpec {
  readonly name: string
  /**
   * How many levels of priority it has, 1 to 256. With more than one, a message goes to the level that its header `priority` says (0
   * without one, the highest when that is more), and consumers get the highest level first. Can only grow. Default 1: the header does
   * not matter.
   */
  readonly priorities?: number
  readonly delivery?: DeliveryPolicy
  /** Default: none. An update with `{}` takes them away. */
  readonly limits?: QueueLimits
  readonly dedup?: DedupPolicy
  /**
   * The queue is deleted with its messages when nobody has consumed from it or created it again for so long, or up to a quarter longer.
   * A restart counts as use, a publish does not. 0, like the default: never.
   */
  readonly expireMs?: number
  /** false: it is deleted with its messages when the broker opens its data again. Default true. */
  readonly durable?: boolean
  /** It is deleted with its messages when its last consumer leaves; not before it had one, and not by a restart. Default false. */
  readonly autoDelete?: boolean
  /** What doors keep with it: at most 16 KiB of JSON. Default, and `{}`: none. */
  readonly labels?: Labels
}

export interface SubscriptionSpec {
  readonly topic: string
  readonly name: string
  /** Where a new subscription begins. Default `latest`. */
  readonly from?: StartPosition
  readonly delivery?: DeliveryPolicy
}

export type SubscriptionChange = Partial<Omit<SubscriptionSpec, 'topic' | 'name' | 'from'>>

/** How messages are handed out and what happens to those that fail. Shared by queues and subscriptions. */
export interface DeliveryPolicy {
  /** A delivery that is not settled for so long is given to another consumer. Default 60,000. */
  readonly leaseMs?: number
  /** Deliveries before a message is dead-lettered (or dropped where there is no `deadLetter`). Default: no limit. */
  readonly maxAttempts?: number
  /**
   * Destination of dead letters: `queue:NAME`, `topic:NAME`, or `exchange:NAME[/KEY]`, which need not exist. An exchange routes each by KEY, or else by
   * its own key, or else by the name of the queue where it died; what nothing takes there is dropped.
   */
  readonly deadLetter?: string
  /**
   * What a dead letter holds of its message: all of it, or nothing but the headers that tell of the death, since the topic has it still. The latter for
   * subscriptions only. Default `copy`.
   */
  readonly deadLetterContent?: 'copy' | 'headers'
  /** More headers of its dead letters, by name, for readers who look for them. They replace headers of these names. */
  readonly deadLetterHeaders?: Readonly<Record<string, DeathFact>>
  /** How long a message waits that was nacked without a delay, or whose lease ran out. Default: not at all. */
  readonly backoff?: Backoff
  /**
   * `key`: of the messages with one key, one at a time is with a consumer, in their order, also when they come back; other keys
   * go on. `strict`: one consumer at a time, and nothing overtakes a message that waits for its next attempt. Cannot be
   * changed. Default `none`.
   */
  readonly order?: 'none' | 'key' | 'strict'
  /** `single`: one consumer gets everything, the others take over when it leaves. Default `shared`. */
  readonly consumers?: 'shared' | 'single'
  /** Messages per second that are handed out at most, evenly. Default: no limit. */
  readonly ratePerSecond?: number
  /** Nothing is handed out. What consumers hold they may settle. */
  readonly paused?: boolean
  /** Selector (docs/selectors.md): only messages that it matches are delivered, the others are done. For subscriptions. Cannot be changed. */
  readonly filter?: string
  /**
   * A message whose timestamp is so long ago is not delivered any more: it goes to the dead letters with the reason `expired`, or is
   * dropped where there is no `deadLetter`. So does one after the time of its own header `expires-at`, whatever the policy. 0: what no
   * consumer takes as soon as it is committed. Default: no limit.
   */
  readonly ttlMs?: number
}

/**
 * What a header tells of a death, as text: the name of the topic or queue (`origin`) or of the subscription, where the message was, how often it was
 * delivered, or what it died of: what its consumer said, or else the reason.
 */
export type DeathFact = 'origin' | 'subscription' | 'partition' | 'offset' | 'attempts' | 'reason'

export type StartPosition = 'earliest' | 'latest' | { readonly offset: number } | { readonly timestampMs: number }
