import { expect, test } from 'vitest'
import { missingMechanisms } from './log-store-mechanisms.ts'
import { simulateSeeds } from './run.ts'

test('the log store holds its invariants on the disk engine, seeds 501 to 1000', { timeout: 300_000 }, async () => {
  const coverage = await simulateSeeds('disk', 501, 500)
  expect(missingMechanisms('disk', coverage)).toEqual([])
})
