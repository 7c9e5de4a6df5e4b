import type { Decoded } from '../codec/notation.ts'
import { errors, failure, KafkaError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { shareAcknowledge, shareFetch } from '../messages/shares.ts'
import type { Attached, Client } from '../served-api.ts'
import { Acquisition, type Acquired, type AcquisitionTerms } from './acquisition.ts'
import { runsOf } from './acknowledged-runs.ts'
import { SharedTopic } from './shared-topic.ts'

export type ShareFetchRequest = Decoded<typeof shareFetch.request>
export type ShareAcknowledgeRequest = Decoded<typeof shareAcknowledge.request>

/** What became of a partition in a request. */
export interface PartitionFailure {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

const EPOCH_MAX = 0x7fffffff

/**
 * What a member of a share group reads, and what of it it has acquired. It ends with the connection on which it began: what is not
 * acknowledged by then goes back, as in Kafka.
 */
export class ShareSession implements Attached {
  readonly group: string
  readonly memberId: string
  /** The commit of what was last changed. */
  ticket = 0
  readonly #client: Client
  readonly #ended: () => void
  #nextEpoch = 1
  readonly #topics = new Map<string, SharedTopic>()
  #acquisition: Acquisition | undefined
  #told = ''

  constructor(client: Client, group: string, memberId: string, ended: () => void) {
    this.#client = client
    this.group = group
    this.memberId = memberId
    this.#ended = ended
    client.attached.add(this)
  }

  /** @throws KafkaError INVALID_SHARE_SESSION_EPOCH */
  checkEpoch(epoch: number): void {
    if (epoch !== this.#nextEpoch) {
      throw new KafkaError(errors.INVALID_SHARE_SESSION_EPOCH, `the next epoch is ${this.#nextEpoch}, not ${epoch}`)
    }
    this.#nextEpoch = this.#nextEpoch === EPOCH_MAX ? 1 : this.#nextEpoch + 1
  }

  /** @throws KafkaError INVALID_REQUEST */
  update({ topics, forgottenTopicsData }: ShareFetchRequest): void {
    for (const { topicId, partitions } of forgottenTopicsData) {
      const topic = this.#topics.get(topicId)
      for (const index of partitions) topic?.partitions.delete(index)
    }
    for (const { topicId, partitions } of topics) {
      let topic = this.#topics.get(topicId)
      if (topic === undefined) this.#topics.set(topicId, (topic = new SharedTopic(this.#client, this.group, topicId)))
      for (const { partitionIndex } of partitions) topic.partitions.add(partitionIndex)
    }
    let count = 0
    for (const { partitions } of this.#topics.values()) count += partitions.size + 1
    if (count <= limits.shareSessionPartitionsMax) return
    this.close()
    throw new KafkaError(errors.INVALID_REQUEST, `a share session has at most ${limits.shareSessionPartitionsMax} partitions`)
  }

  /** Joins what is not joined. @returns the partitions that cannot be read, and why; and whether they are others than the last time */
  join(): { readonly failures: readonly PartitionFailure[]; readonly isNews: boolean } {
    const failures: PartitionFailure[] = []
    for (const topic of this.#topics.values()) {
      if (topic.partitions.size === 0) continue
      const refusal = refusalOf(() => topic.join())
      for (const partition of topic.partitions) {
        const problem = refusal ?? (topic.has(partition) ? undefined : UNKNOWN_PARTITION)
        if (problem !== undefined) failures.push({ topicId: topic.id, partition, ...problem })
      }
    }
    const told = failures.map(({ topicId, partition, errorCode }) => `${topicId}/${partition}/${errorCode}`).join()
    const isNews = failures.length > 0 && told !== this.#told
    this.#told = told
    return { failures, isNews }
  }

  /** Each partition's acknowledgements have an effect as a whole or not at all. @returns one for each that has some, with NONE where it worked */
  acknowledge({ topics, isRenewAck }: Pick<ShareAcknowledgeRequest, 'topics' | 'isRenewAck'>): readonly PartitionFailure[] {
    const results: PartitionFailure[] = []
    for (const { topicId, partitions } of topics) {
      for (const { partitionIndex: partition, acknowledgementBatches } of partitions) {
        if (acknowledgementBatches.length === 0) continue
        try {
          const topic = this.#topics.get(topicId)
          if (topic === undefined) throw new KafkaError(errors.INVALID_RECORD_STATE, 'nothing of this topic is acquired')
          const isChanged = topic.acknowledge(partition, runsOf(acknowledgementBatches, isRenewAck))
          if (isChanged) this.ticket = this.#client.broker.ticket()
          results.push({ topicId, partition, errorCode: errors.NONE, errorMessage: null })
        } catch (error) {
          results.push({ topicId, partition, ...failure(error) })
        }
      }
    }
    return results
  }

  /** Acquires records. A fetch that still waits is answered first. */
  acquire(terms: AcquisitionTerms): Promise<Acquired> {
    this.endWait()
    return new Promise((resolve) => {
      this.#acquisition = new Acquisition(this.#client, [...this.#topics.values()], terms, resolve)
      this.#acquisition.start()
    })
  }

  /** The fetch that waits is answered with what there is. */
  endWait(): void {
    this.#acquisition?.end()
    this.#acquisition = undefined
  }

  /** The shortest time for which records of its topics are acquired. */
  get leaseMs(): number | undefined {
    let least: number | undefined
    for (const { leaseMs } of this.#topics.values()) if (leaseMs !== undefined && !(least! <= leaseMs)) least = leaseMs
    return least
  }

  close(): void {
    this.endWait()
    this.#client.attached.delete(this)
    for (const topic of this.#topics.values()) if (topic.close()) this.ticket = this.#client.broker.ticket()
    this.#topics.clear()
    this.#ended()
  }
}

const UNKNOWN_PARTITION = { errorCode: errors.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: 'there is no such partition' }

/** Why something did not work, if it did not. */
function refusalOf(action: () => void): ReturnType<typeof failure> | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    return failure(error)
  }
}
