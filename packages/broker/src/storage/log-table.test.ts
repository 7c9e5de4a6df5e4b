import { expect, test } from 'vitest'
import { LogState } from './log-state.ts'
import { LogTable } from './log-table.ts'

test('logs are found by id and walked in id order, also far apart and while some are deleted', () => {
  const table = new LogTable()
  const ids = [0, 1, 5, 1023, 1024, 5000, 123_456]
  for (const id of ids) table.add(new LogState(id, 0))
  expect(table.size).toBe(ids.length)
  expect([...table.values()].map((log) => log.id)).toEqual(ids)
  expect(table.get(1024)?.id).toBe(1024)
  expect([table.get(2), table.get(6000), table.get(10_000_000)]).toEqual([undefined, undefined, undefined])
  expect(table.atOrAfter(5001)?.id).toBe(123_456)

  const seen: number[] = []
  for (const log of table.values()) {
    seen.push(log.id)
    if (log.id === 1) table.delete(5)
    if (log.id === 1023) table.add(new LogState(1500, 0))
  }
  expect(seen).toEqual([0, 1, 1023, 1024, 1500, 5000, 123_456])
  table.delete(5)
  table.delete(4)
  expect(table.size).toBe(ids.length)
  for (const id of seen) table.delete(id)
  expect([table.size, table.atOrAfter(0)]).toEqual([0, undefined])
})
