import { encodeText, isMessageProperty, messageProperties } from '@millrace/wire'
import { TableView, withoutEntries } from './codec/table-view.ts'
import { headerText } from './header-values.ts'

/** More routing keys; those of the second are nobody's business but the broker's. */
export const CARBON_COPY = 'CC'
export const BLIND_CARBON_COPY = 'BCC'
const blindKeys: ReadonlySet<string> = new Set([BLIND_CARBON_COPY])
const LONG_STRING = 'S'.charCodeAt(0)
const wholeTable: Uint8Array = encodeText(messageProperties.amqpHeaders)
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A record header, encoded. */
export interface TableHeader {
  readonly name: Uint8Array
  readonly value: Uint8Array
}

/**
 * Record headers of the entries, if that is all there is to know of them; otherwise their text where they have one, and the table itself.
 * @param whole a table that was checked
 */
export function tableHeaders(whole: Uint8Array): readonly TableHeader[] {
  const table = withoutEntries(whole, blindKeys)
  const headers: TableHeader[] = []
  const names = new Set<string>()
  const view = new TableView(table)
  let isPlain = table.length > 0
  while (view.next()) {
    const { name } = view
    const nameBytes = table.subarray(view.entryAt + 1, view.typeAt)
    const isUsable = !names.has(name) && !isMessageProperty(name) && isUtf8(nameBytes)
    isPlain &&= isUsable && table[view.typeAt] === LONG_STRING && isUtf8(view.content)
    names.add(name)
    const value = isUsable ? headerText(view) : undefined
    if (value !== undefined) headers.push({ name: nameBytes, value: typeof value === 'string' ? encodeText(value) : value })
  }
  return isPlain ? headers : [{ name: wholeTable, value: table }, ...headers]
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes)
    return true
  } catch {
    // That is the answer.
    return false
  }
}
