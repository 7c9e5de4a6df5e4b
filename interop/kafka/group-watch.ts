import { MessageReader } from '../../packages/broker/src/protocols/kafka/codec/message-reader.ts'
import { consumerGroupHeartbeat, offsetCommit, syncGroup } from '../../packages/broker/src/protocols/kafka/messages/groups.ts'
import type { WireTap } from './wire-tap.ts'

/** What the members of one group that reads one topic are told by the broker, and what it takes from them. */
export class GroupWatch {
  readonly violations: string[] = []
  /** Times at which the partitions were shared out anew. */
  readonly rounds = new Set<string>()
  /** The highest offset that the broker took, by partition. */
  readonly committed = new Map<number, number>()
  /** Whose offsets those are. */
  readonly #committers = new Map<number, string>()
  /** Who has a partition, by generation or epoch. */
  readonly #owners = new Map<string, string>()
  /** What members read, of those to whom the broker assigns. */
  readonly #assigned = new Map<string, readonly number[]>()

  constructor(tap: WireTap) {
    tap.watch(syncGroup, ({ generationId, memberId }) => ({ errorCode, assignment }) => {
      if (errorCode === 0) this.#claim(`generation ${generationId}`, memberId, partitionsOf(assignment))
    })
    tap.watch(consumerGroupHeartbeat, ({ memberId, memberEpoch: sentEpoch }) => {
      if (sentEpoch <= 0) this.#assigned.delete(memberId)
      return ({ errorCode, memberEpoch, assignment }) => {
        if (errorCode !== 0 || sentEpoch < 0) return
        if (assignment !== null) {
          const partitions = assignment.topicPartitions.flatMap((topic) => topic.partitions)
          this.#assigned.set(memberId, partitions)
        }
        this.#claim(`epoch ${memberEpoch}`, memberId, this.#assigned.get(memberId) ?? [])
      }
    })
    tap.watch(offsetCommit, ({ memberId, topics }) => {
      const offsets = topics.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, committedOffset }) => {
          return { partition: partitionIndex, offset: committedOffset, before: this.committed.get(partitionIndex) ?? 0 }
        }),
      )
      return (response) => {
        const codes = response.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
        for (const [n, { partition, offset, before }] of offsets.entries()) {
          if (codes[n] === 0) this.#taken(memberId, partition, offset, before)
        }
      }
    })
  }

  #claim(round: string, memberId: string, partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.rounds.add(round)
      const place = `partition ${partition} in ${round}`
      const owner = this.#owners.get(place) ?? memberId
      this.#owners.set(place, owner)
      if (owner !== memberId) this.violations.push(`${place} belongs to ${owner} and to ${memberId}`)
    }
  }

  /** @param before what the broker had taken when the request was sent */
  #taken(memberId: string, partition: number, offset: number, before: number): void {
    if (offset < before) {
      this.violations.push(
        `partition ${partition} went back from ${before} of ${this.#committers.get(partition)} to ${offset} of ${memberId}`,
      )
    }
    if (offset <= (this.committed.get(partition) ?? 0)) return
    this.committed.set(partition, offset)
    this.#committers.set(partition, memberId)
  }
}

/** Of an assignment as the clients write it for each other. */
function partitionsOf(assignment: Uint8Array): number[] {
  if (assignment.length === 0) return []
  const reader = new MessageReader(assignment)
  reader.int16()
  const partitions: number[] = []
  for (let topics = reader.int32(); topics > 0; topics--) {
    reader.text(reader.length16())
    for (let left = reader.int32(); left > 0; left--) partitions.push(reader.int32())
  }
  return partitions
}
