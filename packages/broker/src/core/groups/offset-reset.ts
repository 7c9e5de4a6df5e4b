import { MillraceError } from '../../base/errors.ts'
import type { LogStore } from '../../storage/log-store.ts'
import type { Topic } from '../entities.ts'
import { checkStartPosition, offsetAtTimestamp } from '../start-position.ts'
import type { OffsetCommit, OffsetReset } from './consumer-groups.ts'

/** Where a group would be. @throws MillraceError `bad_request` */
export function offsetsToReset(store: LogStore, topic: Topic, { partitions, to }: OffsetReset): Promise<OffsetCommit[]> {
  checkStartPosition(to)
  const wanted = partitions ?? topic.tails.map((_, partition) => partition)
  return Promise.all(
    wanted.map(async (partition) => {
      const tail = topic.tails[partition]
      if (tail === undefined) {
        throw new MillraceError(
          'bad_request',
          `topic:${topic.name} has the partitions 0..${topic.tails.length - 1}, not ${partition}`,
        )
      }
      return { topic: topic.name, partition, offset: await offsetAt(store, tail.id, to) }
    }),
  )
}

async function offsetAt(store: LogStore, log: number, to: OffsetReset['to']): Promise<number> {
  if (typeof to === 'object' && 'timestampMs' in to) return offsetAtTimestamp(store, log, to.timestampMs)
  const { start, end } = store.bounds(log)
  if (to === 'earliest') return start
  return to === 'latest' ? end : Math.min(Math.max(to.offset, start), end)
}
