import type { BrokerLimits, Cleanup, Retention } from '../broker.ts'
import { checkDedup, type CheckedDedup } from '../dedup/dedup-settings.ts'
import { checkBatchBytes, checkCleanup, checkPartitions, checkRetention, same } from '../definitions.ts'
import type { Topic } from '../entities.ts'
import { checkLabels } from '../labels.ts'
import { checkName } from '../names.ts'
import type { Labels } from '../router/router.ts'
import type { TopicSpec } from '../specs.ts'

/** A specification whose defaults are filled in. */
interface CheckedTopic {
  readonly name: string
  readonly partitions: number
  readonly retention: Retention
  readonly cleanup: Cleanup
  readonly batchBytesMax: number | undefined
  readonly dedup: CheckedDedup | undefined
  readonly labels: Labels | undefined
}

/** @throws MillraceError `illegal_name`, `bad_request`, `limit_reached` */
export function checkTopic(spec: TopicSpec, limits: BrokerLimits): CheckedTopic {
  checkName(spec.name, 'topic')
  return {
    name: spec.name,
    partitions: checkPartitions(spec.partitions ?? 1, limits),
    retention: checkRetention(spec.retention),
    cleanup: checkCleanup(spec.cleanup),
    batchBytesMax: checkBatchBytes(spec.batchBytesMax, limits),
    dedup: checkDedup(spec.dedup),
    labels: checkLabels(spec.labels),
  }
}

/** Whether a topic is what is asked for. */
export function isSameTopic(topic: Topic, asked: CheckedTopic): boolean {
  return (
    topic.tails.length === asked.partitions &&
    topic.cleanup === asked.cleanup &&
    topic.target.hasDedup(asked.dedup) &&
    same(topic.retention, asked.retention) &&
    topic.target.batchBytesMax === asked.batchBytesMax &&
    same(topic.labels ?? {}, asked.labels ?? {})
  )
}
