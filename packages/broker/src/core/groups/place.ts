/** A partition of a topic as one number: topics by their entity, so that a topic that is made again has places of its own. */
export type Place = number

/** Above any limit of partitions. */
const PARTITIONS = 2 ** 17

export function placeOf(topic: number, partition: number): Place {
  return topic * PARTITIONS + partition
}

export function topicOf(place: Place): number {
  return Math.floor(place / PARTITIONS)
}

export function partitionOf(place: Place): number {
  return place % PARTITIONS
}
