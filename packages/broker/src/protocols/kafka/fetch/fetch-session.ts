/**
 * What a connection's fetches have told of partitions, so that later ones need to name only what changes. A session ends with its
 * connection: a client that comes back begins a new one, as the protocol has it.
 */
import type { Decoded } from '../codec/notation.ts'
import { errors, KafkaError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { fetch } from '../messages/records.ts'

export type FetchRequest = Decoded<typeof fetch.request>

/** A partition that is asked for. */
export interface WantedPartition {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  readonly fetchOffset: number
  readonly bytesMax: number
  readonly currentLeaderEpoch: number
  /** What was last told, in a session: what is the same and brings no records is left out. */
  readonly told: { highWatermark: number; logStartOffset: number }
}

const FIRST_EPOCH = 0
const NO_SESSION_EPOCH = -1
const EPOCH_MAX = 0x7fffffff

export class FetchSession {
  readonly id: number
  #nextEpoch = 1
  /** In the order in which they are served. */
  readonly #partitions = new Map<string, WantedPartition>()

  constructor(id: number) {
    this.id = id
  }

  /** @throws KafkaError INVALID_FETCH_SESSION_EPOCH */
  checkEpoch(epoch: number): void {
    if (epoch !== this.#nextEpoch) {
      throw new KafkaError(errors.INVALID_FETCH_SESSION_EPOCH, `the next epoch is ${this.#nextEpoch}, not ${epoch}`)
    }
    this.#nextEpoch = this.#nextEpoch === EPOCH_MAX ? 1 : this.#nextEpoch + 1
  }

  /** @throws KafkaError POLICY_VIOLATION */
  update(request: FetchRequest): void {
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      for (const index of partitions) this.#partitions.delete(keyOf(topic, topicId, index))
    }
    for (const partition of named(request)) {
      const key = keyOf(partition.topic, partition.topicId, partition.index)
      const told = this.#partitions.get(key)?.told
      this.#partitions.set(key, told === undefined ? partition : { ...partition, told })
    }
    if (this.#partitions.size > limits.fetchSessionPartitionsMax) {
      throw new KafkaError(errors.POLICY_VIOLATION, `a fetch session has at most ${limits.fetchSessionPartitionsMax} partitions`)
    }
  }

  get partitions(): readonly WantedPartition[] {
    return [...this.#partitions.values()]
  }

  /** Others come first next time. */
  served(partition: WantedPartition): void {
    const key = keyOf(partition.topic, partition.topicId, partition.index)
    if (this.#partitions.get(key) !== partition) return
    this.#partitions.delete(key)
    this.#partitions.set(key, partition)
  }
}

/** A fetch as it is to be done. */
export interface FetchPlan {
  readonly partitions: readonly WantedPartition[]
  /** Undefined for one that stands alone. */
  readonly session: FetchSession | undefined
  /** Whether partitions without news are left out. */
  readonly isIncremental: boolean
}

/**
 * @param current the connection's session
 * @param newId for a session that begins
 * @throws KafkaError FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH
 */
export function planFetch(request: FetchRequest, current: FetchSession | undefined, newId: () => number): FetchPlan {
  const { sessionId, sessionEpoch } = request
  if (sessionEpoch === NO_SESSION_EPOCH) return { partitions: named(request), session: undefined, isIncremental: false }
  if (sessionEpoch === FIRST_EPOCH) {
    const session = new FetchSession(newId())
    session.update(request)
    return { partitions: session.partitions, session, isIncremental: false }
  }
  if (current === undefined || current.id !== sessionId) {
    throw new KafkaError(errors.FETCH_SESSION_ID_NOT_FOUND, `this connection has no fetch session ${sessionId}`)
  }
  current.checkEpoch(sessionEpoch)
  current.update(request)
  return { partitions: current.partitions, session: current, isIncremental: true }
}

function named({ topics }: FetchRequest): WantedPartition[] {
  return topics.flatMap(({ topic, topicId, partitions }) =>
    partitions.map(({ partition, fetchOffset, partitionMaxBytes, currentLeaderEpoch }) => ({
      topic,
      topicId,
      index: partition,
      fetchOffset,
      bytesMax: partitionMaxBytes,
      currentLeaderEpoch,
      told: { highWatermark: -1, logStartOffset: -1 },
    })),
  )
}

function keyOf(topic: string, topicId: string, index: number): string {
  return `${topic}/${topicId}/${index}`
}
