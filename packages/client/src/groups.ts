/** Consumer groups as the broker shows them. */
import type { StartPosition } from './api.ts'

/** One consumer group in a list. */
export interface GroupSummary {
  readonly name: string
  /** `classic`: its members agree among themselves who reads what. `consumer`: the broker assigns. */
  readonly type: 'classic' | 'consumer'
  readonly state: 'empty' | 'stable' | 'preparing-rebalance' | 'completing-rebalance' | 'assigning' | 'reconciling'
  /** Empty for a group that has offsets only. */
  readonly protocolType: string
  readonly members: number
  /** Messages that it has not read yet, as far as offsets tell, of all partitions that it has committed offsets of. */
  readonly lag: number
}

export interface GroupInfo extends Omit<GroupSummary, 'members'> {
  readonly protocol: string
  /** Rises whenever it is shared out anew who reads what. */
  readonly generation: number
  readonly members: readonly GroupMemberInfo[]
  readonly partitions: readonly GroupPartition[]
}

export interface GroupMemberInfo {
  readonly memberId: string
  readonly instanceId?: string
  readonly clientId: string
  readonly clientHost: string
  /** What it reads, where the broker assigns it. */
  readonly assigned?: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

/** How far a group is in one partition. */
export interface GroupPartition {
  readonly topic: string
  readonly partition: number
  /** Committed: that of the next message to read. */
  readonly offset: number
  /** First offset that is kept, and the one after the last. */
  readonly start: number
  readonly end: number
  readonly lag: number
  readonly metadata: string
}

/** Where a group shall be. */
export interface GroupReset {
  readonly topic: string
  /** Default: all. */
  readonly partitions?: readonly number[]
  /** What is outside of what the topic holds becomes the nearest offset that is not. */
  readonly to: StartPosition
}
