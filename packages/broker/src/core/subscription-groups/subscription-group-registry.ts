import { topicAddress } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { Ticket } from '../../storage/log-store.ts'
import { KIB } from '../../base/units.ts'
import type { DeliveryPolicy, StartPosition } from '../broker.ts'
import { DefinitionCell } from '../definitions.ts'
import { checkDelivery } from '../delivery-policy.ts'
import { checkLabels, LABELS_BYTES_MAX } from '../labels.ts'
import { checkName } from '../names.ts'
import type { Registry } from '../registry.ts'
import type { Shard } from '../shard.ts'
import type { StateCell } from '../state/state-log.ts'
import type {
  PartitionProgress,
  SubscriptionGroupDefinition,
  SubscriptionGroups,
  SubscriptionGroupSettings,
} from './subscription-groups.ts'

interface Group {
  readonly cell: DefinitionCell
  settings: SubscriptionGroupSettings
}

export class SubscriptionGroupRegistry implements SubscriptionGroups {
  /** Those with settings. */
  readonly #groups = new Map<string, Group>()
  readonly #shard: Shard
  readonly #registry: Registry
  readonly #mayCreate: boolean

  /** @param mayCreate whether subscriptions are created for those who come to consume */
  constructor(shard: Shard, registry: Registry, mayCreate: boolean) {
    this.#shard = shard
    this.#registry = registry
    this.#mayCreate = mayCreate
  }

  restore(entity: number, { name, from, delivery, labels }: SubscriptionGroupDefinition): StateCell {
    const settings = {
      ...(from === undefined ? {} : { from }),
      ...(delivery === undefined ? {} : { delivery }),
      ...(labels === undefined ? {} : { labels }),
    }
    return this.#make(entity, name, settings).cell
  }

  settings(name: string): SubscriptionGroupSettings | undefined {
    return this.#groups.get(name)?.settings
  }

  names(): readonly string[] {
    const names = new Set<string>()
    for (const topic of this.#registry.topics.values()) for (const name of topic.subscriptions.keys()) names.add(name)
    return [...names]
  }

  configured(): readonly string[] {
    return [...this.#groups.keys()]
  }

  topics(name: string): readonly string[] {
    return [...this.#registry.topics.values()].filter((topic) => topic.subscriptions.has(name)).map((topic) => topic.name)
  }

  isIdle(name: string): boolean {
    return this.topics(name).every((topic) => this.#registry.subscription(topic, name).group.members === 0)
  }

  configure(name: string, settings: SubscriptionGroupSettings | undefined): Ticket {
    checkName(name, 'subscription')
    this.#checkOpen()
    const before = this.#groups.get(name)
    const policies = this.topics(name).map((topic) => {
      const { policy } = this.#registry.subscription(topic, name).group
      const delivery = { ...without(policy, before?.settings.delivery), ...settings?.delivery }
      return { topic, delivery: checkDelivery(delivery, topicAddress(topic, name)) }
    })
    if (settings !== undefined) this.#check(settings, before === undefined)
    this.#shard.store.reserve(KIB + LABELS_BYTES_MAX)
    for (const { topic, delivery } of policies) this.#registry.updateSubscription(topic, name, { delivery })
    if (settings === undefined) this.#remove(name)
    else {
      const group = before ?? this.#make(this.#registry.newId(), name, settings)
      group.settings = settings
      this.#shard.stateLog.snapshot(group.cell)
    }
    this.#shard.store.touch()
    return this.#shard.store.ticket()
  }

  subscribe(topic: string, name: string, fallback: DeliveryPolicy): boolean {
    if (this.#registry.topic(topic).subscriptions.has(name)) return false
    if (!this.#mayCreate) throw new MillraceError('not_found', `topic:${topic} has no subscription ${name}: create it first`)
    const { from, delivery } = this.#groups.get(name)?.settings ?? {}
    this.#checkOpen()
    this.#registry.createSubscription({ topic, name, from: this.#place(from), delivery: delivery ?? fallback })
    this.#shard.store.touch()
    return true
  }

  progress(topic: string, name: string): readonly PartitionProgress[] {
    return this.#registry.subscription(topic, name).group.cursors.map((cursor) => {
      const { end } = this.#shard.store.bounds(cursor.log.id)
      return { floor: cursor.floor(), unsettled: cursor.ready(end) + cursor.held.offsets }
    })
  }

  seek(topic: string, name: string, partition: number, offset: number): Ticket {
    this.#checkOpen()
    const { group } = this.#registry.subscription(topic, name)
    const cursor = group.cursor(partition)
    if (cursor === undefined) throw new MillraceError('not_found', `topic:${topic} has no partition ${partition}`)
    if (group.members > 0) {
      throw new MillraceError('in_use', `${group.address} has ${group.members} consumers: it is moved when they are gone`)
    }
    cursor.seek(offset)
    return this.#shard.store.ticket()
  }

  #make(entity: number, name: string, settings: SubscriptionGroupSettings): Group {
    const cell = new DefinitionCell(entity, () => ({ kind: 'subscription-group', name, ...group.settings }))
    const group: Group = { cell, settings }
    this.#groups.set(name, group)
    return group
  }

  #remove(name: string): void {
    const group = this.#groups.get(name)
    if (group === undefined) return
    this.#groups.delete(name)
    this.#shard.stateLog.remove(group.cell.entity, [group.cell])
  }

  #check({ delivery, labels }: SubscriptionGroupSettings, isNew: boolean): void {
    const checked = checkDelivery(delivery, 'topic:')
    if (checked.deadLetter !== undefined) this.#registry.checkDeadLetter(checked)
    checkLabels(labels)
    if (!isNew || this.#groups.size < this.#shard.limits.queuesMax) return
    throw new MillraceError('limit_reached', `${this.#groups.size} groups of subscriptions have settings: delete some`)
  }

  #place(from: SubscriptionGroupSettings['from']): StartPosition {
    if (typeof from !== 'object') return from ?? 'latest'
    return { timestampMs: Math.max(0, this.#shard.platform.clock.nowMs() - from.ageMs) }
  }

  #checkOpen(): void {
    if (this.#shard.refusal !== undefined) throw this.#shard.refusal
  }
}

/** A policy without the settings that are named. */
function without(policy: DeliveryPolicy, named: DeliveryPolicy | undefined): DeliveryPolicy {
  return Object.fromEntries(Object.entries(policy).filter(([key]) => named === undefined || !(key in named)))
}
