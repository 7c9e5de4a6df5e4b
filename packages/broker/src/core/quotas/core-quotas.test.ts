import { beforeEach, describe, expect, test } from 'vitest'
import { CoreQuotas } from './core-quotas.ts'
import { QUOTAS_MAX, WAIT_MS_MAX } from './limits.ts'
import type { QuotaSpec } from './quotas.ts'

let nowMs: number
let kept: readonly QuotaSpec[]
let quotas: CoreQuotas

beforeEach(() => {
  nowMs = 1_000_000
  kept = []
  quotas = new CoreQuotas({ nowMs: () => 0, monotonicMs: () => nowMs }, [], (specs) => {
    kept = specs
    return 7
  })
})

const publish = (user: string, clientId: string, bytes: number): number => quotas.charge(user, clientId, 'publish', bytes)

describe('a rate', () => {
  beforeEach(() => {
    quotas.set({ user: 'ann', publishBytesPerSecond: 1000 })
  })

  test('lets a second at once, and makes wait for what is more', () => {
    expect(publish('ann', '', 1000)).toBe(0)
    expect(publish('ann', '', 500)).toBe(500)
    nowMs += 500
    expect(publish('ann', '', 0)).toBe(0)
    expect(publish('ann', '', 100)).toBe(100)
  })

  test('is kept over time, however it is used', () => {
    let bytes = 0
    const untilMs = nowMs + 100_000
    while (nowMs < untilMs) {
      bytes += 3000
      nowMs += publish('ann', '', 3000)
    }
    expect(bytes).toBeGreaterThanOrEqual(100_000)
    expect(bytes).toBeLessThanOrEqual(105_000)
  })

  test('makes nobody wait for long', () => {
    expect(publish('ann', '', 1e12)).toBe(WAIT_MS_MAX)
  })

  test('is for what it says', () => {
    expect(quotas.charge('ann', '', 'consume', 1e9)).toBe(0)
    expect(publish('bob', '', 1e9)).toBe(0)
    expect([quotas.burstBytes('ann', 'x', 'publish'), quotas.burstBytes('ann', 'x', 'consume')]).toEqual([1000, Infinity])
  })

  test('is of milliseconds for a share of the time, and of partitions', () => {
    quotas.set({ user: 'ann', requestPercent: 5, partitionChangesPerSecond: 2 })
    expect(quotas.charge('ann', '', 'requests', 50)).toBe(0)
    expect(quotas.charge('ann', '', 'requests', 10)).toBe(200)
    expect(quotas.charge('ann', '', 'partitions', 2)).toBe(0)
    expect(quotas.charge('ann', '', 'partitions', 1)).toBe(500)
    expect(publish('ann', '', 1e9)).toBe(0)
  })

  test('ends when it is taken away', () => {
    quotas.remove({ user: 'ann' })
    expect(publish('ann', '', 1e9)).toBe(0)
    expect(kept).toEqual([])
  })
})

describe('the quota that counts', () => {
  const scopes: readonly QuotaSpec[] = [
    { user: 'ann', clientId: 'job' },
    { user: 'ann', clientId: '*' },
    { user: 'ann' },
    { user: '*', clientId: 'job' },
    { user: '*', clientId: '*' },
    { user: '*' },
    { clientId: 'job' },
    { clientId: '*' },
  ]

  test('is the one that says most', () => {
    for (const [n, scope] of scopes.entries()) quotas.set({ ...scope, publishBytesPerSecond: n + 1 })
    for (const [n, scope] of scopes.entries()) {
      expect(quotas.burstBytes('ann', 'job', 'publish')).toBe(n + 1)
      quotas.remove(scope)
    }
    expect(quotas.burstBytes('ann', 'job', 'publish')).toBe(Infinity)
  })

  test('counts together whom it is for', () => {
    quotas.set({ user: '*', publishBytesPerSecond: 1000 })
    publish('ann', 'a', 1000)
    expect([publish('ann', 'b', 500), publish('bob', 'a', 500)]).toEqual([500, 0])
    quotas.remove({ user: '*' })
    quotas.set({ clientId: 'a', publishBytesPerSecond: 1000 })
    publish('ann', 'a', 1000)
    expect([publish('bob', 'a', 500), publish('bob', 'b', 500)]).toEqual([500, 0])
    quotas.set({ user: '*', clientId: '*', publishBytesPerSecond: 1000 })
    publish('ann', 'a', 1000)
    expect([publish('ann', 'b', 500), publish('ann', 'a', 500)]).toEqual([0, 500])
  })
})

describe('quotas', () => {
  test('are kept, one for each scope', () => {
    quotas.set({ user: 'ann', publishBytesPerSecond: 1 })
    quotas.set({ user: 'ann', consumeBytesPerSecond: 2 })
    expect(kept).toEqual([{ user: 'ann', consumeBytesPerSecond: 2 }])
    expect(new CoreQuotas({ nowMs: () => 0, monotonicMs: () => nowMs }, kept, () => 0).list()).toEqual(kept)
  })

  test.each([
    ['for nobody', { publishBytesPerSecond: 1 }],
    ['of nothing', { user: 'ann' }],
    ['of less than a byte', { user: 'ann', publishBytesPerSecond: 0.5 }],
    ['of no number', { user: 'ann', consumeBytesPerSecond: NaN }],
    ['with something else', { user: 'ann', publishBytesPerSecond: 1, percent: 1 }],
    ['of no share', { user: 'ann', requestPercent: 0 }],
    ['of no partition', { user: 'ann', partitionChangesPerSecond: -1 }],
    ['for a long name', { user: 'a'.repeat(256), publishBytesPerSecond: 1 }],
  ])('%s are refused', (_, spec) => {
    expect(() => quotas.set(spec)).toThrow(expect.objectContaining({ code: 'bad_request' }))
    expect(kept).toEqual([])
  })

  test('are not taken away when they are not there, and are not too many', () => {
    expect(() => quotas.remove({ user: 'ann' })).toThrow(expect.objectContaining({ code: 'not_found' }))
    for (let n = 0; n < QUOTAS_MAX; n++) quotas.set({ user: `u${n}`, publishBytesPerSecond: 1 })
    expect(() => quotas.set({ user: 'ann', publishBytesPerSecond: 1 })).toThrow(
      expect.objectContaining({ code: 'limit_reached' }),
    )
  })
})
