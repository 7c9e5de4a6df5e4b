import { InvalidArgumentError } from 'commander'
import { expect, test } from 'vitest'
import {
  collectHeader,
  formatBackoff,
  orNone,
  parseBackoff,
  parseCount,
  parseDurationMs,
  parseIndex,
  parseRate,
  parseSize,
  parseStartPosition,
  parseWhole,
} from './quantities.ts'

test('durations and sizes', () => {
  expect([parseDurationMs('5m'), parseDurationMs('250'), parseSize('1GiB'), parseSize('10MB')]).toEqual([
    300_000,
    250,
    2 ** 30,
    10_000_000,
  ])
  for (const bad of ['', 'soon', '5 parsecs', '-1s']) expect(() => parseDurationMs(bad)).toThrow(InvalidArgumentError)
  for (const bad of ['', 'big', '5 m/s', '-1']) expect(() => parseSize(bad)).toThrow(InvalidArgumentError)
})

test('counts are whole and positive', () => {
  expect([parseCount('10_000'), parseCount('1e6'), parseIndex('0'), parseIndex('7')]).toEqual([10_000, 1_000_000, 0, 7])
  for (const bad of ['', '0', '-1', '1.5', 'many']) expect(() => parseCount(bad)).toThrow(InvalidArgumentError)
})

test('whole numbers may be below 0', () => {
  expect(['7', '0', '-7'].map(parseWhole)).toEqual([7, 0, -7])
  for (const bad of ['', '-', '1.5', '1e3', 'high']) expect(() => parseWhole(bad)).toThrow(InvalidArgumentError)
})

test('backoffs and rates', () => {
  expect([parseBackoff('fixed:5s'), parseBackoff('exponential:100ms'), parseBackoff('exponential:100ms..1m')]).toEqual([
    { kind: 'fixed', initialMs: 5000 },
    { kind: 'exponential', initialMs: 100 },
    { kind: 'exponential', initialMs: 100, maxMs: 60_000 },
  ])
  expect(parseBackoff('fixed:5s,jitter=0.2')).toEqual({ kind: 'fixed', initialMs: 5000, jitter: 0.2 })
  const both = { kind: 'exponential', initialMs: 100, maxMs: 60_000, factor: 3, jitter: 1 } as const
  expect(parseBackoff('exponential:100ms..1m,factor=3,jitter=1')).toEqual(both)
  expect(parseBackoff('exponential:100ms..1m,jitter=1,factor=3')).toEqual(both)
  expect(formatBackoff(both)).toBe('exponential:100ms..60s,factor=3,jitter=1')
  for (const settings of [',', ',jitter', ',jitter=', ',jitter=20%', ',jitter=-1', ',jitter=1,jitter=1', ',speed=1']) {
    expect(() => parseBackoff(`fixed:1s${settings}`)).toThrow(InvalidArgumentError)
  }
  expect(() => parseBackoff('fixed:1s,factor=2')).toThrow(InvalidArgumentError)
  for (const bad of ['', 'fixed', 'linear:1s', 'fixed:1s..2s', 'exponential:1s..', 'exponential:soon..1m']) {
    expect(() => parseBackoff(bad)).toThrow(InvalidArgumentError)
  }
  expect([parseRate('0.5'), parseRate('10_000')]).toEqual([0.5, 10_000])
  for (const bad of ['', '0', '-1', 'many', 'Infinity']) expect(() => parseRate(bad)).toThrow(InvalidArgumentError)
})

test('start positions', () => {
  expect(parseStartPosition('earliest')).toBe('earliest')
  expect(parseStartPosition('offset:12')).toEqual({ offset: 12 })
  expect(parseStartPosition('time:2026-01-31T12:00:00Z')).toEqual({ timestampMs: Date.UTC(2026, 0, 31, 12) })
  for (const bad of ['', 'newest', 'offset:', 'offset:-1', 'time:', 'time:noon']) {
    expect(() => parseStartPosition(bad)).toThrow(InvalidArgumentError)
  }
})

test('headers add up, and a value may hold an equals sign', () => {
  expect(collectHeader('b=x=y', collectHeader('a=1'))).toEqual({ a: '1', b: 'x=y' })
  for (const bad of ['', 'a', '=1']) expect(() => collectHeader(bad)).toThrow(InvalidArgumentError)
})

test('none takes a setting away', () => {
  expect([orNone(parseCount)('none'), orNone(parseCount)('3')]).toEqual(['none', 3])
})
