import { expect, test } from 'vitest'
import { renderPlain, renderTable } from './table.ts'
import type { Column } from './table.ts'

const columns: readonly Column<{ name: string; ready: number }>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'READY', cell: ({ ready }) => String(ready), align: 'right' },
]
const rows = [
  { name: 'mail', ready: 7 },
  { name: 'payments', ready: 1200 },
]

test('columns are as wide as their longest cell', () => {
  expect(renderTable(rows, columns, false)).toBe(['NAME      READY', 'mail          7', 'payments   1200', ''].join('\n'))
})

test('piped, cells are separated by tabs and there are no titles', () => {
  expect(renderPlain(rows, columns)).toBe('mail\t7\npayments\t1200\n')
  expect(renderPlain([], columns)).toBe('')
})

test('control characters in names cannot move the cursor or add lines', () => {
  expect(renderPlain([{ name: 'a\u001b[2J\nb\tc', ready: 0 }], columns)).toBe('a\\u001b[2J\\u000ab\\u0009c\t0\n')
})
