import { expect, test } from 'vitest'
import { missingMechanisms } from './log-store-mechanisms.ts'
import { simulateSeeds } from './run.ts'

test('the log store holds its invariants on the memory engine, seeds 501 to 1000', { timeout: 300_000 }, async () => {
  const coverage = await simulateSeeds('memory', 501, 500)
  expect(missingMechanisms('memory', coverage)).toEqual([])
})
