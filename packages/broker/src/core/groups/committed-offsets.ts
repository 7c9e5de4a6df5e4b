/** The offsets that groups have committed, durable in a log of their own: docs/formats/groups.md. */
import { MillraceError } from '../../base/errors.ts'
import type { Clock } from '../../ports/platform.ts'
import type { LogId } from '../../storage/log-store.ts'
import { CellLog, type CellLogHome } from '../state/cell-log.ts'
import type { RecoveredCells } from '../state/read-cell-log.ts'
import { GroupOffsets, type StoredOffset } from './group-offsets.ts'
import { OFFSET_CHANGE_BYTES, OFFSET_GROUPS_MAX, OFFSETS_LOG_BYTES_FLOOR, OFFSETS_PER_GROUP_MAX } from './limits.ts'
import type { Place } from './place.ts'

export interface CommittedOffsetsParts extends CellLogHome {
  readonly clock: Clock
  /** The log is there from now on: its id is to be kept in the open commit. */
  readonly onLogCreated: (log: LogId) => void
}

export interface OffsetChange {
  readonly place: Place
  readonly stored: StoredOffset
}

export class CommittedOffsets {
  readonly #parts: CommittedOffsetsParts
  readonly #groups = new Map<string, GroupOffsets>()
  readonly #log: CellLog<GroupOffsets>

  constructor(parts: CommittedOffsetsParts) {
    this.#parts = parts
    this.#log = new CellLog(parts, OFFSETS_LOG_BYTES_FLOOR, parts.onLogCreated)
  }

  /** Whoever was in a group is not any more. */
  restore(recovered: RecoveredCells<GroupOffsets>): void {
    this.#log.restore(recovered)
    for (const { cell } of recovered.cells) this.#groups.set(cell.group, cell)
    for (const group of this.#groups.keys()) this.occupancyChanged(group, false)
  }

  get(group: string): GroupOffsets | undefined {
    return this.#groups.get(group)
  }

  groups(): Iterable<GroupOffsets> {
    return this.#groups.values()
  }

  /** @returns what the changes add to a commit, at most. @throws MillraceError `limit_reached` when the group cannot have that many */
  check(group: string, changes: readonly OffsetChange[]): number {
    const known = this.#groups.get(group)
    if (known === undefined && this.#groups.size >= OFFSET_GROUPS_MAX) {
      throw new MillraceError(
        'limit_reached',
        `${OFFSET_GROUPS_MAX} groups have committed offsets: delete those that nobody uses`,
      )
    }
    let added = known?.size ?? 0
    for (const { place } of changes) if (known?.get(place) === undefined) added++
    if (added > OFFSETS_PER_GROUP_MAX) {
      throw new MillraceError(
        'limit_reached',
        `the group ${JSON.stringify(group)} would have offsets of ${added} partitions; ${OFFSETS_PER_GROUP_MAX} are allowed`,
      )
    }
    return offsetsBytes(group, changes)
  }

  /** Sets offsets with the open commit, which has room for them. @param isOccupied whether the group has members */
  set(group: string, changes: readonly OffsetChange[], isOccupied: boolean): void {
    if (changes.length === 0) return
    const offsets = this.#groups.get(group) ?? this.#create(group, isOccupied)
    for (const { place, stored } of changes) offsets.set(place, stored)
    this.#note(offsets, offsetsBytes(group, changes))
  }

  /** @returns how many of them there were */
  delete(group: string, places: readonly Place[]): number {
    const offsets = this.#groups.get(group)
    if (offsets === undefined) return 0
    const deleted = places.filter((place) => offsets.delete(place)).length
    this.#note(offsets)
    return deleted
  }

  /** @returns whether there was one */
  deleteGroup(group: string): boolean {
    const offsets = this.#groups.get(group)
    if (offsets === undefined) return false
    this.#remove(offsets)
    return true
  }

  /** The topic goes with the open commit. */
  topicDeleted(topic: number, partitions: number): void {
    for (const offsets of this.#groups.values()) {
      offsets.deleteTopic(topic, partitions)
      this.#note(offsets)
    }
  }

  /** Its first member came, or its last one left. */
  occupancyChanged(group: string, isOccupied: boolean): void {
    const offsets = this.#groups.get(group)
    if (offsets === undefined || (offsets.vacantSinceMs === undefined) === isOccupied) return
    offsets.changeVacancy(isOccupied ? undefined : this.#parts.clock.nowMs())
    this.#note(offsets)
  }

  /** Forgets what was committed before `sinceMs` in groups that had no members since. */
  expire(sinceMs: number): void {
    for (const offsets of this.#groups.values()) {
      offsets.expire(sinceMs)
      this.#note(offsets)
    }
  }

  // ---- inside -----------------------------------------------------------------------------------------------------------

  /** @param bytes about what the changes add to the commit, where that counts */
  #note(offsets: GroupOffsets, bytes = 0): void {
    if (!offsets.isChanged) return
    if (offsets.size === 0) this.#remove(offsets)
    else this.#log.changed(offsets, bytes)
    this.#parts.store.touch()
  }

  #create(group: string, isOccupied: boolean): GroupOffsets {
    const offsets = new GroupOffsets(this.#log.newEntity(), group, isOccupied ? undefined : 0)
    this.#groups.set(group, offsets)
    this.#log.snapshot(offsets, 0)
    return offsets
  }

  #remove(offsets: GroupOffsets): void {
    this.#groups.delete(offsets.group)
    this.#log.remove(offsets)
  }
}

/** What changes add to a commit, at most. */
export function offsetsBytes(group: string, changes: readonly OffsetChange[]): number {
  return changes.reduce(
    (bytes, { stored }) => bytes + OFFSET_CHANGE_BYTES + 3 * stored.metadata.length,
    OFFSET_CHANGE_BYTES + 3 * group.length,
  )
}
