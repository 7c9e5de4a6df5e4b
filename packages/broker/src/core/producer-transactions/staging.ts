/** What waits for the end of a producer's transaction, beside what its cell stores. */
import { RecordBatchBuilder } from '@millrace/wire'
import type { LogId } from '../../storage/log-store.ts'
import type { HeldOffsets } from '../groups/consumer-groups.ts'
import { partitionOf, type Place, topicOf } from '../groups/place.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import { stagedBatch } from './staged-batch.ts'
import type { TransactionCell } from './transaction-cell.ts'

export class Staging {
  readonly cell: TransactionCell
  /** One past the last batch in its log, committed or not. */
  end = 0
  /** In its log. */
  bytes = 0
  /** What its places stand for. Some may be deleted by now. */
  readonly targets: Map<Place, PublishTarget> = new Map()
  readonly #holds: HeldOffsets[] = []

  constructor(cell: TransactionCell) {
    this.cell = cell
  }

  /** After a restart. @param targetOf by entity; undefined for what was deleted */
  restore(shard: Shard, targetOf: (entity: number) => PublishTarget | undefined): void {
    const { log, places } = this.cell
    if (log !== undefined) {
      const bounds = shard.store.bounds(log)
      this.end = bounds.end
      this.bytes = bounds.bytes
    }
    for (const place of places) {
      const target = targetOf(topicOf(place))
      if (target !== undefined) this.targets.set(place, target)
    }
  }

  hold(held: HeldOffsets): void {
    this.#holds.push(held)
  }

  /** The log was emptied. */
  clear(): void {
    this.bytes = 0
    this.targets.clear()
    for (const held of this.#holds) held.release()
    this.#holds.length = 0
  }
}

/** Appends batches to the logs in which they wait. */
export class Stager {
  readonly #shard: Shard
  readonly #builder: RecordBatchBuilder

  constructor(shard: Shard) {
    this.#shard = shard
    this.#builder = new RecordBatchBuilder(1024, shard.crc32c)
  }

  /** There is room in the open commit. @returns the bytes that it takes */
  append(staging: Staging, place: Place, batch: Uint8Array): number {
    const { store, platform } = this.#shard
    const log: LogId = (staging.cell.log ??= store.createLog())
    const stored = stagedBatch(this.#builder, platform.clock.nowMs(), place, batch)
    store.append(log, stored, 1)
    staging.end++
    staging.bytes += stored.length
    return stored.length
  }
}

/** Where a batch goes, as errors and lists name it. */
export function nameOf(target: PublishTarget, place: Place): string {
  return `${target.kind}:${target.name} partition ${partitionOf(place)}`
}
