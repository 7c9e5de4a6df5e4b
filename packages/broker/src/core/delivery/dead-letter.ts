/** Moves messages to the dead letters: the append to the target and the end of the original land in one commit. */
import { BatchFormatError, batchRecordCount } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { KIB } from '../../base/units.ts'
import type { StoredBatch } from '../../storage/log-store.ts'
import type { Task } from '../dispatcher.ts'
import { Fifo } from '../fifo.ts'
import type { Shard } from '../shard.ts'
import { BatchWindow } from './batch-window.ts'
import type { Cursor } from './cursor.ts'
import type { CursorOwner } from './cursor-owner.ts'
import type { DeadLetterQueue } from './delivery-group.ts'
import type { LetterBox } from './letter-box.ts'
import { appendLetters, DEATHS_MAX, lettersBytes, LetterWriter, type Obituary } from './letter-writer.ts'
import type { DoomedRange } from './ranges.ts'

const MOVES_PER_SHARE = 16
const STATE_BYTES = 4 * KIB

export class DeadLetters implements DeadLetterQueue, Task {
  queued = false
  readonly #shard: Shard
  readonly #boxAt: (address: string) => LetterBox | undefined
  readonly #cursors = new Fifo<Cursor>()
  readonly #windows = new Map<Cursor, BatchWindow>()
  readonly #writer: LetterWriter
  /** Sources whose dead letters cannot go anywhere, to say so once. */
  readonly #stuck = new Set<string>()
  /** Those that have parked some. */
  readonly #parking = new Set<Cursor>()

  /** @param boxAt undefined when there is nothing of that address */
  constructor(shard: Shard, boxAt: (address: string) => LetterBox | undefined) {
    this.#shard = shard
    this.#boxAt = boxAt
    this.#writer = new LetterWriter(shard)
  }

  add(cursor: Cursor): void {
    if (cursor.burying) return
    cursor.burying = true
    this.#cursors.push(cursor)
    this.#shard.dispatcher.wake(this)
  }

  /** The topic or queue of that address is new, or the policy of that queue or subscription changed: what was parked may have somewhere to go. */
  reconsider(address: string): void {
    for (const cursor of this.#parking) {
      const { owner } = cursor
      if (!cursor.closed && owner.address !== address && owner.deadLetter !== address) continue
      this.#parking.delete(cursor)
      if (cursor.closed) continue
      this.#stuck.delete(owner.address)
      for (const range of cursor.doomedRanges) range.parked = false
      this.add(cursor)
    }
  }

  refused(owner: CursorOwner, batch: Uint8Array): void {
    const box = owner.deadLetter === undefined ? undefined : this.#boxAt(owner.deadLetter)
    if (box === undefined) return
    const obituary: Obituary = {
      source: owner.address,
      form: owner.deadLetterForm,
      partition: 0,
      death: 'overflow',
      attempts: 0,
      error: '',
    }
    const last = batchRecordCount(batch) - 1
    try {
      for (let first = 0; first <= last;) {
        const written = this.#writer.write(obituary, { batch, baseOffset: -1, first, last }, box)
        this.#shard.store.reserve(lettersBytes(written.letters))
        appendLetters(this.#shard, written.letters)
        // One that died too often is not kept: its publisher is told that it was refused.
        first = Math.max(written.last, first) + 1
      }
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#shard.warn(`messages that ${owner.address} refused cannot go to its dead letters: ${error.message}`)
    }
  }

  /** There is room again. */
  relieved(): void {
    if (this.#cursors.size > 0) this.#shard.dispatcher.wake(this)
  }

  work(): boolean {
    for (let moves = 0; moves < MOVES_PER_SHARE; moves++) {
      const cursor = this.#cursors.peek()
      if (cursor === undefined) return false
      const range = cursor.closed ? undefined : nextOf(cursor)
      if (range === undefined) {
        this.#done(cursor)
        continue
      }
      const went = this.#bury(cursor, range)
      if (went === 'full') return false
      if (went === 'loading') this.#done(cursor, false)
    }
    return true
  }

  #done(cursor: Cursor, all: boolean = true): void {
    this.#cursors.shift()
    cursor.burying = false
    if (!all) return
    this.#windows.get(cursor)?.clear()
    this.#windows.delete(cursor)
  }

  #bury(cursor: Cursor, range: DoomedRange): 'moved' | 'loading' | 'full' {
    const { store } = this.#shard
    const address = cursor.owner.deadLetter
    if (address === undefined) {
      cursor.buried(range, range.last, 'dropped')
      store.touch()
      return 'moved'
    }
    const box = this.#boxAt(address)
    if (box === undefined) {
      this.#spare(cursor, range, `${address} does not exist`)
      return 'moved'
    }
    if (!store.acceptsPublishes || store.pendingBytes > store.limits.pendingBytesHigh) return 'full'
    try {
      const window = this.#window(cursor)
      const state = window.seek(range.first)
      if (state === 'loading') return 'loading'
      const batch = window.batch
      if (state === 'end' || batch === undefined || batch.baseOffset > range.last) {
        cursor.buried(range, range.last, 'dropped')
        store.touch()
        return 'moved'
      }
      this.#move(cursor, range, batch, box)
    } catch (error) {
      if (!(error instanceof MillraceError) && !(error instanceof BatchFormatError)) throw error
      this.#spare(cursor, range, error.message)
    }
    return 'moved'
  }

  #move(cursor: Cursor, range: DoomedRange, batch: StoredBatch, box: LetterBox): void {
    const { store } = this.#shard
    const end = Math.min(range.last, batch.lastOffset)
    const dead = { batch: batch.bytes, baseOffset: batch.baseOffset, first: range.first, last: end }
    const { letters, last, areDropped } = this.#writer.write(obituaryOf(cursor, range), dead, box)
    if (last < range.first) {
      this.#park(
        cursor,
        range,
        range.first,
        `they died ${DEATHS_MAX} times and go round in circles; break the circle of dead letters`,
      )
      return
    }
    store.reserve(STATE_BYTES + lettersBytes(letters))
    appendLetters(this.#shard, letters)
    cursor.buried(range, last, areDropped ? 'dropped' : 'deadLettered')
    if (areDropped) store.touch()
    this.#stuck.delete(cursor.owner.address)
  }

  /** It stays in its queue. What has expired must not be delivered, though. */
  #spare(cursor: Cursor, range: DoomedRange, why: string): void {
    if (range.death === 'expired') {
      this.#park(cursor, range, range.last, why)
      return
    }
    cursor.spared(range)
    this.#warn(cursor, `stay where they are: ${why}`)
  }

  /** It stays in its queue, without being delivered, until something changes or it is redriven or purged. */
  #park(cursor: Cursor, range: DoomedRange, last: number, why: string): void {
    cursor.parked(range, last)
    this.#parking.add(cursor)
    this.#warn(cursor, `are kept there, undelivered: ${why}`)
  }

  #warn(cursor: Cursor, what: string): void {
    if (this.#stuck.has(cursor.owner.address)) return
    this.#stuck.add(cursor.owner.address)
    this.#shard.warn(`messages of ${cursor.owner.address} cannot go to its dead letters and ${what}`)
  }

  #window(cursor: Cursor): BatchWindow {
    let window = this.#windows.get(cursor)
    if (window === undefined) {
      const { store, windows, dispatcher } = this.#shard
      const wanted = (): number => cursor.doomedRanges.offsets
      window = new BatchWindow(store, cursor.log.id, windows, wanted, () => {
        this.add(cursor)
        dispatcher.run()
      })
      this.#windows.set(cursor, window)
    }
    return window
  }
}

function nextOf(cursor: Cursor): DoomedRange | undefined {
  for (const range of cursor.doomedRanges) if (!range.parked) return range
  return undefined
}

function obituaryOf({ owner, partition }: Cursor, { death, attempts, error }: DoomedRange): Obituary {
  return { source: owner.address, form: owner.deadLetterForm, partition, death, attempts, error }
}
