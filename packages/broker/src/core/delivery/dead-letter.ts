/** Moves messages to the dead letters: the append to the target and the end of the original land in one commit. */
import { BatchFormatError, RecordBatchBuilder, type RecordHeader, RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { KIB } from '../../base/units.ts'
import type { StoredBatch } from '../../storage/log-store.ts'
import type { Task } from '../dispatcher.ts'
import { Fifo } from '../fifo.ts'
import type { Shard } from '../shard.ts'
import { BatchWindow } from './batch-window.ts'
import type { Cursor } from './cursor.ts'
import type { DeadLetterQueue } from './delivery-group.ts'
import type { DoomedRange } from './ranges.ts'

/** Headers of a dead letter. They replace those of an earlier death. Values are text. */
const DEAD_LETTER_HEADERS = {
  /** `max-attempts`, `rejected` or `lease-expired`. */
  reason: 'millrace-dead-reason',
  /** How often it was delivered. */
  attempts: 'millrace-dead-attempts',
  /** `queue:NAME` or `topic:NAME/SUBSCRIPTION`. */
  source: 'millrace-dead-source',
  partition: 'millrace-dead-partition',
  offset: 'millrace-dead-offset',
  /** When it died, milliseconds since 1970. */
  time: 'millrace-dead-time',
  /** The timestamp it had, milliseconds since 1970. Its own timestamp is the time of death. */
  timestamp: 'millrace-dead-timestamp',
  /** What the consumer said last, if anything. */
  error: 'millrace-dead-error',
} as const

const HEADER_KEYS: ReadonlySet<string> = new Set(Object.values(DEAD_LETTER_HEADERS))
/** A move is cut off after a batch of this size, to share the turn. */
const MOVE_BYTES = 128 * KIB
const MOVES_PER_SHARE = 16
const STATE_BYTES = 4 * KIB

/** Where dead letters can be put. */
export interface DeadLetterTarget {
  /** The partition for a key, or any. */
  place(key: Uint8Array | null): number
  append(partition: number, batch: Uint8Array, records: number): void
}

interface Letter {
  readonly partition: number
  readonly batch: Uint8Array
  readonly records: number
}

const encoder = new TextEncoder()

export class DeadLetters implements DeadLetterQueue, Task {
  queued = false
  readonly #shard: Shard
  readonly #resolve: (address: string) => DeadLetterTarget | undefined
  readonly #cursors = new Fifo<Cursor>()
  readonly #windows = new Map<Cursor, BatchWindow>()
  readonly #builder: RecordBatchBuilder
  /** Sources whose target is missing, to say so once. */
  readonly #missing = new Set<string>()

  constructor(shard: Shard, resolve: (address: string) => DeadLetterTarget | undefined) {
    this.#shard = shard
    this.#resolve = resolve
    this.#builder = new RecordBatchBuilder(4 * KIB, shard.crc32c)
  }

  add(cursor: Cursor): void {
    if (cursor.burying) return
    cursor.burying = true
    this.#cursors.push(cursor)
    this.#shard.dispatcher.wake(this)
  }

  /** There is room again. */
  relieved(): void {
    if (this.#cursors.size > 0) this.#shard.dispatcher.wake(this)
  }

  work(): boolean {
    for (let moves = 0; moves < MOVES_PER_SHARE; moves++) {
      const cursor = this.#cursors.peek()
      if (cursor === undefined) return false
      const range = cursor.closed ? undefined : cursor.doomedRanges.first()
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
    const target = this.#resolve(address)
    if (target === undefined) {
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
      this.#move(cursor, range, batch, target)
    } catch (error) {
      if (!(error instanceof MillraceError) && !(error instanceof BatchFormatError)) throw error
      this.#spare(cursor, range, error.message)
    }
    return 'moved'
  }

  #move(cursor: Cursor, range: DoomedRange, batch: StoredBatch, target: DeadLetterTarget): void {
    const letters: Letter[] = []
    const last = this.#write(cursor, range, batch, target, letters)
    let bytes = STATE_BYTES
    for (const letter of letters) bytes += letter.batch.length
    this.#shard.store.reserve(bytes)
    for (const letter of letters) target.append(letter.partition, letter.batch, letter.records)
    cursor.buried(range, last, 'deadLettered')
    this.#missing.delete(cursor.owner.address)
  }

  /** Writes the letters of one batch. @returns the last offset that is done */
  #write(cursor: Cursor, range: DoomedRange, batch: StoredBatch, target: DeadLetterTarget, letters: Letter[]): number {
    const builder = this.#builder
    const reader = new RecordReader(batch.bytes)
    const nowMs = this.#shard.platform.clock.nowMs()
    const end = Math.min(range.last, batch.lastOffset)
    let partition = 0
    let bytes = 0
    const finish = (): void => {
      if (builder.records === 0) return
      const records = builder.records
      letters.push({ partition, batch: builder.finish().slice(), records })
    }
    while (reader.next()) {
      const offset = batch.baseOffset + reader.offsetDelta
      if (offset < range.first) continue
      if (offset > end) break
      if (bytes >= MOVE_BYTES) {
        finish()
        return offset - 1
      }
      const place = target.place(reader.key)
      if (place !== partition) finish()
      partition = place
      const before = builder.bytes
      builder.append(nowMs, reader.key, reader.value, [
        ...reader.headers.filter((header) => !HEADER_KEYS.has(header.key)),
        ...deathHeaders(cursor, range, offset, nowMs, reader.timestampMs),
      ])
      bytes += builder.bytes - before
    }
    finish()
    return end
  }

  #spare(cursor: Cursor, range: DoomedRange, why: string): void {
    cursor.spared(range)
    if (this.#missing.has(cursor.owner.address)) return
    this.#missing.add(cursor.owner.address)
    this.#shard.warn(`messages of ${cursor.owner.address} cannot go to its dead letters and stay where they are: ${why}`)
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

function text(key: string, value: string | number): RecordHeader {
  return { key, value: encoder.encode(String(value)) }
}

function deathHeaders(cursor: Cursor, range: DoomedRange, offset: number, nowMs: number, timestampMs: number): RecordHeader[] {
  const headers = [
    text(DEAD_LETTER_HEADERS.reason, range.death),
    text(DEAD_LETTER_HEADERS.attempts, range.attempts),
    text(DEAD_LETTER_HEADERS.source, cursor.owner.address),
    text(DEAD_LETTER_HEADERS.partition, cursor.partition),
    text(DEAD_LETTER_HEADERS.offset, offset),
    text(DEAD_LETTER_HEADERS.time, nowMs),
    text(DEAD_LETTER_HEADERS.timestamp, timestampMs),
  ]
  if (range.error !== '') headers.push(text(DEAD_LETTER_HEADERS.error, range.error))
  return headers
}
