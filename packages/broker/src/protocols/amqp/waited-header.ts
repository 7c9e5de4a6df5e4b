/** The header `x-delay` of a message that has waited in a delayed exchange: below zero, and a whole number, as RabbitMQ tells it. */
import { DELAY_HEADER } from '@millrace/wire'
import { encodeTable, longValue } from './codec/field-table.ts'
import { TableView, withoutEntries } from './codec/table-view.ts'
import { headerText } from './header-values.ts'

const names: ReadonlySet<string> = new Set([DELAY_HEADER])
const decoder = new TextDecoder()

/** @param text the header of the record @returns the number that is told; undefined when the message has not waited */
export function waitedMs(text: Uint8Array | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined
  const ms = Math.trunc(Number(decoder.decode(text)))
  return ms < 0 && Number.isSafeInteger(ms) ? ms : undefined
}

/** The table as it was published, with what became of the delay. What its publisher had set below zero already stays as it is. */
export function withWaitedMs(table: Uint8Array, text: Uint8Array, ms: number): Uint8Array {
  const view = new TableView(table)
  if (!view.find(DELAY_HEADER) || asText(headerText(view)) === decoder.decode(text)) return table
  const added = encodeTable({ [DELAY_HEADER]: longValue(ms) })
  const kept = withoutEntries(table, names)
  const whole = new Uint8Array(kept.length + added.length)
  whole.set(kept)
  whole.set(added, kept.length)
  return whole
}

function asText(value: string | Uint8Array | undefined): string | undefined {
  return value instanceof Uint8Array ? decoder.decode(value) : value
}
