/** Reads one log and follows its end, without delivery state of its own. Over a queue it shows what is not settled. */
// hot path (packages/broker/test/core/throughput.mjs)
import { MillraceError } from '../base/errors.ts'
import type { DeliverySink, Reader, StartPosition } from './broker.ts'
import { BatchWindow } from './delivery/batch-window.ts'
import type { Cursor } from './delivery/cursor.ts'
import { RecordRuns, hasGaps } from './delivery/record-runs.ts'
import type { Task } from './dispatcher.ts'
import type { LogReader, LogTail } from './log-tail.ts'
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
  readonly #credit: ReaderCredit
  #position = 0
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
    const again = (): void => {
      shard.dispatcher.wake(this)
      shard.dispatcher.run()
    }
    this.#window = new BatchWindow(shard.store, source.tail.id, shard.windows, () => this.#credit.messages, again)
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
  }

  committed(): void {
    if (this.#credit.messages > 0 || !this.#toldEnd) this.#shard.dispatcher.wake(this)
  }

  work(): boolean {
    try {
      const again = this.#deliver()
      this.#tellEnd()
      return again
    } catch (error) {
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
      if (hasGaps(batch)) {
        const run = this.#runs.seek(batch, first)
        if (run > first) {
          this.#position = Math.min(run, batch.lastOffset + 1)
          continue
        }
        last = Math.min(last, this.#runs.last)
      }
      last = Math.min(last, first + this.#credit.messages - 1)
      this.#position = last + 1
      this.#credit.messages -= last - first + 1
      slices++
      this.#window.passed(this.#position)
      this.#sink.deliver({
        partition: this.#source.partition,
        baseOffset: batch.baseOffset,
        first,
        last,
        attempt: 0,
        batch: batch.bytes,
      })
    }
    return this.#credit.messages > 0 && this.#state === 'reading'
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
