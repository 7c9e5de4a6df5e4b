import { expect, test } from 'vitest'
import { placesOfRecords } from './places-of-records.ts'

test('runs go on around duplicates, and one after the other', () => {
  const runs = [
    { position: 0, partition: 3, offset: 10 },
    { position: 4, partition: 1, offset: 7 },
  ]
  const duplicates = [
    { position: 1, partition: 2, offset: 5 },
    { position: 5, partition: 0, offset: -1 },
  ]
  expect(placesOfRecords(7, runs, duplicates)).toEqual([
    { partition: 3, offset: 10 },
    { partition: 2, offset: 5, duplicate: true },
    { partition: 3, offset: 11 },
    { partition: 3, offset: 12 },
    { partition: 1, offset: 7 },
    { partition: 0, offset: -1, duplicate: true },
    { partition: 1, offset: 8 },
  ])
})
