/** A member that the broker assigns to, as a client library plays it, for tests. */
import type { Broker } from '../../src/core/broker.ts'
import type { ConsumerHeartbeat, ConsumerHeartbeatResult, TopicPartitions } from '../../src/core/groups/consumer-groups.ts'

export class ConsumerClient {
  readonly #test: { readonly broker: Broker }
  readonly memberId: string
  readonly instanceId: string | undefined
  topics: readonly string[]
  assignor: string | undefined
  rebalanceTimeoutMs = 20_000
  epoch = 0
  /** What it reads: `topic-partition`. */
  owned = new Set<string>()
  /** What it was told to read. */
  target = new Set<string>()
  last: ConsumerHeartbeatResult | undefined
  #isReported = true

  constructor(test: { readonly broker: Broker }, memberId: string, topics: readonly string[], instanceId?: string) {
    this.#test = test
    this.memberId = memberId
    this.topics = topics
    this.instanceId = instanceId
  }

  /** Sends what has changed. @returns the problem or the epoch */
  beat(change: Partial<ConsumerHeartbeat> = {}): string | number {
    this.receive(this.send(change))
    return this.last?.problem ?? this.epoch
  }

  /** What the broker answers; the client has not heard of it yet. */
  send(change: Partial<ConsumerHeartbeat> = {}): ConsumerHeartbeatResult {
    const isJoin = this.epoch === 0
    return this.#test.broker.groups.consumerHeartbeat({
      group: 'g',
      memberId: this.memberId,
      epoch: this.epoch,
      clientId: 'client',
      clientHost: '/10.0.0.1',
      ...(this.instanceId === undefined ? {} : { instanceId: this.instanceId }),
      ...(isJoin || !this.#isReported ? { owned: this.reported() } : {}),
      ...(isJoin ? { topics: this.topics, rebalanceTimeoutMs: this.rebalanceTimeoutMs } : {}),
      ...(isJoin && this.assignor !== undefined ? { assignor: this.assignor } : {}),
      ...change,
    })
  }

  /** Everything, as after an answer that was lost. */
  sendAll(): ConsumerHeartbeatResult {
    return this.send({ topics: this.topics, rebalanceTimeoutMs: this.rebalanceTimeoutMs, owned: this.reported() })
  }

  receive(result: ConsumerHeartbeatResult): void {
    this.last = result
    if (result.problem !== undefined) {
      // It stops reading and joins again.
      this.epoch = 0
      this.owned.clear()
      this.target.clear()
      return
    }
    this.epoch = result.epoch
    this.#isReported = true
    if (result.assignment !== undefined) this.target = new Set(flat(result.assignment))
  }

  /** Stops reading what it shall not read, and reads the rest. */
  follow(): this {
    const before = [...this.owned].toSorted().join(',')
    this.owned = new Set(this.target)
    if ([...this.owned].toSorted().join(',') !== before) this.#isReported = false
    return this
  }

  reported(): TopicPartitions[] {
    return [...this.owned].map((place) => {
      const [topic, partition] = place.split('-') as [string, string]
      return { topic, partitions: [Number(partition)] }
    })
  }

  /** What it reads, for comparing. */
  get reads(): string {
    return [...this.owned].toSorted().join(' ')
  }
}

export function flat(assignment: readonly TopicPartitions[]): string[] {
  return assignment.flatMap(({ topic, partitions }) => partitions.map((partition) => `${topic}-${partition}`))
}
