import type { AssignedMember, PartitionCounts } from './assignor.ts'
import { type Place, placeOf } from './place.ts'

/**
 * Each topic in ranges of as equal a size as possible, in order of the members. So members that name the same topics get the same
 * partitions of topics with as many of them, which is what joins need.
 */
export function assignRange(members: readonly AssignedMember[], partitions: PartitionCounts): Map<string, Set<Place>> {
  const ordered = members.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
  const targets = new Map(members.map(({ id }) => [id, new Set<Place>()]))
  for (const [topic, count] of partitions) {
    const readers = ordered.filter(({ topics }) => topics.has(topic))
    let next = 0
    readers.forEach(({ id }, n) => {
      const share = Math.ceil((count - next) / (readers.length - n))
      for (const end = next + share; next < end; next++) targets.get(id)!.add(placeOf(topic, next))
    })
  }
  return targets
}

/** Static members first, by the id that they keep. */
function orderOf({ id, instanceId }: AssignedMember): string {
  return instanceId === undefined ? `1${id}` : `0${instanceId}`
}
