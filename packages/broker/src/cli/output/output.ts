import pc from 'picocolors'
import type { Format } from './format.ts'
import { renderPlain, renderTable } from './table.ts'
import type { Column } from './table.ts'

/** Results go to stdout in the format asked for; notes and progress go to stderr. */
export interface Output {
  readonly format: Format
  /** Whether stdout is a terminal: a table is then drawn for eyes, otherwise for `cut` and `awk`. */
  readonly terminal: boolean
  /** A list of like things. */
  rows<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): Promise<void>
  /** One thing; `fields` are shown in the table format. */
  object(value: unknown, fields: readonly (readonly [name: string, value: string])[]): Promise<void>
  /** Bytes for stdout, in order; resolves when there is room for more. */
  write(bytes: string | Uint8Array): Promise<void>
  /** One line for the person at the terminal, unless --quiet. */
  note(line: string): void
}

export function createOutput(format: Format, quiet: boolean): Output {
  const terminal = process.stdout.isTTY
  return {
    format,
    terminal,
    rows: async (rows, columns) => {
      if (format === 'json') return write(`${JSON.stringify(rows, null, 2)}\n`)
      if (format === 'ndjson') return write(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
      if (format === 'yaml') return write(await toYaml(rows))
      return write(terminal ? renderTable(rows, columns, pc.isColorSupported) : renderPlain(rows, columns))
    },
    object: async (value, fields) => {
      if (format === 'json') return write(`${JSON.stringify(value, null, 2)}\n`)
      if (format === 'ndjson') return write(`${JSON.stringify(value)}\n`)
      if (format === 'yaml') return write(await toYaml(value))
      return write(renderFields(fields, terminal))
    },
    write,
    note: (line) => {
      if (!quiet) process.stderr.write(`${line}\n`)
    },
  }
}

function write(bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(bytes)) resolve()
    else process.stdout.once('drain', resolve)
  })
}

async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml')
  return stringify(value)
}

function renderFields(fields: readonly (readonly [string, string])[], terminal: boolean): string {
  const width = Math.max(...fields.map(([name]) => name.length))
  const line = ([name, value]: readonly [string, string]): string =>
    terminal ? `${pc.bold(name.padEnd(width))}  ${value}\n` : `${name}\t${value}\n`
  return fields.map(line).join('')
}
