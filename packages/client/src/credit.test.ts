import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteCredit, FixedCredit } from './credit.ts'

describe('credit in messages', () => {
  it('never lets more than that be outstanding, and never stops for ever', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.integer({ min: 1, max: 10 })), (window, frees) => {
        const credit = new FixedCredit(window)
        let atBroker = credit.restart()
        let held = 0
        for (const wanted of frees) {
          held += atBroker
          atBroker = 0
          const done = Math.min(wanted, held)
          held -= done
          const worth = credit.free(done)
          const granted = credit.take()
          expect(granted > 0).toBe(worth)
          atBroker += granted
          expect(atBroker + held).toBeLessThanOrEqual(window)
          if (held === 0) expect(atBroker).toBeGreaterThan(0)
        }
      }),
    )
  })
})

describe('credit in bytes', () => {
  it('grows with small messages and shrinks with large ones', () => {
    const credit = new ByteCredit(1_000_000)
    const first = credit.restart()
    expect(first).toBeLessThan(20)
    credit.seen(1000, 10)
    credit.free(first)
    expect(credit.take()).toBe(4096)
    credit.seen(400_000, 1)
    credit.free(4095)
    expect(credit.take()).toBe(1)
    credit.seen(5_000_000, 1)
    expect(credit.free(2)).toBe(true)
    expect(credit.take()).toBe(1)
  })

  it('always goes on once everything is given back', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1 }), (sizes) => {
        const credit = new ByteCredit(1_000_000)
        let outstanding = credit.restart()
        for (const size of sizes) {
          credit.seen(size, 1)
          credit.free(outstanding)
          outstanding = credit.take()
          expect(outstanding).toBeGreaterThan(0)
        }
      }),
    )
  })
})
