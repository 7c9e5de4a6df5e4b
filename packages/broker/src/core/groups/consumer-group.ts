/**
 * A group whose members the broker assigns to. Whenever its members or their topics change, its epoch rises, and what each shall read
 * is computed anew; each member then goes there at its own pace, by its heartbeats (`ConsumerMember.reconcile`).
 */
import { type AssignedMember, assignors, DEFAULT_ASSIGNOR } from './assignor.ts'
import type { GroupHost } from './classic-group.ts'
import type {
  ConsumerHeartbeat,
  ConsumerHeartbeatResult,
  GroupDescription,
  GroupProblem,
  GroupState,
  GroupSummary,
  LeavingMember,
  OffsetCommitter,
  TopicPartitions,
  TopicPattern,
} from './consumer-groups.ts'
import { AWAY_EPOCH, ConsumerMember, type Owners } from './consumer-member.ts'
import type { Topic } from '../entities.ts'
import { PatternTopics } from './pattern-topics.ts'
import { partitionOf, type Place, placeOf, topicOf } from './place.ts'

/** The topics that there are. */
export interface GroupTopics {
  readonly topics: ReadonlyMap<string, Topic>
  topicById(id: number): Topic | undefined
}

const LEAVE_EPOCH = -1
const PROTOCOL_TYPE = 'consumer'

export class ConsumerGroup {
  readonly name: string
  readonly #host: GroupHost
  readonly #registry: GroupTopics
  #epoch = 0
  /** Of the targets of all members. */
  #assignmentEpoch = 0
  readonly #members = new Map<string, ConsumerMember>()
  /** Static members by instance id. */
  readonly #instances = new Map<string, ConsumerMember>()
  readonly #owners: Owners = new Map()
  /** All that members name. */
  #named = new Set<string>()
  /** By source: their members' patterns. */
  #patterns = new Map<string, PatternTopics>()
  /** Partitions of those that exist, by entity. */
  #partitions = new Map<number, number>()

  constructor(name: string, host: GroupHost, registry: GroupTopics) {
    this.name = name
    this.#host = host
    this.#registry = registry
  }

  get isUnused(): boolean {
    return this.#members.size === 0
  }

  get hasMembers(): boolean {
    return this.#members.size > 0
  }

  // ---- heartbeats -----------------------------------------------------------------------------------------------------

  heartbeat(heartbeat: ConsumerHeartbeat): ConsumerHeartbeatResult {
    const { epoch, owned } = heartbeat
    if (epoch < 0) return this.#leaveBy(heartbeat)
    const places = owned === undefined ? undefined : this.#placesOf(owned)
    const member = epoch === 0 ? this.#join(heartbeat) : this.#known(heartbeat, places)
    if (typeof member === 'string') return { problem: member }
    if (member.update(heartbeat)) this.#changed()
    this.#followTopics()
    if (this.#assignmentEpoch < this.#epoch) this.#assign()
    const wasRevoking = member.isRevoking
    const isNew = member.reconcile(this.#assignmentEpoch, places, this.#owners)
    if (member.isRevoking && !wasRevoking) member.revocation.set(this.#host.monotonicMs() + member.rebalanceTimeoutMs)
    this.#touch(member)
    const isAsked = isNew || epoch !== member.epoch || (owned !== undefined && heartbeat.topics !== undefined)
    return {
      memberId: member.id,
      epoch: member.epoch,
      heartbeatIntervalMs: this.#host.settings.consumerHeartbeatIntervalMs,
      ...(isAsked ? { assignment: this.#byTopic(member.assigned) } : {}),
    }
  }

  #join(heartbeat: ConsumerHeartbeat): ConsumerMember | GroupProblem {
    const { instanceId, clientId } = heartbeat
    const id = heartbeat.memberId === '' ? this.#host.newMemberId(clientId) : heartbeat.memberId
    const known = this.#members.get(id)
    const replaced = instanceId === undefined ? undefined : this.#instances.get(instanceId)
    if (replaced !== undefined && replaced !== known && replaced.epoch !== AWAY_EPOCH) return 'unreleased-instance'
    if (known !== undefined) {
      if (known.instanceId !== instanceId) return 'bad-request'
      // It begins again, and reads nothing.
      known.release(this.#owners)
      known.epoch = 0
      return known
    }
    if (this.#members.size >= this.#host.settings.membersMax && replaced === undefined) return 'group-full'
    const member = new ConsumerMember(id, instanceId, this.#host.timers, (lost) => this.#lose(lost))
    if (replaced === undefined) this.#changed()
    else {
      member.takeOver(replaced, this.#owners)
      this.#members.delete(replaced.id)
      replaced.session.clear()
      replaced.revocation.clear()
    }
    if (this.#members.size === 0) this.#host.occupancyChanged(this.name, true)
    this.#members.set(id, member)
    if (instanceId !== undefined) this.#instances.set(instanceId, member)
    return member
  }

  #known(heartbeat: ConsumerHeartbeat, owned: ReadonlySet<Place> | undefined): ConsumerMember | GroupProblem {
    const { memberId, instanceId, epoch } = heartbeat
    const problem = this.#problemOf(memberId, instanceId)
    if (problem !== undefined) return problem
    const member = this.#members.get(memberId)!
    return member.isAt(epoch, owned) ? member : 'fenced-epoch'
  }

  #leaveBy({ memberId, instanceId, epoch }: ConsumerHeartbeat): ConsumerHeartbeatResult {
    const problem = this.#problemOf(memberId, instanceId)
    if (problem !== undefined) return { problem }
    const member = this.#members.get(memberId)!
    if (epoch === LEAVE_EPOCH || instanceId === undefined) this.#lose(member)
    else {
      // What it has waits for it until its session ends.
      member.epoch = AWAY_EPOCH
      member.revocation.clear()
    }
    return { memberId, epoch, heartbeatIntervalMs: 0 }
  }

  /** Removed by an operator. */
  leave(leaving: readonly LeavingMember[]): (GroupProblem | undefined)[] {
    return leaving.map(({ memberId, instanceId }) => {
      const member = memberId === '' && instanceId !== undefined ? this.#instances.get(instanceId) : this.#members.get(memberId)
      if (member === undefined) return 'unknown-member'
      this.#lose(member)
      return undefined
    })
  }

  /** See `ConsumerGroups.checkCommitter`. */
  checkCommitter(by: OffsetCommitter | undefined, isTransactional: boolean): GroupProblem | undefined {
    const { memberId = '', instanceId, generation = -1 } = by ?? {}
    if (generation < 0 && this.#members.size === 0) return undefined
    if (generation < 0 && memberId === '' && isTransactional) return undefined
    const problem = this.#problemOf(memberId, instanceId)
    if (problem !== undefined) return problem
    return this.#members.get(memberId)!.epoch === generation ? undefined : 'stale-epoch'
  }

  // ---- assignment -------------------------------------------------------------------------------------------------------

  #changed(): void {
    this.#epoch = this.#assignmentEpoch + 1
  }

  /** Looks whether the topics that members name, or that their patterns take, are as they were. */
  #followTopics(): void {
    let found = 0
    for (const name of this.#wanted()) {
      const topic = this.#registry.topics.get(name)
      if (topic === undefined) continue
      found++
      if (this.#partitions.get(topic.id) !== topic.tails.length) return this.#changed()
    }
    if (found !== this.#partitions.size) this.#changed()
  }

  #assign(): void {
    this.#named = new Set([...this.#members.values()].flatMap(({ topics }) => topics))
    this.#patterns = this.#patternsOfMembers()
    this.#partitions = new Map()
    for (const name of this.#wanted()) {
      const topic = this.#registry.topics.get(name)
      if (topic !== undefined) this.#partitions.set(topic.id, topic.tails.length)
    }
    const members: AssignedMember[] = [...this.#members.values()].map(({ id, instanceId, target, topics, pattern }) => {
      const found = [...topics, ...this.#takenBy(pattern)].map((name) => this.#registry.topics.get(name)?.id)
      return { id, instanceId, target, topics: new Set(found.filter((topic) => topic !== undefined)) }
    })
    const targets = assignors[this.#assignor()]!(members, this.#partitions)
    for (const member of this.#members.values()) member.target = targets.get(member.id)!
    this.#assignmentEpoch = this.#epoch
  }

  /** Names of topics that some member reads; some may not be there. */
  #wanted(): ReadonlySet<string> {
    if (this.#patterns.size === 0) return this.#named
    const { topics } = this.#registry
    return new Set([...this.#named, ...[...this.#patterns.values()].flatMap((pattern) => pattern.names(topics))])
  }

  #takenBy(pattern: TopicPattern | undefined): readonly string[] {
    return pattern === undefined ? [] : this.#patterns.get(pattern.source)!.names(this.#registry.topics)
  }

  #patternsOfMembers(): Map<string, PatternTopics> {
    const patterns = new Map<string, PatternTopics>()
    for (const { pattern } of this.#members.values()) {
      if (pattern === undefined || patterns.has(pattern.source)) continue
      patterns.set(pattern.source, this.#patterns.get(pattern.source) ?? new PatternTopics(pattern))
    }
    return patterns
  }

  /** The one that most members ask for. */
  #assignor(): string {
    const votes = new Map<string, number>([[DEFAULT_ASSIGNOR, 0]])
    for (const { assignor } of this.#members.values()) {
      if (assignor !== undefined) votes.set(assignor, (votes.get(assignor) ?? 0) + 1)
    }
    return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best))[0]
  }

  // ---- members --------------------------------------------------------------------------------------------------------

  /** It left, is not heard of any more, or does not stop reading. */
  #lose(member: ConsumerMember): void {
    member.release(this.#owners)
    member.session.clear()
    this.#members.delete(member.id)
    if (member.instanceId !== undefined) this.#instances.delete(member.instanceId)
    this.#changed()
    if (this.#members.size === 0) this.#host.occupancyChanged(this.name, false)
  }

  #touch(member: ConsumerMember): void {
    member.session.set(this.#host.monotonicMs() + this.#host.settings.consumerSessionTimeoutMs)
  }

  #problemOf(memberId: string, instanceId: string | undefined): GroupProblem | undefined {
    if (instanceId !== undefined) {
      const current = this.#instances.get(instanceId)
      if (current === undefined) return 'unknown-member'
      if (current.id !== memberId) return 'fenced-instance'
    }
    return this.#members.has(memberId) ? undefined : 'unknown-member'
  }

  // ---- what others are told ---------------------------------------------------------------------------------------------

  summary(): GroupSummary {
    return { name: this.name, type: 'consumer', state: this.#state(), protocolType: PROTOCOL_TYPE, members: this.#members.size }
  }

  describe(): GroupDescription {
    return {
      ...this.summary(),
      protocol: this.#assignor(),
      generation: this.#epoch,
      assignmentEpoch: this.#assignmentEpoch,
      members: [...this.#members.values()].map((member) => ({
        memberId: member.id,
        ...(member.instanceId === undefined ? {} : { instanceId: member.instanceId }),
        clientId: member.clientId,
        clientHost: member.clientHost,
        consumer: {
          epoch: member.epoch,
          topics: member.topics,
          ...(member.pattern === undefined ? {} : { pattern: member.pattern.source }),
          assigned: this.#byTopic(member.assigned),
          target: this.#byTopic(member.target),
        },
      })),
    }
  }

  #state(): GroupState {
    if (this.#members.size === 0) return 'empty'
    if (this.#epoch > this.#assignmentEpoch) return 'assigning'
    for (const member of this.#members.values()) if (!member.isReconciled(this.#assignmentEpoch)) return 'reconciling'
    return 'stable'
  }

  /** Of topics that do not exist nothing is left. */
  #placesOf(owned: readonly TopicPartitions[]): Set<Place> {
    const places = new Set<Place>()
    for (const { topic, partitions } of owned) {
      const found = this.#registry.topics.get(topic)
      if (found !== undefined) for (const partition of partitions) places.add(placeOf(found.id, partition))
    }
    return places
  }

  #byTopic(places: ReadonlySet<Place>): TopicPartitions[] {
    const byTopic = new Map<string, number[]>()
    for (const place of [...places].toSorted((a, b) => a - b)) {
      const topic = this.#registry.topicById(topicOf(place))?.name
      if (topic === undefined) continue
      const partitions = byTopic.get(topic)
      if (partitions === undefined) byTopic.set(topic, [partitionOf(place)])
      else partitions.push(partitionOf(place))
    }
    return [...byTopic].map(([topic, partitions]) => ({ topic, partitions }))
  }
}
