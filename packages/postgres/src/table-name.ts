import { MillraceError } from '@millrace/client'
import { hash31 } from './hash.ts'

/** PostgreSQL cuts names at 63 bytes; ours get a suffix. */
const NAME_MAX = 48

/** A table and the names of what belongs to it. */
export class TableName {
  /** Quoted, with its schema. */
  readonly sql: string
  /** Channel for NOTIFY, unquoted. */
  readonly channel: string
  /** First half of the advisory locks of this table. */
  readonly lockClass: number
  readonly #schema: string
  readonly #name: string

  /** @param table `name` or `schema.name` @throws MillraceError `illegal_name` */
  constructor(table: string) {
    if (!/^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$/.test(table) || table.length > NAME_MAX) {
      throw new MillraceError(
        'illegal_name',
        `A table is named \`name\` or \`schema.name\` with a-z, 0-9 and _, at most ${NAME_MAX} characters, not ${JSON.stringify(table)}.`,
      )
    }
    const dot = table.indexOf('.')
    this.#schema = dot < 0 ? '' : `"${table.slice(0, dot)}".`
    this.#name = table.slice(dot + 1)
    this.sql = this.beside('')
    this.channel = table.replace('.', '_')
    this.lockClass = hash31(`millrace:${table}`)
  }

  /** A sequence or table that belongs to this one. */
  beside(suffix: string): string {
    return `${this.#schema}"${this.#name}${suffix}"`
  }

  /** An index of this table: those live in the table's schema by themselves. */
  index(suffix: string): string {
    return `"${this.#name}${suffix}"`
  }
}
