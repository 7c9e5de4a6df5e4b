// hot path (packages/broker/test/core/throughput.mjs)
import { PRIORITY_HEADER, PRIORITY_MAX, batchRecordCount, encodeText, readPriority, RecordCursor } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'

const HEADER: Uint8Array = encodeText(PRIORITY_HEADER)
const SHOWN_BYTES_MAX = 40
const decoder = new TextDecoder()

/** Finds the levels of a batch's records. What it found holds until the next scan. */
export class LevelScan {
  /** By position in the batch. */
  levels: Uint8Array = new Uint8Array(64)
  records = 0
  /** Of the first record. */
  first = 0
  /** Whether there are others. */
  isMixed = false

  /**
   * @param batch well-formed
   * @param priorities of the queue: what is above counts as the highest
   * @param problem called with what is no priority, and counts as 0
   */
  scan(batch: Uint8Array, priorities: number, problem?: (position: number, value: Uint8Array) => void): this {
    const count = batchRecordCount(batch)
    if (count > this.levels.length) this.levels = new Uint8Array(2 * count)
    const { levels } = this
    const highest = priorities - 1
    const record = new RecordCursor(batch)
    this.records = count
    this.isMixed = false
    for (let position = 0; record.next(); position++) {
      let level = 0
      if (record.findHeader(HEADER)) {
        const { headerAt, headerLength } = record
        const priority = readPriority(batch, headerAt, headerLength)
        if (priority === undefined) problem?.(position, batch.subarray(headerAt, headerAt + headerLength))
        else level = priority < highest ? priority : highest
      }
      levels[position] = level
      if (position === 0) this.first = level
      else if (level !== this.first) this.isMixed = true
    }
    return this
  }
}

/** @throws MillraceError `bad_request` */
export function refusePriority(position: number, value: Uint8Array): never {
  const text = JSON.stringify(decoder.decode(value.subarray(0, SHOWN_BYTES_MAX)))
  throw new MillraceError(
    'bad_request',
    `record ${position} of the batch has the header \`${PRIORITY_HEADER}\` ${text}: a priority is a whole number from 0 to ${PRIORITY_MAX}, in decimal digits`,
  )
}
