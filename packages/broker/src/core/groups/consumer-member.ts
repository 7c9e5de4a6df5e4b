import type { Timers } from '../timers.ts'
import { Alarm } from './alarm.ts'
import type { ConsumerHeartbeat, TopicPattern } from './consumer-groups.ts'
import type { Place } from './place.ts'

/** Of a static member that left for a while. */
export const AWAY_EPOCH = -2

/** Who has which partition: each has one reader at most. */
export type Owners = Map<Place, ConsumerMember>

/**
 * A member that the broker assigns to, and how far it is on the way to what it shall read. First it stops reading what it shall not
 * read any more (`revoking`, in its old epoch); then it is in the epoch of the target and gets what others have stopped reading.
 */
export class ConsumerMember {
  readonly id: string
  readonly instanceId: string | undefined
  clientId = ''
  clientHost = ''
  topics: readonly string[] = []
  pattern: TopicPattern | undefined
  assignor: string | undefined
  rebalanceTimeoutMs = 0
  epoch = 0
  #previousEpoch = 0
  target: ReadonlySet<Place> = new Set()
  /** What it may read. */
  #assigned = new Set<Place>()
  /** What it shall stop reading, and may be reading still. */
  #revoking = new Set<Place>()
  /** What it said that it reads, since it is to stop. */
  #reported: ReadonlySet<Place> | undefined
  readonly session: Alarm
  /** It takes too long to stop reading. */
  readonly revocation: Alarm

  constructor(id: string, instanceId: string | undefined, timers: Timers, lost: (member: ConsumerMember) => void) {
    this.id = id
    this.instanceId = instanceId
    this.session = new Alarm(timers, () => lost(this))
    this.revocation = new Alarm(timers, () => lost(this))
  }

  get assigned(): ReadonlySet<Place> {
    return this.#assigned
  }

  get isRevoking(): boolean {
    return this.#revoking.size > 0
  }

  /** @returns whether that changes what it shall read */
  update({ clientId, clientHost, topics, pattern, assignor, rebalanceTimeoutMs }: ConsumerHeartbeat): boolean {
    this.clientId = clientId
    this.clientHost = clientHost
    this.rebalanceTimeoutMs = rebalanceTimeoutMs ?? this.rebalanceTimeoutMs
    const named = topics === undefined ? this.topics : [...new Set(topics)].toSorted()
    const patterned = pattern === undefined ? this.pattern : (pattern ?? undefined)
    const isChanged =
      (assignor !== undefined && assignor !== this.assignor) ||
      !isSame(named, this.topics) ||
      patterned?.source !== this.pattern?.source
    this.assignor = assignor ?? this.assignor
    this.topics = named
    this.pattern = patterned
    return isChanged
  }

  /** Whether it may speak for `epoch`: its own, or the one before when it cannot have heard of its own. */
  isAt(epoch: number, owned: ReadonlySet<Place> | undefined): boolean {
    if (epoch === this.epoch) return true
    return epoch === this.#previousEpoch && owned !== undefined && [...owned].every((place) => this.#assigned.has(place))
  }

  /** Takes the place of another one, with all that it has. */
  takeOver(other: ConsumerMember, owners: Owners): void {
    this.target = other.target
    this.#assigned = other.#assigned
    for (const place of this.#assigned) owners.set(place, this)
    for (const place of other.#revoking) owners.delete(place)
    this.topics = other.topics
    this.pattern = other.pattern
    this.assignor = other.assignor
  }

  /** It reads nothing. */
  release(owners: Owners): void {
    for (const place of this.#assigned) owners.delete(place)
    for (const place of this.#revoking) owners.delete(place)
    this.#assigned = new Set()
    this.#revoking = new Set()
    this.revocation.clear()
  }

  /**
   * Goes on towards the target of `epoch`.
   * @param owned what it reads; undefined when that has not changed
   * @returns whether what it may read has changed
   */
  reconcile(epoch: number, owned: ReadonlySet<Place> | undefined, owners: Owners): boolean {
    if (this.isRevoking) {
      this.#reported = owned ?? this.#reported
      if (this.#reported === undefined || intersect(this.#reported, this.#revoking)) return false
      for (const place of this.#revoking) owners.delete(place)
      this.#revoking = new Set()
    }
    const kept = new Set<Place>()
    const revoked = new Set<Place>()
    for (const place of this.#assigned) (this.target.has(place) ? kept : revoked).add(place)
    if (revoked.size > 0) {
      // Also where it does not read them yet: it may be about to, and has to hear first that it shall not.
      this.#assigned = kept
      this.#revoking = revoked
      this.#reported = owned
      return true
    }
    let isChanged = false
    for (const place of this.target) {
      if (owners.has(place)) continue
      owners.set(place, this)
      kept.add(place)
      isChanged = true
    }
    this.#assigned = kept
    this.revocation.clear()
    if (this.epoch !== epoch) {
      this.#previousEpoch = this.epoch
      this.epoch = epoch
    }
    return isChanged
  }

  /** Reads what it shall, in the epoch that it shall. */
  isReconciled(epoch: number): boolean {
    return this.epoch === epoch && !this.isRevoking && this.#assigned.size === this.target.size
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, n) => each === b[n])
}

function intersect(a: ReadonlySet<Place>, b: ReadonlySet<Place>): boolean {
  for (const place of a) if (b.has(place)) return true
  return false
}
