import type { QueueInfo } from './broker.ts'
import type { Queue } from './entities.ts'
import type { OldestTimestamps } from './oldest-timestamp.ts'
import type { Shard } from './shard.ts'

/** How a queue is set and how it is doing. */
export function queueInfo({ schedule, platform }: Shard, oldest: OldestTimestamps, queue: Queue): QueueInfo {
  const { name, expireMs, durable, autoDelete, labels, target, levels, group } = queue
  const limits = target.limit?.settings
  const dedup = target.ids?.settings
  return {
    name,
    durable,
    autoDelete,
    ...(labels === undefined ? {} : { labels }),
    ...(expireMs === undefined ? {} : { expireMs }),
    ...(limits === undefined ? {} : { limits }),
    ...(dedup === undefined ? {} : { dedup }),
    ...(levels.count === 1 ? {} : { priorities: levels.count, levels: group.levels() }),
    ...group.info(),
    scheduled: schedule.pending(target),
    idleMs: Math.max(0, Math.floor(platform.clock.monotonicMs() - group.lastActiveMs)),
    oldestTimestampMs: oldest.of(group),
  }
}
