import type { DedupDefinition } from '../dedup/dedup-settings.ts'
import { isCompacted, type TopicDefinition } from '../definitions.ts'
import type { Topic } from '../entities.ts'
import type { PublishTarget } from '../publish-target.ts'

/** A topic as the state log keeps it. */
export function topicDefinition({ name, tails, retention, cleanup, labels, target }: Topic): TopicDefinition {
  const { batchBytesMax } = target
  return {
    kind: 'topic',
    name,
    logs: tails.map((tail) => tail.id),
    retention,
    cleanup,
    ...(batchBytesMax === undefined ? {} : { batchBytesMax }),
    ...dedupOf(target),
    ...(labels === undefined ? {} : { labels }),
    ...(isCompacted(cleanup) ? { compaction: tails.map((tail) => tail.compaction ?? null) } : {}),
  }
}

export function dedupOf({ ids }: PublishTarget): { dedup?: DedupDefinition } {
  return ids === undefined ? {} : { dedup: ids.definition }
}
