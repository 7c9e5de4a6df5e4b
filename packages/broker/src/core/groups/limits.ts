import { DAY_MS, HOUR_MS, KIB, MINUTE_MS, SECOND_MS } from '../../base/units.ts'

export const GROUP_NAME_BYTES_MAX = 1024
/** Groups with members, or that had some within the last minutes. */
export const GROUPS_MAX = 100_000
/** Groups with committed offsets. */
export const OFFSET_GROUPS_MAX = 1_000_000
/** Partitions that one group may have offsets of. */
export const OFFSETS_PER_GROUP_MAX = 200_000
/** Of the text that goes with an offset. */
export const OFFSET_METADATA_BYTES_MAX: number = 4 * KIB
/** About what an offset adds to a commit beside its metadata. */
export const OFFSET_CHANGE_BYTES = 48
/** What a member says of itself: ids, names, all its protocols with their metadata. */
export const MEMBER_BYTES_MAX: number = 512 * KIB
/** Protocols that one member offers. */
export const PROTOCOLS_MAX = 64
/** Topics that one member of a group may name. */
export const SUBSCRIBED_TOPICS_MAX = 10_000
/** Characters of a pattern of topics. */
export const PATTERN_LENGTH_MAX = 4096
/** A member that joined for the first time is given up when the group does not answer it for so long. */
export const FIRST_JOIN_MS_MAX: number = 5 * MINUTE_MS
export const REBALANCE_TIMEOUT_MS_MAX: number = DAY_MS
/** A classic group waits at least so long for its members, whatever they ask for: between an answer and the next request is a moment. */
export const REBALANCE_WAIT_MS_MIN: number = SECOND_MS
/** Between two looks for offsets and groups that are not needed any more. */
export const GROUPS_SWEEP_MS: number = 10 * MINUTE_MS
export const OFFSETS_LOG_BYTES_FLOOR: number = 256 * KIB

/** What `openBroker` may be told to change. */
export interface GroupSettings {
  /** Shortest session that a member may ask for. */
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  /**
   * How long a group that was empty waits for more members before it shares out its partitions for the first time; each that comes
   * meanwhile makes it wait so long again. Members that start together then need one rebalance.
   */
  readonly initialRebalanceDelayMs: number
  /** Of members that the broker assigns to: how long they are missed, and how often they should be heard of. */
  readonly consumerSessionTimeoutMs: number
  readonly consumerHeartbeatIntervalMs: number
  /** Members of one group. */
  readonly membersMax: number
  /** Offsets of a group without members are forgotten so long after its last member left and its last commit. */
  readonly offsetsRetentionMs: number
}

export const groupDefaults: GroupSettings = {
  sessionTimeoutMsMin: 6 * SECOND_MS,
  sessionTimeoutMsMax: HOUR_MS / 2,
  initialRebalanceDelayMs: 100,
  consumerSessionTimeoutMs: 45 * SECOND_MS,
  consumerHeartbeatIntervalMs: 5 * SECOND_MS,
  membersMax: 10_000,
  offsetsRetentionMs: 7 * DAY_MS,
}
