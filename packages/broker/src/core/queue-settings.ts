/** What a queue is told to be: what is allowed, what is the same, and its stored form. */
import { dedupOf } from './topics/topic-definition.ts'
import { checkDedup, type CheckedDedup } from './dedup/dedup-settings.ts'
import { checkExpiry, type QueueDefinition, same } from './definitions.ts'
import { checkDelivery, type CheckedDelivery } from './delivery-policy.ts'
import { type CheckedLimits, checkLimits } from './delivery/queue-limit.ts'
import type { Queue } from './entities.ts'
import { checkLabels } from './labels.ts'
import { checkName } from './names.ts'
import { checkPriorities } from './priorities/queue-levels.ts'
import type { Labels } from './router/router.ts'
import { oneOf } from './settings.ts'
import type { QueueSpec } from './specs.ts'

/** A specification whose defaults are filled in. */
export interface CheckedQueue {
  readonly name: string
  readonly delivery: CheckedDelivery
  readonly priorities: number
  readonly expireMs: number | undefined
  readonly limits: CheckedLimits | undefined
  readonly dedup: CheckedDedup | undefined
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly labels: Labels | undefined
}

/** @throws MillraceError `illegal_name`, `bad_request`, `bad_selector` */
export function checkQueue(spec: QueueSpec): CheckedQueue {
  checkName(spec.name, 'queue')
  return {
    name: spec.name,
    delivery: checkDelivery(spec.delivery, `queue:${spec.name}`),
    priorities: checkPriorities(spec.priorities),
    expireMs: checkExpiry(spec.expireMs),
    limits: checkLimits(spec.limits),
    dedup: checkDedup(spec.dedup),
    durable: checkSwitch('durable', spec.durable ?? true),
    autoDelete: checkSwitch('autoDelete', spec.autoDelete ?? false),
    labels: checkLabels(spec.labels),
  }
}

/** @throws MillraceError `bad_request` */
export function checkSwitch(what: string, value: boolean): boolean {
  return oneOf(what, value, [true, false])
}

/** Whether a queue is what is asked for. */
export function isSameQueue(queue: Queue, asked: CheckedQueue): boolean {
  const { group, target, levels } = queue
  return (
    same(group.policy, asked.delivery) &&
    queue.expireMs === asked.expireMs &&
    levels.count === asked.priorities &&
    target.hasDedup(asked.dedup) &&
    same(target.limit?.settings ?? {}, asked.limits ?? {}) &&
    queue.durable === asked.durable &&
    queue.autoDelete === asked.autoDelete &&
    same(queue.labels ?? {}, asked.labels ?? {})
  )
}

/** A new queue with one level, as the state log keeps it, but for its dedup. */
export function newQueueDefinition(checked: CheckedQueue, log: number): QueueDefinition {
  const { name, delivery, priorities, limits } = checked
  return {
    kind: 'queue',
    name,
    log,
    delivery,
    priorities,
    ...(limits === undefined ? {} : { limits }),
    ...lifeOf(checked),
  }
}

/** A queue as the state log keeps it. */
export function queueDefinition(queue: Queue): QueueDefinition {
  const { name, levels, group, target } = queue
  return {
    kind: 'queue',
    name,
    log: levels.tails[0]!.id,
    delivery: group.policy,
    ...levels.definition,
    ...(target.limit === undefined ? {} : { limits: target.limit.settings }),
    ...lifeOf(queue),
    ...dedupOf(target),
  }
}

type Life = Pick<CheckedQueue, 'expireMs' | 'durable' | 'autoDelete' | 'labels'>

function lifeOf({ expireMs, durable, autoDelete, labels }: Life): Pick<QueueDefinition, keyof Life> {
  return {
    ...(expireMs === undefined ? {} : { expireMs }),
    ...(durable ? {} : { durable }),
    ...(autoDelete ? { autoDelete } : {}),
    ...(labels === undefined ? {} : { labels }),
  }
}
