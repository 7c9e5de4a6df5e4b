/** Finds the partitions of compacted topics that are worth it, and compacts them one at a time. */
import { MillraceError } from '../../base/errors.ts'
import { DAY_MS, KIB, MINUTE_MS, SECOND_MS } from '../../base/units.ts'
import { isCompacted } from '../definitions.ts'
import type { Topic } from '../entities.ts'
import type { LogTail } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import { COMPACTOR_KEYS_MAX, COMPACTOR_KEY_BYTES_MAX, Compactor, type CompactorLimits } from './compactor.ts'
import { Rounds } from './rounds.ts'

const PAUSE_MS: number = 30 * SECOND_MS
/** A log is compacted when what was added is this share of what was clean... */
const DIRTY_SHARE = 0.5
const DIRTY_BYTES_MIN: number = 256 * KIB
/** ...or when something was added and it was left alone for so long. */
const LEFT_ALONE_MS: number = 10 * MINUTE_MS

export const compactorDefaults: CompactorLimits = {
  keysMax: COMPACTOR_KEYS_MAX,
  keyBytesMax: COMPACTOR_KEY_BYTES_MAX,
  tombstoneMs: DAY_MS,
}

/** What this life of the broker knows of a log. */
interface Seen {
  cleanBytes: number
  atMs: number
}

export class CompactionRounds {
  readonly #shard: Shard
  readonly #topics: ReadonlyMap<string, Topic>
  readonly #limits: CompactorLimits
  readonly #rounds: Rounds
  readonly #seen = new WeakMap<LogTail, Seen>()
  /** Kept while there is something to compact: it is large. */
  #compactor: Compactor | undefined

  constructor(shard: Shard, topics: ReadonlyMap<string, Topic>, limits: CompactorLimits) {
    this.#shard = shard
    this.#topics = topics
    this.#limits = limits
    this.#rounds = new Rounds(
      shard.platform.scheduler,
      PAUSE_MS,
      () => this.#round(),
      (error) => shard.warn(`compaction stopped until its next round: ${String(error)}`),
    )
  }

  stop(): void {
    this.#rounds.stop()
  }

  async #round(): Promise<void> {
    for (const topic of this.#topics.values()) {
      if (!isCompacted(topic.cleanup)) continue
      for (const tail of topic.tails) {
        if (this.#rounds.stopped) return
        if (!topic.target.deleted && this.#isDue(tail)) await this.#compact(topic, tail)
      }
    }
    this.#compactor = undefined
  }

  #isDue(tail: LogTail): boolean {
    const { start, end, bytes } = this.#shard.store.bounds(tail.id)
    const cleaned = Math.max(tail.compaction?.cleaned ?? start, start)
    const { clock } = this.#shard.platform
    const nowMs = clock.monotonicMs()
    let seen = this.#seen.get(tail)
    if (seen === undefined) {
      const cleanShare = end === start ? 0 : (cleaned - start) / (end - start)
      seen = { cleanBytes: bytes * cleanShare, atMs: nowMs }
      this.#seen.set(tail, seen)
    }
    const dueMs = tail.compaction?.tombstoneDueMs
    if (dueMs !== undefined && dueMs <= clock.nowMs()) return true
    if (end <= cleaned) return false
    const dirtyBytes = bytes - seen.cleanBytes
    return dirtyBytes >= Math.max(DIRTY_BYTES_MIN, seen.cleanBytes * DIRTY_SHARE) || nowMs - seen.atMs >= LEFT_ALONE_MS
  }

  async #compact(topic: Topic, tail: LogTail): Promise<void> {
    const { store, stateLog, platform } = this.#shard
    this.#compactor ??= new Compactor(this.#shard, this.#limits, this.#rounds)
    try {
      const done = await this.#compactor.run(tail.id, tail.compaction?.cleaned ?? 0)
      if (done === undefined || topic.target.deleted) return
      tail.compaction = done
      tail.compacted()
      stateLog.snapshot(topic.cell)
      this.#seen.set(tail, { cleanBytes: store.bounds(tail.id).bytes, atMs: platform.clock.monotonicMs() })
    } catch (error) {
      this.#compactor = undefined
      if (error instanceof MillraceError && error.code === 'not_found') return
      throw error
    }
  }
}
