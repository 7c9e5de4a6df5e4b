import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyTable } from '../../../../test/amqp/any-method.ts'
import { encodeTable, FieldTable } from './field-table.ts'
import { TableView, withoutEntries } from './table-view.ts'

test('every entry is found by its name, wherever the table lies', () => {
  fc.assert(
    fc.property(anyTable, fc.nat({ max: 5 }), (table, at) => {
      const encoded = encodeTable(table)
      const bytes = new Uint8Array(at + encoded.length + 2).fill(255)
      bytes.set(encoded, at)
      const view = new TableView(bytes, at, at + encoded.length)
      for (const name of table.names) {
        expect(view.find(name)).toBe(true)
        expect(view.name).toBe(name)
        expect(encodeTable(new FieldTable([name], [view.value]))).toEqual(encodeTable(new FieldTable([name], [table.get(name)!])))
      }
      expect(view.get('no such name')).toBeUndefined()
    }),
  )
})

test('looking at one entry does not depend on what is in the others', () => {
  const table = encodeTable({ nested: { deep: [1] }, wanted: 'here' })
  expect(new TableView(table).get('wanted')).toBe('here')
})

test('entries that are left out, wherever they are', () => {
  fc.assert(
    fc.property(anyTable, fc.nat(), (table, n) => {
      const names = new Set(table.names.filter((_, place) => (place + n) % 2 === 0))
      const kept = table.names.flatMap((name, place) => (names.has(name) ? [] : [[name, table.values[place]!] as const]))
      const expected = new FieldTable(
        kept.map(([name]) => name),
        kept.map(([, value]) => value),
      )
      expect(withoutEntries(encodeTable(table), names)).toEqual(encodeTable(expected))
    }),
  )
})

test('a table that has none of the names is itself', () => {
  const table = encodeTable({ a: 1 })
  expect(withoutEntries(table, new Set(['b']))).toBe(table)
})
