/** The logs and cursors of a queue by priority: one of each for every level that was used. See README.md. */
import { priorityOf, type RecordHeader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import type { LogId } from '../../storage/log-store.ts'
import { Cursor } from '../delivery/cursor.ts'
import type { DeliveryGroup } from '../delivery/delivery-group.ts'
import { type DeliveryState, newDeliveryState } from '../delivery/delivery-state.ts'
import type { Queue } from '../entities.ts'
import { LogTail } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import { DEFINITION_BYTES, LEVEL_BYTES, PRIORITIES_MAX } from './limits.ts'
import { LevelScan, refusePriority } from './level-scan.ts'
import { type BatchPart, splitByLevel } from './split-by-level.ts'

export class QueueLevels {
  /** By level; level 0 is always there. */
  readonly tails: (LogTail | undefined)[] = []
  /** How many levels there may be; more than 1: the queue has priorities. Grows. */
  count = 1
  readonly #shard: Shard
  readonly #entity: number
  readonly #group: DeliveryGroup
  readonly #onMade: () => void
  /** Made on first use: most queues have no priorities. */
  #scan: LevelScan | undefined

  /** @param onMade the definition of the queue changed */
  constructor(shard: Shard, entity: number, group: DeliveryGroup, onMade: () => void) {
    this.#shard = shard
    this.#entity = entity
    this.#group = group
    this.#onMade = onMade
  }

  /** A level as a restart found it. */
  add(level: number, tail: LogTail, state: DeliveryState): void {
    this.tails[level] = tail
    this.#group.add(new Cursor(this.#shard, this.#group, this.#entity, level, tail, state))
  }

  /** The log of a level, which is made, in the open commit, with its first message. There is room for `newLevelsBytes`. */
  at(level: number): LogTail {
    const known = this.tails[level]
    if (known !== undefined) return known
    const tail = new LogTail(this.#shard.store.createLog(), 0, 0)
    this.add(level, tail, newDeliveryState())
    this.#onMade()
    return tail
  }

  /** What making levels for so many parts of a batch adds to a commit, at most. */
  newLevelsBytes(parts: number): number {
    return this.isComplete ? 0 : parts * LEVEL_BYTES + DEFINITION_BYTES
  }

  /** Whether all levels are made. */
  get isComplete(): boolean {
    return this.#group.cursors.length === this.count
  }

  /** Logs of the levels that are there, lowest first. */
  logs(): LogTail[] {
    return this.tails.filter((tail) => tail !== undefined)
  }

  /** As they are stored: level and log, but for level 0. */
  get definition(): { priorities?: number; levels?: readonly (readonly [number, LogId])[] } {
    if (this.count === 1) return {}
    const levels = this.#group.cursors.slice(1).map(({ partition, log }) => [partition, log.id] as const)
    return { priorities: this.count, ...(levels.length === 0 ? {} : { levels }) }
  }

  /** Of one message; what is no priority counts as 0. */
  levelOf(headers: readonly RecordHeader[]): number {
    return Math.min(priorityOf(headers) ?? 0, this.count - 1)
  }

  /** @returns what the records of a batch have, until the next call. @throws MillraceError `bad_request` when one has no valid priority */
  check(batch: Uint8Array): LevelScan {
    return this.#scanner().scan(batch, this.count, refusePriority)
  }

  /** The level that all records of a batch go to; -1 when they go to several, or one has no valid priority. */
  sharedLevel(batch: Uint8Array): number {
    let isValid = true
    const scan = this.#scanner().scan(batch, this.count, () => (isValid = false))
    return isValid && !scan.isMixed ? scan.first : -1
  }

  #scanner(): LevelScan {
    return (this.#scan ??= new LevelScan())
  }

  /** A batch by level, in the order in which the levels come. Of one that was not checked, what is no priority counts as 0. */
  divide(batch: Uint8Array, scan: LevelScan = this.#scanner().scan(batch, this.count)): BatchPart[] {
    return scan.isMixed ? splitByLevel(batch, scan, this.#shard.crc32c) : [{ partition: scan.first, batch }]
  }
}

/** @throws MillraceError `bad_request` */
export function checkPriorities(priorities: number | undefined): number {
  if (priorities === undefined) return 1
  if (Number.isInteger(priorities) && priorities >= 1 && priorities <= PRIORITIES_MAX) return priorities
  throw new MillraceError(
    'bad_request',
    `priorities is the number of levels, a whole number from 1 (none) to ${PRIORITIES_MAX}, not ${JSON.stringify(priorities)}`,
  )
}

/** @throws MillraceError `bad_request` */
export function checkGrowth({ levels, group }: Queue, priorities: number): number {
  if (checkPriorities(priorities) >= levels.count) return priorities
  throw new MillraceError(
    'bad_request',
    `${group.address} has ${levels.count} priorities, and their number can only grow: messages may wait at those that would go`,
  )
}

/** @param priorities not fewer than it has */
export function usePriorities({ levels, target, group }: Queue, priorities: number): void {
  if (priorities > 1 && levels.count === 1) {
    target.levels = levels
    group.serveHighestFirst()
  }
  levels.count = priorities
}
