/** All groups of the broker: implements `Broker.groups`. */
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { Ticket } from '../../storage/log-store.ts'
import type { Topic } from '../entities.ts'
import { newRandomId } from '../random-id.ts'
import type { Registry } from '../registry.ts'
import type { Shard } from '../shard.ts'
import { Alarm } from './alarm.ts'
import { ClassicGroup, type GroupHost } from './classic-group.ts'
import { checkConsumerHeartbeat, checkJoin } from './requests.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { type OffsetChange, offsetsBytes } from './committed-offsets.ts'
import type * as api from './consumer-groups.ts'
import { GROUP_NAME_BYTES_MAX, GROUPS_MAX, GROUPS_SWEEP_MS, type GroupSettings, OFFSET_METADATA_BYTES_MAX } from './limits.ts'
import { offsetsToReset } from './offset-reset.ts'
import { partitionOf, placeOf, type Place, topicOf } from './place.ts'

const encoder = new TextEncoder()

/** Offsets that a transaction will commit. */
export interface PreparedOffsets {
  /** What they add to a commit, at most. */
  readonly bytes: number
  set(): void
}

interface CheckedOffsets {
  /** Of each offset. */
  readonly problems: readonly (api.OffsetProblem | undefined)[]
  readonly changes: readonly OffsetChange[]
}

export class GroupCoordinator implements api.ConsumerGroups {
  readonly #shard: Shard
  readonly #registry: Registry
  readonly #settings: GroupSettings
  readonly #whenCommitted: (ticket: Ticket) => Promise<void>
  readonly #host: GroupHost
  readonly #groups = new Map<string, ClassicGroup | ConsumerGroup>()
  readonly #sweep: Alarm
  #isSweepSet = false
  /** How many transactions hold offsets of a place, by group. */
  readonly #held = new Map<string, Map<Place, number>>()

  constructor(shard: Shard, registry: Registry, settings: GroupSettings, whenCommitted: (ticket: Ticket) => Promise<void>) {
    this.#shard = shard
    this.#registry = registry
    this.#settings = settings
    this.#whenCommitted = whenCommitted
    const { clock, random } = shard.platform
    this.#host = {
      timers: shard.timers,
      settings,
      monotonicMs: () => clock.monotonicMs(),
      newMemberId: (prefix) => `${prefix}-${newRandomId(random)}`,
      occupancyChanged: (group, isOccupied) => shard.offsets.occupancyChanged(group, isOccupied),
    }
    this.#sweep = new Alarm(shard.timers, () => this.#sweepUnused())
    if (!isEmpty(shard.offsets.groups())) this.#planSweep()
  }

  // ---- members ------------------------------------------------------------------------------------------------------------

  join(request: api.JoinRequest, answer: (result: api.JoinResult) => void): void {
    const { group: name, memberId } = request
    const problem = this.#problemOfName(name) ?? checkJoin(request, this.#settings)
    let group = this.#groups.get(name)
    if (problem !== undefined) answer({ problem, memberId })
    else if (group === undefined && memberId !== '') answer({ problem: 'unknown-member', memberId })
    else if (group === undefined && this.#groups.size >= GROUPS_MAX) answer({ problem: 'too-many-groups', memberId })
    else {
      if (group === undefined || (group instanceof ConsumerGroup && !group.hasMembers)) {
        group = new ClassicGroup(name, this.#host)
        this.#add(group)
      }
      if (group instanceof ClassicGroup) group.join(request, answer)
      else answer({ problem: 'inconsistent-protocol', memberId })
    }
  }

  sync(request: api.SyncRequest, answer: (result: api.SyncResult) => void): void {
    const { group: name } = request
    const group = this.#groups.get(name)
    const problem = this.#problemOfName(name)
    if (problem !== undefined) answer({ problem })
    else if (!(group instanceof ClassicGroup)) answer({ problem: 'unknown-member' })
    else group.sync(request, answer)
  }

  heartbeat({ group: name, memberId, instanceId, generation }: api.GroupMember): api.GroupProblem | undefined {
    const problem = this.#problemOfName(name)
    if (problem !== undefined) return problem
    const group = this.#groups.get(name)
    return group instanceof ClassicGroup ? group.heartbeat(memberId, instanceId, generation) : 'unknown-member'
  }

  leave(name: string, members: readonly api.LeavingMember[]): api.GroupProblem | readonly (api.GroupProblem | undefined)[] {
    const group = this.#groups.get(name)
    return this.#problemOfName(name) ?? (group === undefined ? members.map(() => 'unknown-member') : group.leave(members))
  }

  consumerHeartbeat(heartbeat: api.ConsumerHeartbeat): api.ConsumerHeartbeatResult {
    const { group: name, epoch } = heartbeat
    const problem = this.#problemOfName(name) ?? checkConsumerHeartbeat(heartbeat)
    if (problem !== undefined) return { problem }
    let group = this.#groups.get(name)
    if (epoch === 0 && (group === undefined || (group instanceof ClassicGroup && group.isUnused))) {
      if (group === undefined && this.#groups.size >= GROUPS_MAX) return { problem: 'too-many-groups' }
      group = new ConsumerGroup(name, this.#host, this.#registry)
      this.#add(group)
    }
    if (group instanceof ConsumerGroup) return group.heartbeat(heartbeat)
    return { problem: group === undefined ? 'unknown-member' : 'inconsistent-protocol' }
  }

  // ---- offsets --------------------------------------------------------------------------------------------------------------

  commitOffsets(
    group: string,
    offsets: readonly api.OffsetCommit[],
    by?: api.OffsetCommitter,
  ): api.GroupProblem | readonly (api.OffsetProblem | undefined)[] {
    this.#checkOpen()
    const problem = this.checkCommitter(group, by, false)
    if (problem !== undefined) return problem
    const { problems, changes } = this.#changesOf(offsets)
    this.#commit(group, changes)
    return problems
  }

  /**
   * Offsets that an open transaction will commit. Nothing is changed.
   * @returns what is wrong with the group or member; else what is wrong with each, and the changes by those that are right
   * @throws MillraceError `limit_reached`, `draining`
   */
  checkAdded(
    group: string,
    offsets: readonly api.OffsetCommit[],
    by: api.OffsetCommitter | undefined,
  ): api.GroupProblem | CheckedOffsets {
    this.#checkOpen()
    const problem = this.checkCommitter(group, by, true)
    if (problem !== undefined) return problem
    const checked = this.#changesOf(offsets)
    this.#shard.offsets.check(group, checked.changes)
    return checked
  }

  /** The changes of `checkAdded` once their transaction is committed, but for topics that were deleted since. */
  prepareAdded(group: string, changes: readonly OffsetChange[]): PreparedOffsets {
    const kept = changes.filter(({ place }) => this.#registry.topicById(topicOf(place)) !== undefined)
    return { bytes: offsetsBytes(group, kept), set: () => this.#set(group, kept) }
  }

  /**
   * Offsets as part of a transaction. Nothing is changed yet.
   * @returns what they add to a commit, and what sets them
   * @throws MillraceError `fenced`, `not_found`, `bad_request`, `limit_reached`
   */
  prepareOffsets(group: string, offsets: readonly api.OffsetCommit[], by: api.OffsetCommitter | undefined): PreparedOffsets {
    const problem = by === undefined ? this.#problemOfName(group) : this.checkCommitter(group, by, true)
    if (problem !== undefined) {
      throw new MillraceError(
        problem === 'bad-group' ? 'bad_request' : 'fenced',
        `the offsets of group ${JSON.stringify(group)} cannot be committed (${problem}); nothing of the transaction was done`,
      )
    }
    const changes = offsets.map((offset) => {
      const change = this.#changeOf(offset)
      if (typeof change !== 'string') return change
      throw new MillraceError(
        change === 'unknown-partition' ? 'not_found' : 'bad_request',
        `the offset ${offset.offset} of topic:${offset.topic} partition ${offset.partition} cannot be committed (${change}); nothing of the transaction was done`,
      )
    })
    return { bytes: this.#shard.offsets.check(group, changes), set: () => this.#set(group, changes) }
  }

  offsets(group: string, topic?: string): readonly api.CommittedOffset[] {
    const found: api.CommittedOffset[] = []
    const wanted = topic === undefined ? undefined : this.#registry.topics.get(topic)
    if (topic !== undefined && wanted === undefined) return found
    for (const place of this.#shard.offsets.get(group)?.places() ?? []) {
      const at = wanted ?? this.#topicAt(place)
      if (at.id === topicOf(place)) found.push(this.#committed(group, at.name, place)!)
    }
    return found
  }

  offset(group: string, topic: string, partition: number): api.CommittedOffset | undefined {
    const place = this.#placeOf({ topic, partition })
    return place === undefined ? undefined : this.#committed(group, topic, place)
  }

  isPending(group: string, topic: string, partition: number): boolean {
    const place = this.#placeOf({ topic, partition })
    return place !== undefined && this.#isHeld(group, place)
  }

  deleteOffsets(group: string, places: readonly api.OffsetPlace[]): number {
    this.#checkOpen()
    const known = places.map((place) => this.#placeOf(place)).filter((place) => place !== undefined)
    this.#shard.store.touch()
    return this.#shard.offsets.delete(group, known)
  }

  /** For a transaction that will set these offsets, or not: until `release`, they are pending. */
  hold(group: string, places: ReadonlySet<Place>): api.HeldOffsets {
    const held = this.#held.get(group) ?? new Map<Place, number>()
    this.#held.set(group, held)
    let holding = [...places]
    for (const place of holding) held.set(place, (held.get(place) ?? 0) + 1)
    return {
      release: () => {
        for (const place of holding) {
          const left = held.get(place)! - 1
          if (left === 0) held.delete(place)
          else held.set(place, left)
        }
        holding = []
        if (held.size === 0 && this.#held.get(group) === held) this.#held.delete(group)
      },
    }
  }

  checkCommitter(name: string, by: api.OffsetCommitter | undefined, isTransactional: boolean): api.GroupProblem | undefined {
    const problem = this.#problemOfName(name)
    if (problem !== undefined) return problem
    const group = this.#groups.get(name)
    if (group !== undefined) return group.checkCommitter(by, isTransactional)
    return by !== undefined && by.generation >= 0 ? 'unknown-member' : undefined
  }

  // ---- groups ---------------------------------------------------------------------------------------------------------------

  list(): readonly api.GroupSummary[] {
    const summaries = [...this.#groups.values()].map((group) => group.summary())
    for (const { group } of this.#shard.offsets.groups()) if (!this.#groups.has(group)) summaries.push(unoccupied(group))
    return summaries
  }

  has(name: string): boolean {
    return this.#groups.has(name) || this.#shard.offsets.get(name) !== undefined
  }

  describe(name: string): api.GroupDescription | undefined {
    const group = this.#groups.get(name)
    if (group !== undefined) return group.describe()
    if (this.#shard.offsets.get(name) === undefined) return undefined
    return { ...unoccupied(name), protocol: '', generation: 0, members: [] }
  }

  lag(name: string): readonly api.PartitionLag[] | undefined {
    const offsets = this.#shard.offsets.get(name)
    if (offsets === undefined) return this.#groups.has(name) ? [] : undefined
    return offsets.places().map((place) => {
      const topic = this.#topicAt(place)
      const partition = partitionOf(place)
      const { start, end } = this.#shard.store.bounds(topic.tails[partition]!.id)
      const { offset, metadata } = offsets.get(place)!
      return { topic: topic.name, partition, offset, start, end, lag: Math.max(0, end - Math.max(start, offset)), metadata }
    })
  }

  deleteGroup(name: string): api.GroupProblem | undefined {
    this.#checkOpen()
    const group = this.#groups.get(name)
    if (group?.hasMembers === true) return 'not-empty'
    this.#shard.store.touch()
    const wasThere = this.#groups.delete(name)
    return this.#shard.offsets.deleteGroup(name) || wasThere ? undefined : 'not-found'
  }

  async resetOffsets(group: string, reset: api.OffsetReset): Promise<readonly api.PartitionLag[]> {
    this.#checkVacant(group)
    const topic = this.#registry.topic(reset.topic)
    const offsets = await offsetsToReset(this.#shard.store, topic, reset)
    this.#checkVacant(group)
    const problems = this.commitOffsets(group, offsets)
    if (typeof problems === 'string' || problems.some((problem) => problem !== undefined)) {
      throw new MillraceError('not_found', `topic:${reset.topic} was deleted, or the group has members now: look and try again`)
    }
    const { store } = this.#shard
    await this.#whenCommitted(store.ticket())
    return this.lag(group)?.filter((each) => each.topic === reset.topic) ?? []
  }

  /** Answers everybody who waits. */
  stop(): void {
    this.#sweep.clear()
    for (const group of this.#groups.values()) if (group instanceof ClassicGroup) group.dismiss()
    this.#groups.clear()
  }

  // ---- inside -----------------------------------------------------------------------------------------------------------------

  #add(group: ClassicGroup | ConsumerGroup): void {
    this.#groups.set(group.name, group)
    this.#planSweep()
  }

  #commit(group: string, changes: readonly OffsetChange[]): void {
    const { store, cycle, offsets } = this.#shard
    if (changes.length > 0) {
      store.reserve(offsets.check(group, changes))
      this.#set(group, changes)
      cycle.bound()
    }
    // The ticket that the caller sees is that of a commit that comes, even if this one is closed by now.
    store.touch()
  }

  #set(group: string, changes: readonly OffsetChange[]): void {
    this.#shard.offsets.set(group, changes, this.#groups.get(group)?.hasMembers === true)
    this.#planSweep()
  }

  #changesOf(offsets: readonly api.OffsetCommit[]): CheckedOffsets {
    const changes: OffsetChange[] = []
    const problems = offsets.map((offset) => {
      const change = this.#changeOf(offset)
      if (typeof change === 'string') return change
      changes.push(change)
      return undefined
    })
    return { problems, changes }
  }

  #changeOf({ offset, leaderEpoch = -1, metadata = '', ...at }: api.OffsetCommit): OffsetChange | api.OffsetProblem {
    const place = this.#placeOf(at)
    if (place === undefined) return 'unknown-partition'
    if (metadata.length > OFFSET_METADATA_BYTES_MAX || bytesOf(metadata) > OFFSET_METADATA_BYTES_MAX) return 'metadata-too-large'
    if (!Number.isSafeInteger(offset) || offset < 0) return 'bad-offset'
    const committedMs = this.#shard.platform.clock.nowMs()
    return { place, stored: { offset, leaderEpoch: Math.max(-1, leaderEpoch), metadata, committedMs } }
  }

  #committed(group: string, topic: string, place: Place): api.CommittedOffset | undefined {
    const stored = this.#shard.offsets.get(group)?.get(place)
    if (stored === undefined) return undefined
    return { topic, partition: partitionOf(place), ...stored, isPending: this.#isHeld(group, place) }
  }

  #isHeld(group: string, place: Place): boolean {
    return this.#held.get(group)?.has(place) === true
  }

  #placeOf({ topic: name, partition }: api.OffsetPlace): Place | undefined {
    const topic = this.#registry.topics.get(name)
    return topic?.tails[partition] === undefined ? undefined : placeOf(topic.id, partition)
  }

  /** Offsets go in the commit in which their topic goes. */
  #topicAt(place: Place): Topic {
    const topic = this.#registry.topicById(topicOf(place))
    assert(topic !== undefined, 'a topic with committed offsets exists')
    return topic
  }

  #checkVacant(group: string): void {
    this.#checkOpen()
    const problem = this.#problemOfName(group)
    if (problem !== undefined) throw new MillraceError('bad_request', `a group's name has 1 to ${GROUP_NAME_BYTES_MAX} bytes`)
    if (this.#groups.get(group)?.hasMembers !== true) return
    throw new MillraceError(
      'in_use',
      `the group ${JSON.stringify(group)} has members, who would not notice: stop them first, or wait for the end of their sessions`,
    )
  }

  #problemOfName(group: string): api.GroupProblem | undefined {
    if (this.#shard.refusal !== undefined) return 'unavailable'
    return group.length >= 1 && bytesOf(group) <= GROUP_NAME_BYTES_MAX ? undefined : 'bad-group'
  }

  #checkOpen(): void {
    if (this.#shard.refusal !== undefined) throw this.#shard.refusal
  }

  #planSweep(): void {
    if (this.#isSweepSet) return
    this.#isSweepSet = true
    this.#sweep.set(this.#host.monotonicMs() + GROUPS_SWEEP_MS)
  }

  #sweepUnused(): void {
    const { offsets, platform } = this.#shard
    for (const [name, group] of this.#groups) if (group.isUnused) this.#groups.delete(name)
    offsets.expire(platform.clock.nowMs() - this.#settings.offsetsRetentionMs)
    this.#isSweepSet = false
    if (this.#groups.size > 0 || !isEmpty(offsets.groups())) this.#planSweep()
  }
}

function unoccupied(name: string): api.GroupSummary {
  return { name, type: 'classic', state: 'empty', protocolType: '', members: 0 }
}

function bytesOf(text: string): number {
  return encoder.encode(text).length
}

function isEmpty(items: Iterable<unknown>): boolean {
  return items[Symbol.iterator]().next().done === true
}
