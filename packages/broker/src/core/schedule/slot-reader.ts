import type { StoredBatch } from '../../storage/log-store.ts'
import { BatchWindow } from '../delivery/batch-window.ts'
import type { ScheduleHome } from './schedule-home.ts'
import type { Slot } from './slots.ts'

/** Messages that are read ahead at least: the window turns that into bytes. */
const WANTED = 2048

/** Goes through the stored batches of a slot once. */
export class SlotReader {
  readonly slot: Slot
  at: number
  readonly #shard: ScheduleHome
  readonly #window: BatchWindow
  readonly #onReady: () => void

  /** @param onReady there is more to read after `next` answered `wait` */
  constructor(shard: ScheduleHome, slot: Slot, onReady: () => void) {
    this.slot = slot
    this.#shard = shard
    this.#onReady = onReady
    this.at = shard.store.bounds(slot.log).start
    this.#window = new BatchWindow(shard.store, slot.log, shard.windows, () => WANTED, onReady)
  }

  /**
   * The next stored batch; call `passed` when it is done with. `end`: all that was ever put into the slot was read.
   * @throws what `LogStore.read` throws
   */
  next(): StoredBatch | 'wait' | 'end' {
    if (this.at >= this.slot.end) return 'end'
    const state = this.#window.seek(this.at)
    if (state === 'loading') return 'wait'
    const { batch } = this.#window
    if (state === 'found' && batch !== undefined) return batch
    // The rest is not committed yet.
    this.#shard.cycle.awaitNext({ committed: this.#onReady })
    return 'wait'
  }

  passed(batch: StoredBatch): void {
    this.at = batch.lastOffset + 1
    this.#window.passed(this.at)
  }

  close(): void {
    this.#window.clear()
  }
}
