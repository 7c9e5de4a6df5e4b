import { splitScopedName } from '../../../base/scoped-names.ts'
import type { AmqpAdministration } from '../../../protocols/amqp/administration.ts'
import { declaredOf, type FoundQueue } from '../../../protocols/amqp/definitions/found-queue.ts'
import { effectiveDefinition } from '../../../protocols/amqp/policies/effective-arguments.ts'
import type { PolicyTarget } from '../../../protocols/amqp/policies/policy.ts'
import type { ManagementServices } from '../services.ts'
import type { ConsumerPlace } from './connection-view.ts'
import { countsOf } from './counted.ts'

const IDLE_AFTER_MS = 1000

/** @param consumers its own */
export function queueView(found: FoundQueue, consumers: readonly ConsumerPlace[], services: ManagementServices): object {
  const { administration, node, rates } = services
  const { vhost, name } = splitScopedName(found.info.name)
  const { type, durable, autoDelete, exclusive, arguments: declared = {} } = declaredOf(found)
  const of = `queue ${found.info.name}`
  return {
    arguments: type === 'classic' ? declared : { ...declared, 'x-queue-type': type },
    auto_delete: autoDelete,
    consumers: found.kind === 'queue' ? found.info.consumers : consumers.length,
    durable,
    ...policiesOf(administration, vhost, type, name),
    exclusive,
    exclusive_consumer_tag: consumers.find(({ consumer }) => consumer.isExclusive)?.consumer.tag ?? null,
    single_active_consumer_tag: singleActive(found, consumers),
    message_bytes: bytesOf(found),
    ...idleSince(found, services),
    ...messageStats(found, of, services),
    ...rates.withDetails(of, { ...countsOf(found) }),
    name,
    node,
    state: 'running',
    type,
    vhost,
  }
}

/** Which policies count for it, and what they say. */
export function policiesOf({ policies }: AmqpAdministration, vhost: string, target: PolicyTarget, name: string): object {
  const { policy, operatorPolicy } = policies.current.matching(vhost, target, name)
  return {
    policy: policy?.name ?? null,
    operator_policy: operatorPolicy?.name ?? null,
    effective_policy_definition: effectiveDefinition(policy, operatorPolicy),
  }
}

function singleActive(found: FoundQueue, consumers: readonly ConsumerPlace[]): string | null {
  if (found.kind === 'topic' || found.info.delivery.consumers !== 'single') return null
  return consumers.find(({ consumer }) => consumer.turn === 'single')?.consumer.tag ?? null
}

/** Only of one that is idle, and not of streams: as RabbitMQ, which says it of a queue whose process has gone to sleep. */
function idleSince({ kind, info }: FoundQueue, { session }: ManagementServices): object {
  if (kind === 'topic' || info.idleMs < IDLE_AFTER_MS) return {}
  const since = new Date(session.platform.clock.nowMs() - info.idleMs)
  return { idle_since: since.toISOString().replace('Z', '+00:00') }
}

function bytesOf(found: FoundQueue): number {
  if (found.kind === 'queue') return found.info.bytes
  return found.info.partitionInfo.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Nothing is counted of streams. */
function messageStats({ kind, info }: FoundQueue, of: string, { administration, rates }: ManagementServices): object {
  if (kind === 'topic') return {}
  const { published, delivered, acked, redelivered } = info.counters
  const { got, gotNoAck, gotNothing, deliveredNoAck } = administration.queueCounters.of(info.name)
  const stats = {
    publish: published,
    // What other doors deliver and settle is there too.
    deliver: delivered - got - gotNoAck - deliveredNoAck,
    deliver_no_ack: deliveredNoAck,
    get: got,
    get_no_ack: gotNoAck,
    get_empty: gotNothing,
    deliver_get: delivered,
    ack: Math.max(0, acked - gotNoAck - deliveredNoAck),
    redeliver: redelivered,
  }
  return { message_stats: rates.withDetails(of, stats) }
}
