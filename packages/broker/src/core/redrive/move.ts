/** What one commit of a redrive moves: gathered from one stored batch, then written together with the end of the originals. */
import { RecordBatchBuilder, type RecordCursor, type RecordHeader, readHeaders, RETRY_HEADER } from '@millrace/wire'
import type { Crc32c } from '../../ports/checksum.ts'
import { KIB } from '../../base/units.ts'
import type { Cursor } from '../delivery/cursor.ts'
import { DEAD_LETTER_HEADERS, headerText, retryOfTheLiving, textHeader, withoutDeath } from '../delivery/dead-letter-headers.ts'
import { asPublished } from '../delivery/death-history.ts'
import type { PublishTarget } from '../publish-target.ts'
import type { Shard } from '../shard.ts'
import { MOVE_BYTES, MOVE_STATE_BYTES, RUN_STATE_BYTES } from './limits.ts'

/** Headers of a message that was redriven. Values are text. */
export const REDRIVEN_HEADERS = {
  /** How often. */
  count: 'millrace-redriven-count',
  /** When last, milliseconds since 1970. */
  time: 'millrace-redriven-time',
} as const

/** What is written anew. */
const RENEWED: ReadonlySet<string> = new Set([...Object.values(REDRIVEN_HEADERS), RETRY_HEADER, DEAD_LETTER_HEADERS.retry])

interface Letter {
  readonly target: PublishTarget
  readonly partition: number
  readonly builder: RecordBatchBuilder
}

export class Move {
  messages = 0
  readonly #crc32c: Crc32c
  readonly #nowMs: number
  readonly #keepHeaders: boolean
  /** By target and partition, so that order holds in each. */
  readonly #letters = new Map<PublishTarget, Letter[]>()
  /** Pairs: first, last. */
  readonly #runs: number[] = []
  #bytes = 0

  constructor(crc32c: Crc32c, nowMs: number, keepHeaders: boolean) {
    this.#crc32c = crc32c
    this.#nowMs = nowMs
    this.#keepHeaders = keepHeaders
  }

  get isFull(): boolean {
    return this.#bytes >= MOVE_BYTES
  }

  add(offset: number, record: RecordCursor, given: readonly RecordHeader[], target: PublishTarget): void {
    const sent = record.keyLength < 0 ? null : record.batch.subarray(record.keyAt, record.keyAt + record.keyLength)
    const { key, headers } = asPublished(sent, given)
    const value = record.valueLength < 0 ? null : record.batch.subarray(record.valueAt, record.valueAt + record.valueLength)
    const { builder } = this.#letter(target, target.place(key, headers))
    const before = builder.bytes
    builder.append(this.#nowMs, key, value, this.#marked(headers))
    this.#bytes += builder.bytes - before
    this.messages++
    const end = this.#runs.length - 1
    if (end > 0 && this.#runs[end] === offset - 1) this.#runs[end] = offset
    else this.#runs.push(offset, offset)
  }

  /** Writes all of it into one commit. @throws MillraceError `record_too_large` */
  commit(shard: Shard, source: Cursor): void {
    if (this.messages === 0) return
    const letters = [...this.#letters.values()].flat()
    let bytes = MOVE_STATE_BYTES + this.#runs.length * RUN_STATE_BYTES
    for (const { builder } of letters) bytes += builder.bytes
    for (const [target, each] of this.#letters) bytes += target.newPartitionsBytes(each.length)
    shard.store.reserve(bytes)
    for (const { target, partition, builder } of letters) {
      const { records } = builder
      target.append(partition, builder.finish(), records)
    }
    for (let n = 0; n < this.#runs.length; n += 2) source.takeOut(this.#runs[n]!, this.#runs[n + 1]!)
    shard.cycle.bound()
  }

  #letter(target: PublishTarget, partition: number): Letter {
    let letters = this.#letters.get(target)
    if (letters === undefined) this.#letters.set(target, (letters = []))
    let letter = letters.find((each) => each.partition === partition)
    if (letter === undefined) {
      letter = { target, partition, builder: new RecordBatchBuilder(KIB, this.#crc32c) }
      letters.push(letter)
    }
    return letter
  }

  #marked(headers: readonly RecordHeader[]): RecordHeader[] {
    const before = Number(headerText(headers, REDRIVEN_HEADERS.count) ?? 0)
    const kept = this.#keepHeaders ? headers.filter((header) => header.key !== DEAD_LETTER_HEADERS.count) : withoutDeath(headers)
    return [
      ...kept.filter((header) => !RENEWED.has(header.key)),
      ...retryOfTheLiving(headers),
      textHeader(REDRIVEN_HEADERS.count, Number.isSafeInteger(before) && before > 0 ? before + 1 : 1),
      textHeader(REDRIVEN_HEADERS.time, this.#nowMs),
    ]
  }
}

export function headersOf(record: RecordCursor): readonly RecordHeader[] {
  return readHeaders(record.batch, record.headersAt, record.end)
}
