/** Reads one log and follows its end, without delivery state of its own. Over a queue it shows what is not settled. */
// hot path (packages/broker/test/core/throughput.mjs)
import { BatchFormatError } from '@millrace/wire'
import { MillraceError } from '../base/errors.ts'
import type { StoredBatch } from '../storage/log-store.ts'
import type { DeliverySink, Reader, StartPosition } from './broker.ts'
import { BatchWindow } from './delivery/batch-window.ts'
import type { Cursor } from './delivery/cursor.ts'
import { RecordRuns, hasGaps } from './delivery/record-runs.ts'
import type { Task } from './dispatcher.ts'
import { SEARCH_AHEAD } from './limits.ts'
import type { LogReader, LogTail } from './log-tail.ts'
import { RecordSearch } from './record-search.ts'
import type { Selector } from './selectors/selector.ts'
import type { Shard } from './shard.ts'
import { offsetAtTimestamp } from './start-position.ts'

const SLICES_PER_SHARE = 64

export interface ReaderSource {
  /** `queue:NAME` or `topic:NAME`. */
  readonly address: string
  readonly partition: number
  readonly tail: LogTail
  /** Of the queue that is browsed. */
  readonly cursor: Cursor | undefined
  /** Only what it takes is shown. */
  readonly selector: Selector | undefined
  /** Of the same browser: nothing is shown while these have something to show. */
  readonly before?: readonly PartitionReader[]
}

/** How many messages a reader may show; several may share it. */
export interface ReaderCredit {
  messages: number
}

export class PartitionReader implements Reader, LogReader, Task {
  queued = false
  readonly #shard: Shard
  readonly #source: ReaderSource
  readonly #sink: DeliverySink
  readonly #onClosed: (reader: PartitionReader) => void
  readonly #window: BatchWindow
  readonly #runs = new RecordRuns()
  readonly #search: RecordSearch | undefined
  readonly #credit: ReaderCredit
  #position = 0
  /** Its sink knows that everything before was looked at. */
  #told = 0
  /** It has looked at enough for this turn. */
  #isResting = false
  #state: 'seeking' | 'reading' | 'closed' = 'reading'
  #toldEnd = false

  /** @throws MillraceError `offset_out_of_range` */
  constructor(
    shard: Shard,
    source: ReaderSource,
    from: StartPosition,
    sink: DeliverySink,
    onClosed: (reader: PartitionReader) => void,
    credit: ReaderCredit = { messages: 0 },
  ) {
    this.#credit = credit
    this.#shard = shard
    this.#source = source
    this.#sink = sink
    this.#onClosed = onClosed
    const { selector } = source
    this.#search = selector === undefined ? undefined : new RecordSearch(selector)
    const ahead = (): number => (selector === undefined ? this.#credit.messages : SEARCH_AHEAD)
    const again = (): void => {
      shard.dispatcher.wake(this)
      shard.dispatcher.run()
    }
    this.#window = new BatchWindow(shard.store, source.tail.id, shard.windows, ahead, again)
    this.#begin(from)
    source.tail.readers ??= new Set()
    source.tail.readers.add(this)
    // It may be at the end already.
    shard.dispatcher.wake(this)
  }

  grant(messages: number): void {
    if (this.#state === 'closed' || !(messages > 0)) return
    this.#credit.messages += messages
    this.wake()
    this.#shard.dispatcher.run()
  }

  revoke(): void {
    this.#credit.messages = 0
  }

  /** There may be something to show: credit, or others have shown what they had. */
  wake(): void {
    if (this.#state !== 'closed') this.#shard.dispatcher.wake(this)
  }

  get atEnd(): boolean {
    return this.#state === 'reading' && this.#nextFrom(this.#position) >= this.#end()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#window.clear()
    this.#search?.clear()
    const { tail } = this.#source
    tail.readers?.delete(this)
    if (tail.readers?.size === 0) tail.readers = undefined
    this.#onClosed(this)
  }

  /** Ends it from the broker's side. */
  gone(reason: MillraceError): void {
    if (this.#state === 'closed') return
    this.close()
    this.#sink.closed(reason)
  }

  compacted(): void {
    this.#window.clear()
    this.#search?.clear()
  }

  committed(): void {
    if (this.#credit.messages > 0 || !this.#toldEnd) this.#shard.dispatcher.wake(this)
  }

  work(): boolean {
    if (this.#isResting) return false
    try {
      this.#search?.begin()
      const again = this.#deliver()
      this.#tellPassed()
      this.#tellEnd()
      if (this.#search === undefined || !again) return again
      this.#rest()
      return false
    } catch (error) {
      if (error instanceof BatchFormatError) {
        this.gone(
          new MillraceError(
            'data_corrupt',
            `${this.#source.address} cannot be read at offset ${this.#position}: ${error.message}`,
          ),
        )
        return false
      }
      if (!(error instanceof MillraceError)) throw error
      if (error.code === 'offset_out_of_range') {
        this.#position = Math.max(this.#position, this.#shard.store.bounds(this.#source.tail.id).start)
        return true
      }
      this.gone(error)
      return false
    }
  }

  #begin(from: StartPosition): void {
    const { store } = this.#shard
    const { tail, cursor, address, partition } = this.#source
    const { start, end } = store.bounds(tail.id)
    if (from === 'earliest') this.#position = start
    else if (from === 'latest') this.#position = end
    else if ('offset' in from) {
      const tooLow = from.offset < start && cursor === undefined
      if (tooLow || from.offset > end) {
        throw new MillraceError(
          'offset_out_of_range',
          `${address} partition ${partition} has the offsets ${start}..${end - 1}, and ${end} is the next; ${from.offset} is not among them: read from "earliest" or "latest"`,
        )
      }
      this.#position = Math.max(from.offset, start)
    } else {
      this.#state = 'seeking'
      void this.#seekTimestamp(from.timestampMs)
    }
  }

  async #seekTimestamp(timestampMs: number): Promise<void> {
    try {
      const offset = await offsetAtTimestamp(this.#shard.store, this.#source.tail.id, timestampMs)
      if (this.#state !== 'seeking') return
      this.#state = 'reading'
      this.#position = offset
      this.#shard.dispatcher.wake(this)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.gone(error)
    }
  }

  #deliver(): boolean {
    if (this.#source.before?.every((reader) => reader.atEnd) === false) return false
    const end = this.#state === 'reading' ? this.#end() : 0
    for (let slices = 0; slices < SLICES_PER_SHARE && this.#credit.messages > 0 && this.#state === 'reading';) {
      if (this.#search?.isSpent === true) return true
      const first = this.#nextFrom(this.#position)
      if (first >= end) {
        // It was not there yet when these records were appended.
        if (this.#source.tail.end > end) this.#shard.cycle.awaitNext(this)
        return false
      }
      const seen = this.#window.seek(first)
      if (seen === 'loading') return false
      const batch = this.#window.batch
      if (seen === 'end' || batch === undefined) {
        this.#position = end
        return false
      }
      if (batch.baseOffset > first) {
        this.#position = batch.baseOffset
        continue
      }
      let last = Math.min(this.#lastFrom(first, end), batch.lastOffset)
      if (this.#search !== undefined) {
        if (this.#deliverFound(this.#search, batch, first, last)) slices++
        continue
      }
      if (hasGaps(batch)) {
        const run = this.#runs.seek(batch, first)
        if (run > first) {
          this.#position = Math.min(run, batch.lastOffset + 1)
          continue
        }
        last = Math.min(last, this.#runs.last)
      }
      last = Math.min(last, first + this.#credit.messages - 1)
      this.#show(batch, first, last, last + 1)
      slices++
    }
    return this.#credit.messages > 0 && this.#state === 'reading'
  }

  /** Shows the next run of `first..last` that is found. @returns whether there was one */
  #deliverFound(search: RecordSearch, batch: StoredBatch, first: number, last: number): boolean {
    const isFound = search.find(batch, first, last, this.#credit.messages)
    if (isFound) this.#show(batch, search.first, search.last, search.next)
    else this.#moveTo(search.next)
    return isFound
  }

  #show(batch: StoredBatch, first: number, last: number, next: number): void {
    this.#credit.messages -= last - first + 1
    this.#told = last + 1
    this.#moveTo(next)
    this.#sink.deliver({
      partition: this.#source.partition,
      baseOffset: batch.baseOffset,
      first,
      last,
      attempt: 0,
      batch: batch.bytes,
    })
  }

  #moveTo(position: number): void {
    this.#position = position
    this.#window.passed(position)
  }

  /** Lets everybody else have their turn. */
  #rest(): void {
    this.#isResting = true
    this.#shard.platform.scheduler.endOfTurn(() => {
      this.#isResting = false
      if (this.#state === 'closed') return
      this.#shard.dispatcher.wake(this)
      this.#shard.dispatcher.run()
    })
  }

  #tellPassed(): void {
    if (this.#search === undefined || this.#state !== 'reading' || this.#position <= this.#told) return
    this.#told = this.#position
    this.#sink.passed?.(this.#source.partition, this.#position)
  }

  #tellEnd(): void {
    if (this.#toldEnd || !this.atEnd) return
    this.#toldEnd = true
    this.#sink.caughtUp?.()
  }

  #end(): number {
    return this.#shard.store.bounds(this.#source.tail.id).end
  }

  /** The first offset from `offset` on that is to be shown. */
  #nextFrom(offset: number): number {
    const { cursor } = this.#source
    if (cursor === undefined) return offset
    const run = cursor.outstandingFrom(offset)
    return Math.max(offset, run === undefined ? cursor.mark : run.first)
  }

  /** The end of the run to be shown that `first` is in. */
  #lastFrom(first: number, end: number): number {
    const { cursor } = this.#source
    return cursor === undefined || first >= cursor.mark ? end - 1 : (cursor.outstandingFrom(first)?.last ?? end - 1)
  }
}
