import { expect, test } from 'vitest'
import { CreditSlice } from './credit-slice.ts'
import { deliveryLimits as limits } from './limits.ts'

const KIB = 1024

test('credit is passed on in slices, again when half of one is used', () => {
  const slice = new CreditSlice(KIB)
  const whole = limits.sliceBytes / KIB
  expect(slice.pass(10_000)).toBe(whole)
  expect(slice.pass(10_000)).toBe(0)
  slice.delivered(whole / 2 - 1, (whole / 2 - 1) * KIB)
  expect(slice.pass(10_000)).toBe(0)
  slice.delivered(1, KIB)
  expect(slice.pass(10_000)).toBe(whole / 2)
  expect(slice.passed).toBe(whole)
  expect(new CreditSlice(KIB, 1 / 4).pass(10_000)).toBe(whole / 4)
})

test('no more is passed on than there is', () => {
  const slice = new CreditSlice(KIB)
  expect([slice.pass(-3), slice.pass(0), slice.pass(7), slice.pass(2)]).toEqual([0, 0, 7, 2])
  expect(new CreditSlice(1).pass(Infinity)).toBe(limits.sliceMessagesMax)
  expect(new CreditSlice(limits.sliceBytes * 5).pass(Infinity)).toBe(1)
})

test('what is taken back can be passed on again', () => {
  const slice = new CreditSlice(KIB)
  slice.pass(100)
  slice.delivered(30, 30 * KIB)
  expect(slice.takeBack()).toBe(70)
  expect([slice.passed, slice.takeBack(), slice.pass(70)]).toEqual([0, 0, 70])
  slice.delivered(71, 71 * KIB)
  expect(slice.passed).toBe(0)
})

test('slices shrink at once when messages grow, and grow slowly when they shrink', () => {
  const slice = new CreditSlice(KIB)
  const next = (bytes: number): number => {
    slice.delivered(1, bytes)
    slice.takeBack()
    return slice.pass(Infinity)
  }
  expect(next(64 * KIB)).toBe(16)
  expect(next(KIB)).toBe(18)
  for (let n = 0; n < 100; n++) next(KIB)
  expect(next(KIB)).toBeGreaterThan(1000)
})
