import { crc32c } from '@millrace/wire'
import { MillraceError } from '../src/base/errors.ts'
import type { Journal } from '../src/ports/journal.ts'
import { NO_CHECKPOINT } from '../src/storage/checkpointer.ts'
import type { JournalLogStore } from '../src/storage/journal-log-store.ts'
import type { LogId, StoredBatch } from '../src/storage/log-store.ts'
import { rebuild, recover, type Recovered } from '../src/storage/recovery.ts'
import { describeIndex } from './index-description.ts'
import { isSame, type LogStoreModel, type ModelBatch, type ModelLog } from './log-store-model.ts'
import type { VirtualPlatform } from './virtual-platform.ts'

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

/** Compares what a store shows with what the model says. */
export class LogStoreChecks {
  readonly #store: JournalLogStore
  readonly #model: LogStoreModel
  readonly #platform: VirtualPlatform

  constructor(store: JournalLogStore, model: LogStoreModel, platform: VirtualPlatform) {
    this.#store = store
    this.#model = model
    this.#platform = platform
  }

  async verifyAll(): Promise<void> {
    const logs = [...this.#model.logs.keys()].toSorted((a, b) => a - b).join()
    const found = this.#store.logs().filter((log) => this.#store.index.logs.get(log)!.isCommitted)
    if (this.#model.pendingCount === 0) check(found.join() === logs, `the logs are ${found.join()}, not ${logs}`)
    for (const log of found) await this.verifyLog(log)
  }

  async verifyLog(log: LogId): Promise<void> {
    const state = this.#model.logs.get(log)!
    this.#verifyBounds(log, state)
    const visible = this.#model.visible(state)
    let from = state.start
    let n = 0
    for (;;) {
      const answer = this.#store.read(log, from, this.#platform.below(4000))
      const found = answer instanceof Promise ? await this.#platform.until(answer) : answer
      for (const batch of found) {
        const expected = visible[n++]
        check(
          batch.baseOffset === expected?.base && batch.lastOffset === expected.end - 1,
          `log ${log} has ${batch.baseOffset}..${batch.lastOffset} where ${expected?.base}..${(expected?.end ?? 0) - 1} should be`,
        )
        check(isSame(batch.bytes.subarray(8), expected.bytes), `the bytes of offset ${batch.baseOffset} in log ${log} differ`)
      }
      from = (found.at(-1)?.lastOffset ?? Infinity) + 1
      if (from >= state.end) break
    }
    check(n === visible.length, `log ${log} has ${n} batches, not ${visible.length}`)
    for (const outside of [state.start - 1, state.end + 1]) this.#verifyOutOfRange(log, outside)
  }

  /**
   * All that was there when the read began and is there now must be in what was found, in order and without gaps, from the first on; and
   * nothing may be in it that was never appended.
   */
  checkRead(log: LogId, from: number, found: readonly StoredBatch[], before: readonly ModelBatch[]): void {
    const state = this.#model.logs.get(log)
    const now = state === undefined ? [] : this.#model.visible(state)
    let end = from
    for (const batch of found) {
      check(batch.lastOffset >= end, `read from ${from} of log ${log}: ${batch.lastOffset} comes after ${end}`)
      check(
        this.#model.wasAppended(log, batch.baseOffset, batch.bytes.subarray(8)),
        `read from ${from} of log ${log}: what is at ${batch.baseOffset} was never appended there`,
      )
      end = batch.lastOffset + 1
    }
    for (const batch of now) {
      if (batch.end <= from || !before.includes(batch)) continue
      if (found.length > 0 && batch.base >= end) break
      check(
        found.some(({ baseOffset }) => baseOffset === batch.base),
        `read from ${from} of log ${log}: the batch at ${batch.base} is left out`,
      )
    }
  }

  async checkTimestamp(log: LogId, timestampMs: number): Promise<void> {
    const state = this.#model.logs.get(log)!
    const expected = this.#model.visible(state).find((batch) => batch.timestampMs >= timestampMs)
    const found = await this.#platform.until(this.#store.offsetForTimestamp(log, timestampMs))
    const offset = expected === undefined ? undefined : Math.max(expected.base, state.start)
    check(found === offset, `the offset for timestamp ${timestampMs} in log ${log} is ${found}, not ${offset}`)
  }

  async checkOldest(log: LogId): Promise<void> {
    const visible = this.#model.visible(this.#model.logs.get(log)!)
    const found = await this.#platform.until(this.#store.oldest(log, 10_000))
    let n = 0
    for (const info of found) {
      const from = n
      while (n < visible.length && visible[n]!.end <= info.lastOffset + 1) n++
      const inside = visible.slice(from, n)
      const extent = `${info.baseOffset}..${info.lastOffset} of log ${log}`
      check(inside.length > 0 && inside[0]!.base >= info.baseOffset, `the oldest batches lie elsewhere than in ${extent}`)
      check(
        Math.max(...inside.map((batch) => batch.timestampMs)) <= info.maxTimestampMs,
        `a timestamp in ${extent} is higher than it says`,
      )
    }
    check(n === visible.length, `the ${visible.length} batches of log ${log} are not all among the oldest`)
  }

  /** The index that was kept is the index that would be rebuilt. @returns in which ways it was rebuilt */
  async compareIndexes(journal: Journal): Promise<string[]> {
    const kept = describeIndex(this.#store.index)
    const bytes = new Map([...this.#store.index.logs.values()].map((log) => [log.id, log.bytes]))
    // The store goes on meanwhile: it may give up what only an older checkpoint needs.
    const { last } = this.#store.checkpoint
    const again = await this.#rebuilt(
      () => recover(journal, crc32c, this.#store.limits),
      () => this.#store.checkpoint.last === last,
    )
    if (again === undefined) return []
    check(describeIndex(again.index) === kept, `the index differs when it is rebuilt:\n${kept}\n\n${describeIndex(again.index)}`)
    for (const log of again.index.logs.values()) {
      const difference = log.bytes - bytes.get(log.id)!
      check(Math.abs(difference) < 1, `log ${log.id} has ${difference} more bytes when the index is rebuilt`)
    }
    if (!isWhole(journal)) return ['indexesCompared']
    const whole = await this.#rebuilt(
      () => rebuild(NO_CHECKPOINT, again.next, journal, crc32c, this.#store.limits),
      () => isWhole(journal),
    )
    if (whole === undefined) return ['indexesCompared']
    check(describeIndex(whole.index) === kept, 'the index differs when it is rebuilt from the first commit')
    return ['indexesCompared', 'indexesComparedFromStart']
  }

  async #rebuilt(rebuildIt: () => Promise<Recovered>, mustSucceed: () => boolean): Promise<Recovered | undefined> {
    try {
      return await this.#platform.until(rebuildIt())
    } catch (error) {
      if (mustSucceed()) throw error
      return undefined
    }
  }

  #verifyBounds(log: LogId, state: ModelLog): void {
    const bounds = this.#store.bounds(log)
    check(bounds.start === state.start, `log ${log} starts at ${bounds.start}, not at ${state.start}`)
    check(bounds.end === state.end, `log ${log} ends at ${bounds.end}, not at ${state.end}`)
    // Where a part was forgotten, its bytes are an estimate.
    if (state.hasGaps) return
    const bytes = this.#model.visible(state).reduce((sum, batch) => sum + batch.bytes.length + 8, 0)
    const isExact = bytes === 0 || (state.start === 0 && state.dead.size === 0)
    if (isExact) check(bounds.bytes === bytes, `log ${log} has ${bounds.bytes} bytes, not ${bytes}`)
  }

  #verifyOutOfRange(log: LogId, offset: number): void {
    let code: string | undefined
    try {
      void this.#store.read(log, offset, 1)
    } catch (error) {
      code = error instanceof MillraceError ? error.code : undefined
    }
    check(code === 'offset_out_of_range', `offset ${offset} of log ${log} is not out of range`)
  }
}

function isWhole(journal: Journal): boolean {
  const extents = journal.extents()
  return extents[0]?.first === 0 && extents.every((extent, n) => n === 0 || extent.first === extents[n - 1]!.next)
}
