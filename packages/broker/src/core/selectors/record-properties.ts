// hot path
import type { RecordCursor } from '@millrace/wire'
import { unreachable } from '../../base/assert.ts'
import { RECORD_FIELDS } from './record-fields.ts'
import type { SelectorMessage, SelectorValue, ValueKind } from './selector-message.ts'
import { textAs } from './text-values.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
/** Longer texts are decoded by the platform. */
const SHORT_TEXT_BYTES = 24

/**
 * Shows the record that a cursor stands on to a selector. Headers have no types: each is the text of its bytes (UTF-8), and
 * the number or boolean that the text says where the selector wants one. Of several headers with one name the last counts.
 * Decodes only what is asked for, at the time it is asked for. Keep one for each selector, since it remembers names.
 */
export class RecordProperties implements SelectorMessage {
  #record: RecordCursor | undefined
  #deliveryCount: number | undefined
  readonly #names = new Map<string, Uint8Array>()

  /** @param deliveryCount which delivery this is, from 1; undefined where messages are read without being delivered */
  show(record: RecordCursor, deliveryCount?: number): this {
    this.#record = record
    this.#deliveryCount = deliveryCount
    return this
  }

  /** @throws BatchFormatError */
  property(name: string, wanted: ValueKind): SelectorValue {
    const record = this.#record
    if (record === undefined) return undefined
    const field = RECORD_FIELDS.get(name)
    if (field === undefined) return this.#header(record, name, wanted)
    switch (field.from) {
      case 'header':
        return this.#header(record, field.header, field.numeric ? 'number' : 'string') ?? field.absent
      case 'key':
        return record.keyLength < 0 ? undefined : textAs(textOf(record.batch, record.keyAt, record.keyLength), wanted)
      case 'timestamp':
        return record.timestampMs
      case 'deliveryCount':
        return this.#deliveryCount
      default:
        return unreachable(field)
    }
  }

  #header(record: RecordCursor, name: string, wanted: ValueKind): SelectorValue {
    let encoded = this.#names.get(name)
    if (encoded === undefined) this.#names.set(name, (encoded = encoder.encode(name)))
    if (!record.findHeader(encoded)) return undefined
    return textAs(textOf(record.batch, record.headerAt, record.headerLength), wanted)
  }
}

function textOf(bytes: Uint8Array, at: number, length: number): string {
  const end = at + length
  if (length > SHORT_TEXT_BYTES) return decoder.decode(bytes.subarray(at, end))
  let text = ''
  for (let n = at; n < end; n++) {
    const byte = bytes[n]!
    if (byte >= 0x80) return decoder.decode(bytes.subarray(at, end))
    text += String.fromCharCode(byte)
  }
  return text
}
