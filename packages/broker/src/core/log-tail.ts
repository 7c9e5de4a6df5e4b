import type { MillraceError } from '../base/errors.ts'
import type { LogId } from '../storage/log-store.ts'
import type { CommitMember } from './commit-cycle.ts'

/** Who wants to know about new records of a log. */
export interface LogFollower {
  /** Records were appended in the open commit. */
  appended(): void
  /** Records below `start` are gone. */
  trimmed(start: number): void
  /** Records between others are gone: what was read ahead is out of date. */
  compacted(): void
  /** Some of the records that were appended expire by a time of their own. */
  expiring(): void
}

/** Who wants to know when new records of a log can be read. */
export interface LogReader {
  committed(): void
  compacted(): void
  /** The log is deleted. */
  gone(reason: MillraceError): void
}

/** How far a log is compacted. */
export interface CompactionState {
  /** Below this, every key occurs at most once. */
  readonly cleaned: number
  /** When the next tombstone can be removed, wall clock; undefined when there is none. */
  readonly tombstoneDueMs: number | undefined
}

/** A log as the core sees it: where the next record goes, and who follows it. */
export class LogTail implements CommitMember {
  readonly id: LogId
  /** One past the last record, committed or not. */
  end: number
  /** First offset that is kept. */
  start: number
  readonly followers: LogFollower[] = []
  /** Made on first use: most logs have none. */
  readers: Set<LogReader> | undefined
  /** Of a log of a compacted topic. */
  compaction: CompactionState | undefined
  gathered = false

  constructor(id: LogId, start: number, end: number) {
    this.id = id
    this.start = start
    this.end = end
  }

  /** Somebody else moved the start. */
  trimmed(start: number): void {
    if (start <= this.start) return
    this.start = start
    for (const follower of this.followers) follower.trimmed(start)
  }

  /** Compaction went through it. */
  compacted(): void {
    for (const follower of this.followers) follower.compacted()
    for (const reader of this.readers ?? []) reader.compacted()
  }

  /** The log is deleted. */
  gone(reason: MillraceError): void {
    for (const reader of this.readers ?? []) reader.gone(reason)
  }

  closing(): number {
    return 0
  }

  writeEarly(): void {}

  committed(): void {
    for (const reader of this.readers ?? []) reader.committed()
  }
}
