/**
 * Consumer groups as doors see them: members that share the partitions of topics among themselves, and how far a group has come in
 * each partition. Part of the façade: `Broker.groups`.
 */
import type { StartPosition } from '../specs.ts'

/**
 * Calls take effect at once. Membership is in memory: a restart of the broker ends it, and members join again. Offsets are in the open
 * commit, and durable with `Broker.ticket()` as it is after the call.
 */
export interface ConsumerGroups {
  // ---- members that agree among themselves -----------------------------------------------------------------------------
  /**
   * Joins, or joins again. The answer comes once the group has its next generation, or at once when nothing has to change; maybe before the
   * call returns. It must not call back into the broker.
   */
  join(request: JoinRequest, answer: (result: JoinResult) => void): void
  /** Asks for what the leader assigned, or, from the leader, assigns. Bytes are borrowed until the call returns. */
  sync(request: SyncRequest, answer: (result: SyncResult) => void): void
  /** Tells that a member lives. `rebalancing`: it has to join again. */
  heartbeat(member: GroupMember): GroupProblem | undefined
  /** Members leave, or are removed by an operator. @returns for each what is wrong with it, or what is wrong with the group */
  leave(group: string, members: readonly LeavingMember[]): GroupProblem | readonly (GroupProblem | undefined)[]

  // ---- members that the broker assigns to -------------------------------------------------------------------------------
  /** All that a member says and is told: it joins, tells what it reads, learns what it shall read, and leaves. */
  consumerHeartbeat(heartbeat: ConsumerHeartbeat): ConsumerHeartbeatResult

  // ---- offsets -----------------------------------------------------------------------------------------------------------
  /**
   * Commits offsets, all in one commit of the broker.
   * @param by absent for somebody who is no member: then the group must not have any
   * @returns what is wrong with the group or member; else for each offset what is wrong with it. The others are committed
   * @throws MillraceError `record_too_large` when no commit can hold all of it, `limit_reached`, `draining`
   */
  commitOffsets(
    group: string,
    offsets: readonly OffsetCommit[],
    by?: OffsetCommitter,
  ): GroupProblem | readonly (OffsetProblem | undefined)[]
  /** Offsets of a group by topic and partition; of a group that is not known there are none. */
  offsets(group: string, topic?: string): readonly CommittedOffset[]
  /** One offset; undefined where there is none. */
  offset(group: string, topic: string, partition: number): CommittedOffset | undefined
  /** Whether a transaction that is under way will set it, or not; there may be none yet. */
  isPending(group: string, topic: string, partition: number): boolean
  /** Forgets offsets. @returns how many there were. @throws MillraceError `draining` */
  deleteOffsets(group: string, places: readonly OffsetPlace[]): number
  /** Whether `by` may commit offsets now. @param isTransactional the commit is made later, as part of a transaction */
  checkCommitter(group: string, by: OffsetCommitter | undefined, isTransactional: boolean): GroupProblem | undefined

  // ---- groups ------------------------------------------------------------------------------------------------------------
  list(): readonly GroupSummary[]
  /** Whether there is such a group: it has members, or offsets. */
  has(group: string): boolean
  /** Undefined when there is no such group. */
  describe(group: string): GroupDescription | undefined
  /** How far the group is behind, for each partition that it has an offset of; undefined when there is no such group. */
  lag(group: string): readonly PartitionLag[] | undefined
  /** Deletes a group with its offsets. Only without members. @throws MillraceError `draining` */
  deleteGroup(group: string): GroupProblem | undefined
  /**
   * Moves a group to another place of a topic: commits offsets for all its partitions, or for those named. Only without members.
   * An offset outside of what is stored becomes the nearest one. Makes the group when there is none.
   * @returns where it is now, once that is durable
   * @throws MillraceError `not_found`, `in_use`, `bad_request`, `draining`
   */
  resetOffsets(group: string, reset: OffsetReset): Promise<readonly PartitionLag[]>
}

/** Why something was refused. */
export type GroupProblem =
  /** The member is not in the group (any more): it joins as a new one. */
  | 'unknown-member'
  /** The generation is over: the member joins again. */
  | 'illegal-generation'
  /** The group shares out its partitions: the member joins again. */
  | 'rebalancing'
  /** Somebody else came with the same instance id: the member stops. */
  | 'fenced-instance'
  /** A new member joins again with the id that the answer gives. */
  | 'member-id-required'
  /** It shares no protocol with all the others, or is of another type than the group. */
  | 'inconsistent-protocol'
  | 'group-full'
  | 'bad-session-timeout'
  /** The group has members. */
  | 'not-empty'
  | 'not-found'
  /** The name of the group is empty or too long. */
  | 'bad-group'
  /** Something in the request is too large, or missing. */
  | 'bad-request'
  /** The epoch of the member is over: it stops reading and joins as a new one. */
  | 'fenced-epoch'
  /** The epoch of a commit is not that of the member: it heartbeats and tries again. */
  | 'stale-epoch'
  /** Another member has the instance id, and has not left. */
  | 'unreleased-instance'
  | 'unsupported-assignor'
  /** There are too many groups. */
  | 'too-many-groups'
  /** The broker is shutting down. */
  | 'unavailable'

export type OffsetProblem =
  /** There is no such topic or partition. */
  | 'unknown-partition'
  | 'metadata-too-large'
  /** The offset is not a whole number from 0 on. */
  | 'bad-offset'

/** A member as it names itself after joining. */
export interface GroupMember {
  readonly group: string
  readonly memberId: string
  /** Of a static member. */
  readonly instanceId?: string
  readonly generation: number
}

export interface JoinRequest {
  readonly group: string
  /** Empty the first time. */
  readonly memberId: string
  /** Makes it a static member: one that comes back within its session takes its old place, without a rebalance. */
  readonly instanceId?: string
  /** Named in descriptions, and the beginning of the member id. */
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  /** How long a rebalance waits for this member. */
  readonly rebalanceTimeoutMs: number
  /** What kind of group it is: all members say the same. */
  readonly protocolType: string
  /** In order of preference. The group uses one that all members offer. Metadata is for the leader; it is borrowed until the call returns. */
  readonly protocols: readonly GroupProtocol[]
  /** A new member without instance id is only given its id, with `member-id-required`, and joins with its next call. */
  readonly requireMemberId?: boolean
  /** The member understands `skipAssignment`. */
  readonly canSkipAssignment?: boolean
}

export interface GroupProtocol {
  readonly name: string
  readonly metadata: Uint8Array
}

export type JoinResult = JoinedGroup | { readonly problem: GroupProblem; readonly memberId: string }

export interface JoinedGroup {
  readonly problem?: undefined
  readonly memberId: string
  readonly generation: number
  readonly protocolType: string
  readonly protocol: string
  readonly leader: string
  /** For the leader: all members with their metadata for the protocol. For others empty. */
  readonly members: readonly JoinedMember[]
  /** A leader that came back: the assignment is still there. */
  readonly skipAssignment: boolean
}

export interface JoinedMember {
  readonly memberId: string
  readonly instanceId?: string
  readonly metadata: Uint8Array
}

export interface SyncRequest extends GroupMember {
  /** Where the member knows them, they must be those of the group. */
  readonly protocolType?: string
  readonly protocol?: string
  /** From the leader; those that it leaves out get nothing. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]
}

export type SyncResult =
  | {
      readonly problem?: undefined
      readonly protocolType: string
      readonly protocol: string
      readonly assignment: Uint8Array
    }
  | { readonly problem: GroupProblem }

/** What is absent is as it was. */
export interface ConsumerHeartbeat {
  readonly group: string
  /** Chosen by the member, or empty the first time. */
  readonly memberId: string
  /** Its epoch as it was told; 0 joins, -1 leaves, -2 leaves for a while, as a static member. */
  readonly epoch: number
  readonly instanceId?: string
  readonly clientId: string
  readonly clientHost: string
  /** How long it may take to stop reading what it shall not read any more. Needed to join. */
  readonly rebalanceTimeoutMs?: number
  /** Names of topics; some may not be there yet. To join, these or a pattern are needed. */
  readonly topics?: readonly string[]
  /** Topics besides those, also those that come later; null for none any more. */
  readonly pattern?: TopicPattern | null
  /** `uniform` (default): evenly, moving little. `range`: ranges of each topic, the same of topics with as many partitions. */
  readonly assignor?: string
  /** What it reads. Empty to join. */
  readonly owned?: readonly TopicPartitions[]
}

/** Two with the same source take the same topics. */
export interface TopicPattern {
  readonly source: string
  /** @param topic a name */
  matches(topic: string): boolean
}

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

export type ConsumerHeartbeatResult =
  | {
      readonly problem?: undefined
      readonly memberId: string
      readonly epoch: number
      readonly heartbeatIntervalMs: number
      /** What it shall read: it first stops reading everything else, says so by `owned`, and is given the rest in time. Absent when it is as before. */
      readonly assignment?: readonly TopicPartitions[]
    }
  | { readonly problem: GroupProblem }

/** By its member id, or, if that is empty, by its instance id. */
export interface LeavingMember {
  readonly memberId: string
  readonly instanceId?: string
}

export interface OffsetPlace {
  readonly topic: string
  readonly partition: number
}

export interface OffsetCommit extends OffsetPlace {
  /** Of the next record to read. */
  readonly offset: number
  /** A number to give back; default -1. */
  readonly leaderEpoch?: number
  /** A text to give back. */
  readonly metadata?: string
}

/** `generation` -1 and an empty `memberId` for somebody who is no member. */
export type OffsetCommitter = Omit<GroupMember, 'group'>

export interface CommittedOffset extends Required<OffsetCommit> {
  /** When it was committed, milliseconds since 1970. */
  readonly committedMs: number
  /** A transaction that is under way will change it, or not. */
  readonly isPending: boolean
}

export interface HeldOffsets {
  /** Idempotent. */
  release(): void
}

/** `classic`: members agree among themselves. `consumer`: the broker assigns. */
export type GroupType = 'classic' | 'consumer'

export type GroupState =
  | 'empty'
  | 'stable'
  /** Classic: members join. */
  | 'preparing-rebalance'
  /** Classic: the leader assigns. */
  | 'completing-rebalance'
  /** Consumer: what members shall read has to be computed. */
  | 'assigning'
  /** Consumer: not all members read what they shall. */
  | 'reconciling'

export interface GroupSummary {
  readonly name: string
  readonly type: GroupType
  readonly state: GroupState
  /** Empty for a group that has offsets only. */
  readonly protocolType: string
  readonly members: number
}

export interface GroupDescription extends Omit<GroupSummary, 'members'> {
  /** Classic: the protocol of this generation. Consumer: the assignor. */
  readonly protocol: string
  /** Classic: the generation. Consumer: the epoch of the group. */
  readonly generation: number
  readonly leader?: string
  /** Consumer: the epoch of what members shall read. */
  readonly assignmentEpoch?: number
  readonly members: readonly MemberDescription[]
}

export interface MemberDescription {
  readonly memberId: string
  readonly instanceId?: string
  readonly clientId: string
  readonly clientHost: string
  /** Of a classic group. */
  readonly classic?: { readonly metadata: Uint8Array; readonly assignment: Uint8Array }
  /** Of a consumer group. */
  readonly consumer?: {
    readonly epoch: number
    /** Those that it names. */
    readonly topics: readonly string[]
    /** Source of its pattern. */
    readonly pattern?: string
    /** What it may read now. */
    readonly assigned: readonly TopicPartitions[]
    /** What it shall read. */
    readonly target: readonly TopicPartitions[]
  }
}

export interface PartitionLag extends OffsetPlace {
  /** Committed. */
  readonly offset: number
  /** First offset that is kept, and the one after the last. */
  readonly start: number
  readonly end: number
  /** Records that wait to be read, as far as offsets tell. */
  readonly lag: number
  readonly metadata: string
}

export interface OffsetReset {
  readonly topic: string
  /** All when absent. */
  readonly partitions?: readonly number[]
  readonly to: StartPosition
}
