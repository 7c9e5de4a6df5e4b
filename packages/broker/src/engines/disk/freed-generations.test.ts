import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFreed, withFreed } from './freed-generations.ts'
import { FREED_RANGES_MAX, type ManifestFacts } from './manifest.ts'

describe('freed generations', () => {
  it('are a set, kept as few ranges in order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 40 })), (generations) => {
        let freed: ManifestFacts['freed'] = []
        for (const generation of generations) freed = withFreed(freed, generation)!
        for (let generation = 0; generation < 45; generation++)
          expect(isFreed(freed, generation)).toBe(generations.includes(generation))
        for (let at = 1; at < freed.length; at++) expect(freed[at]![0]).toBeGreaterThan(freed[at - 1]![1] + 1)
      }),
    )
  })

  it('are refused when they would not fit, unless they close a gap', () => {
    let freed: ManifestFacts['freed'] = []
    for (let at = 0; at < FREED_RANGES_MAX; at++) freed = withFreed(freed, 4_000_000_000 + at * 2)!
    expect(withFreed(freed, 5)).toBeUndefined()
    expect(withFreed(freed, 4_000_000_001)).toHaveLength(FREED_RANGES_MAX - 1)
  })
})
