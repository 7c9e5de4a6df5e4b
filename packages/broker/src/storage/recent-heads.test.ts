import { expect, test } from 'vitest'
import { RecentHeads } from './recent-heads.ts'

function head(seq: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(seq)
}

test('keeps the heads that were added last, as many as there is room for', () => {
  const heads = new RecentHeads(100, 16)
  for (let seq = 0; seq < 10; seq++) heads.add(seq, head(seq, 30))
  expect([...Array(11).keys()].filter((seq) => heads.find(seq) !== undefined)).toEqual([7, 8, 9])
  for (const seq of [7, 8, 9]) expect(heads.find(seq)).toEqual(head(seq, 30))
})

test('keeps no more commits than it has places, and none that is too large', () => {
  const heads = new RecentHeads(1000, 4)
  for (let seq = 0; seq < 6; seq++) heads.add(seq, head(seq, 1))
  heads.add(6, new Uint8Array(1001))
  expect([...Array(7).keys()].filter((seq) => heads.find(seq) !== undefined)).toEqual([2, 3, 4, 5])
})

test('what was found stays as it was', () => {
  const heads = new RecentHeads(10, 4)
  heads.add(0, head(1, 10))
  const found = heads.find(0)
  heads.add(1, head(2, 10))
  expect(found).toEqual(head(1, 10))
  expect(heads.find(0)).toBeUndefined()
})

test('of any lengths, each that is found is the one that was added', () => {
  const heads = new RecentHeads(257, 8)
  for (let seq = 0; seq < 1000; seq++) {
    heads.add(seq, head(seq, (seq * 31) % 97))
    expect(heads.find(seq)).toEqual(head(seq, (seq * 31) % 97))
    for (let before = Math.max(0, seq - 9); before < seq; before++) {
      const found = heads.find(before)
      if (found !== undefined) expect(found).toEqual(head(before, (before * 31) % 97))
    }
  }
})
