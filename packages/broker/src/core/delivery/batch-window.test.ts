import { expect, test } from 'vitest'
import type { LogStore, StoredBatch } from '../../storage/log-store.ts'
import { BatchWindow, WindowBudget } from './batch-window.ts'

/** Batches of 10 offsets and 100 bytes each, with a hole at 20..29; reads give three of them. */
function read(_log: number, from: number): readonly StoredBatch[] {
  const batches: StoredBatch[] = []
  for (let base = Math.floor(from / 10) * 10; batches.length < 3 && base < 100; base += 10) {
    if (base !== 20) batches.push({ baseOffset: base, lastOffset: base + 9, bytes: new Uint8Array(100) })
  }
  return batches
}

const atOnce = { read } as unknown as LogStore
const later = { read: (log: number, from: number) => Promise.resolve(read(log, from)) } as unknown as LogStore
const few = (): number => 1

test('finds the batch of an offset, or the next one after it', () => {
  const window = new BatchWindow(atOnce, 1, new WindowBudget(), few, () => {})
  const at = (offset: number): string => `${window.seek(offset)} ${window.batch?.baseOffset}`
  expect([at(5), at(10), at(25), at(9), at(39), at(40), at(3)]).toEqual([
    'found 0',
    'found 10',
    'found 30',
    'found 0',
    'found 30',
    'found 40',
    'found 0',
  ])
  expect(window.seek(100)).toBe('end')
})

test('lets go of what was passed', () => {
  const budget = new WindowBudget()
  const window = new BatchWindow(atOnce, 1, budget, few, () => {})
  window.seek(0)
  window.passed(39)
  expect(budget.bytes).toBe(300)
  window.passed(40)
  expect(budget.bytes).toBe(0)
})

test('says when a read takes time, and when it is done', async () => {
  let loaded = 0
  const window = new BatchWindow(later, 1, new WindowBudget(), few, () => loaded++)
  expect([window.seek(30), window.seek(30)]).toEqual(['loading', 'loading'])
  await Promise.resolve()
  await Promise.resolve()
  expect([loaded, window.seek(35), window.batch?.baseOffset]).toEqual([1, 'found', 30])
  expect(window.seek(100)).toBe('loading')
  await Promise.resolve()
  await Promise.resolve()
  expect(window.seek(100)).toBe('end')
})

test('all windows together stay within their budget', () => {
  const budget = new WindowBudget(1000)
  const windows = Array.from({ length: 50 }, () => new BatchWindow(atOnce, 1, budget, few, () => {}))
  for (const window of windows) {
    window.seek(0)
    expect(budget.bytes).toBeLessThanOrEqual(1000)
  }
  expect(windows[0]!.batch).toBe(undefined)
  expect(windows[0]!.seek(0)).toBe('found')
  for (const window of windows) window.clear()
  expect(budget.bytes).toBe(0)
})
