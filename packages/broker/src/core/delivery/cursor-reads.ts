import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { StoredBatch } from '../../storage/log-store.ts'
import type { LogTail } from '../log-tail.ts'
import type { Shard } from '../shard.ts'
import { BatchWindow } from './batch-window.ts'
import type { CursorOwner } from './cursor-owner.ts'

/** What a cursor reads ahead of new messages, and apart from that of messages that came back. */
export class CursorReads {
  readonly #shard: Shard
  readonly #owner: CursorOwner
  readonly #log: LogTail
  readonly #onLoaded: () => void
  /** Made on first use. */
  #ahead: BatchWindow | undefined
  #back: BatchWindow | undefined
  /** Of those that came back, in a row: alone they come from anywhere, and what is read beyond them would be for nothing. */
  #cameBack = 0

  /** @param onLoaded what had answered `wait` may be asked again */
  constructor(shard: Shard, owner: CursorOwner, log: LogTail, onLoaded: () => void) {
    this.#shard = shard
    this.#owner = owner
    this.#log = log
    this.#onLoaded = onLoaded
  }

  /**
   * The batch that holds the committed `offset`, or the next one after it; undefined when there is none up to the end,
   * `wait` when it takes time or cannot be read, `moved` when the log now begins above `offset`.
   * @param cameBack how many messages from there on came back, or 0 for new ones
   */
  at(offset: number, cameBack: number): StoredBatch | 'wait' | 'moved' | undefined {
    const window = cameBack === 0 ? this.#windowAhead() : this.#windowBack(cameBack)
    try {
      const state = window.seek(offset)
      if (state === 'loading') return 'wait'
      if (state === 'found') return window.batch!
      assert(this.#shard.store.bounds(this.#log.id).end > offset, 'what is delivered is committed')
      return undefined
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      if (error.code === 'offset_out_of_range') {
        const { start } = this.#shard.store.bounds(this.#log.id)
        assert(start > offset, 'a cursor reads within its log')
        this.#log.trimmed(start)
        return 'moved'
      }
      this.#owner.failed(error)
      return 'wait'
    }
  }

  /** Nothing below `offset` will be asked for. */
  passed(offset: number, isNew: boolean): void {
    if (isNew) this.#ahead?.passed(offset)
    else this.#back?.passed(offset)
  }

  clear(): void {
    this.#ahead?.clear()
    this.#back?.clear()
  }

  #windowAhead(): BatchWindow {
    this.#ahead ??= this.#newWindow(() => this.#owner.credit())
    return this.#ahead
  }

  #windowBack(messages: number): BatchWindow {
    this.#cameBack = messages
    this.#back ??= this.#newWindow(() => Math.min(this.#cameBack, this.#owner.credit()))
    return this.#back
  }

  #newWindow(wanted: () => number): BatchWindow {
    const { store, windows } = this.#shard
    return new BatchWindow(store, this.#log.id, windows, wanted, () => this.#onLoaded())
  }
}
