import { expect, test } from 'vitest'
import { dedupField, dedupPolicy } from './dedup-options.ts'

test('options are laid over the settings that there are', () => {
  expect(dedupPolicy({})).toEqual({})
  expect(dedupPolicy({}, { windowMs: 5 })).toEqual({})
  expect(dedupPolicy({ dedupWindow: 600_000 })).toEqual({ dedup: { windowMs: 600_000 } })
  expect(dedupPolicy({ dedupWindow: 7 }, { windowMs: 5, entriesMax: 9 })).toEqual({ dedup: { windowMs: 7, entriesMax: 9 } })
  expect(dedupPolicy({ dedupEntries: 3 }, { windowMs: 5, entriesMax: 9 })).toEqual({ dedup: { windowMs: 5, entriesMax: 3 } })
  expect(dedupPolicy({ dedupWindow: 'none', dedupEntries: 3 })).toEqual({ dedup: { windowMs: 0 } })
  expect(() => dedupPolicy({ dedupEntries: 3 })).toThrow(/needs --dedup-window/)
})

test('are shown', () => {
  expect(dedupField(undefined)).toEqual(['dedup window', 'none'])
  expect(dedupField({ windowMs: 600_000, entriesMax: 1000 })[1]).toMatch(/^10m.*, at most 1.*000 ids$/)
})
