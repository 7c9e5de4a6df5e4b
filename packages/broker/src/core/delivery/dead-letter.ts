/** Moves messages to the dead letters: the append to the target and the end of the original land in one commit. */
import { BatchFormatError, EXPIRES_AT_HEADER, RecordBatchBuilder, type RecordHeader, RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { unreachable } from '../../base/assert.ts'
import { KIB } from '../../base/units.ts'
import type { StoredBatch } from '../../storage/log-store.ts'
import type { DeathFact } from '../broker.ts'
import type { Task } from '../dispatcher.ts'
import { Fifo } from '../fifo.ts'
import { parseAddress } from '../names.ts'
import type { Shard } from '../shard.ts'
import { BatchWindow } from './batch-window.ts'
import type { Cursor } from './cursor.ts'
import type { DeadLetterQueue } from './delivery-group.ts'
import { DEAD_LETTER_HEADERS, headerText, textHeader, withoutDeath } from './dead-letter-headers.ts'
import type { DoomedRange } from './ranges.ts'

/** A message that died so often goes round in circles: it is not moved on. */
export const DEATHS_MAX = 32

/** A move is cut off after a batch of this size, to share the turn. */
const MOVE_BYTES = 128 * KIB
const MOVES_PER_SHARE = 16
const STATE_BYTES = 4 * KIB

/** Where dead letters can be put. */
export interface DeadLetterTarget {
  /** The partition for a message, or any. */
  place(key: Uint8Array | null, headers: readonly RecordHeader[]): number
  /** What new partitions for so many batches add to a commit, at most. */
  newPartitionsBytes(batches: number): number
  append(partition: number, batch: Uint8Array, records: number): void
}

interface Letter {
  readonly partition: number
  readonly batch: Uint8Array
  readonly records: number
}

export class DeadLetters implements DeadLetterQueue, Task {
  queued = false
  readonly #shard: Shard
  readonly #resolve: (address: string) => DeadLetterTarget | undefined
  readonly #cursors = new Fifo<Cursor>()
  readonly #windows = new Map<Cursor, BatchWindow>()
  readonly #builder: RecordBatchBuilder
  /** Sources whose dead letters cannot go anywhere, to say so once. */
  readonly #stuck = new Set<string>()
  /** Those that have parked some. */
  readonly #parking = new Set<Cursor>()

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
    if (last < range.first) {
      this.#park(
        cursor,
        range,
        range.first,
        `they died ${DEATHS_MAX} times and go round in circles; break the circle of dead letters`,
      )
      return
    }
    let bytes = STATE_BYTES + target.newPartitionsBytes(letters.length)
    for (const letter of letters) bytes += letter.batch.length
    this.#shard.store.reserve(bytes)
    for (const letter of letters) target.append(letter.partition, letter.batch, letter.records)
    cursor.buried(range, last, 'deadLettered')
    this.#stuck.delete(cursor.owner.address)
  }

  /** Writes the letters of one batch. @returns the last offset that is done: none if it is below the range */
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
      const { headers } = reader
      const deaths = deathsOf(headers)
      if (bytes >= MOVE_BYTES || deaths >= DEATHS_MAX) {
        finish()
        return offset - 1
      }
      const place = target.place(reader.key, headers)
      if (place !== partition) finish()
      partition = place
      const before = builder.bytes
      const { deadLetterContent, deadLetterHeaders = {} } = cursor.owner.deadLetterForm
      const isCopy = deadLetterContent !== 'headers'
      const kept = isCopy ? withoutDeath(headers) : []
      builder.append(nowMs, isCopy ? reader.key : null, isCopy ? reader.value : null, [
        ...kept.filter(({ key }) => key !== EXPIRES_AT_HEADER && !Object.hasOwn(deadLetterHeaders, key)),
        ...deathHeaders(cursor, range, offset, nowMs, reader.timestampMs, deaths + 1),
      ])
      bytes += builder.bytes - before
    }
    finish()
    return end
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

/** Somebody else may have written the header: what is no count counts as none. */
function deathsOf(headers: readonly RecordHeader[]): number {
  const deaths = Number(headerText(headers, DEAD_LETTER_HEADERS.count) ?? 0)
  return Number.isSafeInteger(deaths) && deaths > 0 ? deaths : 0
}

function nextOf(cursor: Cursor): DoomedRange | undefined {
  for (const range of cursor.doomedRanges) if (!range.parked) return range
  return undefined
}

function deathHeaders(
  cursor: Cursor,
  range: DoomedRange,
  offset: number,
  nowMs: number,
  timestampMs: number,
  deaths: number,
): RecordHeader[] {
  const headers = [
    textHeader(DEAD_LETTER_HEADERS.reason, range.death),
    textHeader(DEAD_LETTER_HEADERS.attempts, range.attempts),
    textHeader(DEAD_LETTER_HEADERS.source, cursor.owner.address),
    textHeader(DEAD_LETTER_HEADERS.partition, cursor.partition),
    textHeader(DEAD_LETTER_HEADERS.offset, offset),
    textHeader(DEAD_LETTER_HEADERS.time, nowMs),
    textHeader(DEAD_LETTER_HEADERS.timestamp, timestampMs),
    textHeader(DEAD_LETTER_HEADERS.count, deaths),
  ]
  if (range.error !== '') headers.push(textHeader(DEAD_LETTER_HEADERS.error, range.error))
  for (const [name, fact] of Object.entries(cursor.owner.deadLetterForm.deadLetterHeaders ?? {})) {
    headers.push(textHeader(name, factOf(fact, cursor, range, offset)))
  }
  return headers
}

function factOf(fact: DeathFact, { owner, partition }: Cursor, range: DoomedRange, offset: number): string | number {
  switch (fact) {
    case 'origin':
      return parseAddress(owner.address).name
    case 'subscription':
      return parseAddress(owner.address).subscription ?? ''
    case 'partition':
      return partition
    case 'offset':
      return offset
    case 'attempts':
      return range.attempts
    case 'reason':
      return range.error === '' ? range.death : range.error
    default:
      return unreachable(fact)
  }
}
