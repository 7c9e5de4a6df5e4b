/** Field tables as bytes: looking at entries, and leaving some out, without decoding the others. */
import { encodeName } from '@millrace/wire'
import { decodeValue } from './field-table.ts'
import type { FieldValue } from './field-table.ts'
import { contentAt, endOfName, endOfValue } from './field-types.ts'
import { isSame } from './hot-methods.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The entries of a table, which was checked (`checkTable`). The bytes are borrowed as long as the view is used. */
export class TableView {
  readonly bytes: Uint8Array
  /** Of the entry that it stands on: where it begins, where its type octet is, and one past its last byte. */
  entryAt: number
  typeAt = 0
  entryEnd: number
  readonly #start: number
  readonly #end: number

  /** @param at where the entries begin, behind the length of the table */
  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.#start = this.entryAt = this.entryEnd = at
    this.#end = end
  }

  /** Moves to the next entry. @throws AmqpError `syntax-error` for a table that was not checked */
  next(): boolean {
    if (this.entryEnd >= this.#end) return false
    this.entryAt = this.entryEnd
    this.typeAt = endOfName(this.bytes, this.entryAt, this.#end)
    this.entryEnd = endOfValue(this.bytes, this.typeAt, this.#end)
    return true
  }

  get name(): string {
    return decoder.decode(this.bytes.subarray(this.entryAt + 1, this.typeAt))
  }

  /** As in `S` for long strings. */
  get type(): string {
    return String.fromCharCode(this.bytes[this.typeAt]!)
  }

  get value(): FieldValue {
    return decodeValue(this.bytes, this.typeAt, this.entryEnd)
  }

  /** The bytes of the value, without type and length. A view. */
  get content(): Uint8Array {
    return this.bytes.subarray(contentAt(this.bytes, this.typeAt), this.entryEnd)
  }

  /** Moves to the first entry of that name. */
  find(name: string): boolean {
    const wanted = encodeName(name)
    this.entryEnd = this.#start
    while (this.next()) {
      const nameAt = this.entryAt + 1
      if (this.typeAt - nameAt === wanted.length && isSame(this.bytes, nameAt, wanted, wanted.length)) return true
    }
    return false
  }

  get(name: string): FieldValue | undefined {
    return this.find(name) ? this.value : undefined
  }
}

/** The table without the entries of these names; itself when it has none of them. */
export function withoutEntries(table: Uint8Array, names: ReadonlySet<string>): Uint8Array {
  const view = new TableView(table)
  const kept = new Uint8Array(table.length)
  let length = 0
  while (view.next()) {
    if (names.has(view.name)) continue
    kept.set(table.subarray(view.entryAt, view.entryEnd), length)
    length += view.entryEnd - view.entryAt
  }
  return length === table.length ? table : kept.subarray(0, length)
}
