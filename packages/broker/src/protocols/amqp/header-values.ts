/** Values of AMQP headers for those who know no field types: exchanges that match headers, selectors and other doors. */
import type { HeaderValue } from '../../core/router/router.ts'
import { TypedValue } from './codec/field-table.ts'
import type { TableView } from './codec/table-view.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Of the entry that the view stands on. Text and bytes are text, timestamps milliseconds, other numbers the nearest that JavaScript has; null
 * for tables, arrays, and nothing itself, which are there and equal to nothing.
 */
export function headerValue(view: TableView): HeaderValue | null {
  const { type } = view
  if (type === 'S' || type === 'x') return decoder.decode(view.content)
  if (!isScalar(type)) return null
  const value = scalarOf(view)
  if (typeof value === 'boolean') return value
  return type === 'T' ? Number(value) * 1000 : Number(value)
}

/** As text, or its bytes; undefined for what has no such form: tables, arrays, nothing. */
export function headerText(view: TableView): string | Uint8Array | undefined {
  const { type } = view
  if (type === 'S' || type === 'x') return view.content
  if (!isScalar(type)) return undefined
  const value = scalarOf(view)
  return type === 'T' ? String(BigInt(value) * 1000n) : String(value)
}

function isScalar(type: string): boolean {
  return type !== 'F' && type !== 'A' && type !== 'V'
}

function scalarOf(view: TableView): number | bigint | boolean {
  const value = view.value as number | boolean | TypedValue
  return value instanceof TypedValue ? (value.value as number | bigint | boolean) : value
}
