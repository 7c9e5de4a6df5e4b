/** Values of AMQP headers for those who know no field types: exchanges that match headers, selectors and other doors. */
import type { HeaderValue } from '../../core/router/router.ts'
import { FieldTable, TypedValue } from './codec/field-table.ts'
import type { FieldValue } from './codec/field-table.ts'
import { TableView } from './codec/table-view.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
/** Is there, and equal to nothing: tables, arrays, and nothing itself. */
const INCOMPARABLE = Number.NaN

/** Text and bytes are text, timestamps milliseconds, other numbers the nearest that JavaScript has. */
export function headerValue(value: FieldValue): HeaderValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (value instanceof Uint8Array) return decoder.decode(value)
  if (!(value instanceof TypedValue)) return INCOMPARABLE
  const inner = value.value
  if (inner instanceof Uint8Array) return decoder.decode(inner)
  if (typeof inner === 'boolean') return inner
  return value.type === 'T' ? Number(inner) * 1000 : Number(inner)
}

/** What a header says as text; undefined for one that has no such form: tables, arrays, nothing. */
export function headerText(view: TableView): string | Uint8Array | undefined {
  const { type } = view
  if (type === 'S' || type === 'x') return view.content
  const { value } = view
  if (value === null || Array.isArray(value) || value instanceof FieldTable) return undefined
  if (!(value instanceof TypedValue)) return String(value as number | boolean)
  const inner = value.value
  return type === 'T' ? String(BigInt(inner as number | bigint) * 1000n) : String(inner)
}
