import type { Ticket } from '../../storage/log-store.ts'
import type { DeliveryPolicy } from '../specs.ts'

/** All subscriptions of one name form a group: it reads several topics, and has settings of its own. */
export interface SubscriptionGroups {
  /** Undefined when nothing was set. */
  settings(name: string): SubscriptionGroupSettings | undefined
  /** Of groups that have subscriptions. */
  names(): readonly string[]
  /** Of groups that have settings. */
  configured(): readonly string[]
  /** Topics that have a subscription of that name. */
  topics(name: string): readonly string[]
  /** Nobody consumes any of its subscriptions. */
  isIdle(name: string): boolean
  /**
   * Sets all settings, or takes them away. Policies of its subscriptions get what `delivery` says, and lose what it said before.
   * @throws MillraceError `illegal_name`, `bad_request`, `limit_reached`
   */
  configure(name: string, settings: SubscriptionGroupSettings | undefined): Ticket
  /**
   * Creates the subscription of a topic unless it is there, by the settings of its group, if subscriptions are created for those who come to consume.
   * @param fallback its policy where there are no settings
   * @returns whether it was created
   * @throws MillraceError `not_found`, `illegal_name`, `bad_request`, `limit_reached`
   */
  subscribe(topic: string, name: string, fallback: DeliveryPolicy): boolean
  /** How far a subscription is, by partition. @throws MillraceError `not_found` */
  progress(topic: string, name: string): readonly PartitionProgress[]
  /**
   * A partition of a subscription goes on from `offset`: what is below is done, what is above is delivered, also what was settled.
   * @throws MillraceError `not_found`, `in_use` while somebody consumes it
   */
  seek(topic: string, name: string, partition: number, offset: number): Ticket
}

export interface PartitionProgress {
  /** The first message that is not settled. */
  readonly floor: number
  /** Messages that are not settled. */
  readonly unsettled: number
}

export interface SubscriptionGroupSettings {
  /** Where its subscriptions begin: `{ ageMs }` with the records of so many milliseconds before. Default `latest`. */
  readonly from?: 'earliest' | 'latest' | { readonly ageMs: number }
  readonly delivery?: DeliveryPolicy
  /** What doors keep with it. */
  readonly labels?: Readonly<Record<string, string>>
}

/** In the state log. */
export interface SubscriptionGroupDefinition extends SubscriptionGroupSettings {
  readonly kind: 'subscription-group'
  readonly name: string
}
