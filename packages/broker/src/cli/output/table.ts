import pc from 'picocolors'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  /** Numbers read better on the right. */
  readonly align?: 'right'
}

/** Aligned columns under bold titles, for a terminal. */
export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], color: boolean): string {
  const titles = columns.map((column) => column.title)
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))))
  const widths = titles.map((title, n) => Math.max(title.length, ...cells.map((line) => line[n]!.length)))
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, n) => (columns[n]!.align === 'right' ? text.padStart(widths[n]!) : text.padEnd(widths[n]!)))
      .join('  ')
      .trimEnd()
  const title = line(titles)
  return [color ? pc.bold(title) : title, ...cells.map(line), ''].join('\n')
}

/** One row per line, cells separated by tabs, no titles: for other programs. */
export function renderPlain<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  return rows.map((row) => `${columns.map((column) => printable(column.cell(row))).join('\t')}\n`).join('')
}

/** Names and bodies come from users: whatever could move the cursor or break a line is shown as an escape. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
