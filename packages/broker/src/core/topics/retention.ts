/**
 * Drops what exceeds the retention of topics, partition by partition: by time and by bytes whole batches, oldest first, by
 * count exactly. Time may empty a partition; bytes always leave its newest batch.
 */
import { MillraceError } from '../../base/errors.ts'
import { SECOND_MS } from '../../base/units.ts'
import type { Retention } from '../broker.ts'
import type { CommittedWaiters } from '../committed-waiters.ts'
import type { Topic } from '../entities.ts'
import { Fifo } from '../fifo.ts'
import type { LogTail } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import { Rounds } from './rounds.ts'

const PAUSE_MS: number = 10 * SECOND_MS
const VISITS_PER_TURN = 128
/** Batches that are looked at in one visit of a partition. */
const BATCHES_PER_VISIT = 1024

interface Visit {
  readonly topic: Topic
  readonly tail: LogTail
}

/** When the oldest batch of a partition expires by time. */
interface Expiry {
  readonly start: number
  readonly maxTimestampMs: number
}

export class RetentionRounds {
  readonly #shard: Shard
  readonly #topics: ReadonlyMap<string, Topic>
  readonly #waiters: CommittedWaiters
  readonly #rounds: Rounds
  readonly #expiries = new WeakMap<LogTail, Expiry>()

  constructor(shard: Shard, topics: ReadonlyMap<string, Topic>, waiters: CommittedWaiters) {
    this.#shard = shard
    this.#topics = topics
    this.#waiters = waiters
    this.#rounds = new Rounds(
      shard.platform.scheduler,
      PAUSE_MS,
      () => this.#round(),
      (error) => shard.warn(`retention stopped until its next round: ${String(error)}`),
    )
  }

  stop(): void {
    this.#rounds.stop()
  }

  async #round(): Promise<void> {
    let visits = 0
    const again = new Fifo<Visit>()
    const visit = async (topic: Topic, tail: LogTail): Promise<void> => {
      if (await this.#visit(topic, tail)) again.push({ topic, tail })
      if (++visits % VISITS_PER_TURN === 0) await this.#rounds.yield()
    }
    for (const topic of this.#topics.values()) {
      if (topic.cleanup === 'compact' || !isLimited(topic.retention)) continue
      for (const tail of topic.tails) {
        if (this.#rounds.stopped) return
        await visit(topic, tail)
      }
    }
    for (let next = again.shift(); next !== undefined && !this.#rounds.stopped; next = again.shift()) {
      await visit(next.topic, next.tail)
    }
  }

  /** @returns whether there may be more to drop */
  async #visit(topic: Topic, tail: LogTail): Promise<boolean> {
    const { store } = this.#shard
    try {
      // What the open commit trims still shows in the store.
      if (store.bounds(tail.id).start < tail.start) await this.#waiters.wait(store.ticket())
      if (topic.target.deleted) return false
      const { start, end, bytes } = store.bounds(tail.id)
      const { retention } = topic
      const nowMs = this.#shard.platform.clock.nowMs()
      let cut = Math.max(start, end - (retention.records ?? Infinity))
      let more = false
      if (bytes > (retention.bytes ?? Infinity) || this.#mayHaveExpired(tail, start, end, retention, nowMs)) {
        const found = await this.#cutByBatches(tail, retention, nowMs)
        if (topic.target.deleted) return false
        cut = Math.max(cut, found.cut)
        more = found.more
      }
      if (cut <= tail.start) return false
      store.trim(tail.id, cut)
      tail.trimmed(cut)
      return more
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'not_found') return false
      throw error
    }
  }

  #mayHaveExpired(tail: LogTail, start: number, end: number, retention: Retention, nowMs: number): boolean {
    if (retention.ms === undefined || start === end) return false
    const expiry = this.#expiries.get(tail)
    return expiry === undefined || expiry.start !== start || expiry.maxTimestampMs + retention.ms < nowMs
  }

  async #cutByBatches(tail: LogTail, retention: Retention, nowMs: number): Promise<{ cut: number; more: boolean }> {
    const { store } = this.#shard
    const { start, end, bytes } = store.bounds(tail.id)
    const batches = await store.oldest(tail.id, BATCHES_PER_VISIT)
    const [oldest] = batches
    if (oldest !== undefined) this.#expiries.set(tail, { start, maxTimestampMs: oldest.maxTimestampMs })
    let left = bytes
    let cut = start
    for (const batch of batches) {
      const isExpired = retention.ms !== undefined && batch.maxTimestampMs + retention.ms < nowMs
      const isTooMuch = left > (retention.bytes ?? Infinity) && batch.lastOffset + 1 < end
      if (!isExpired && !isTooMuch) return { cut, more: false }
      left -= batch.bytes
      cut = batch.lastOffset + 1
    }
    return { cut, more: batches.length === BATCHES_PER_VISIT }
  }
}

function isLimited(retention: Retention): boolean {
  return retention.ms !== undefined || retention.bytes !== undefined || retention.records !== undefined
}
