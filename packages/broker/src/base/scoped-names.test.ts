import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_VHOST, isVhostName, scopedName, scopePrefix, splitScopedName } from './scoped-names.ts'

const text = fc.string({ unit: fc.constantFrom(':', '/', 'a', 'é', '.'), maxLength: 8 })
const vhost = text.filter(isVhostName)

describe('a scoped name', () => {
  it.each([
    ['/', 'orders', 'orders'],
    ['/', 'a::b', '::a::b'],
    ['/', '::', '::::'],
    ['/', '', ''],
    ['/', ':', ':'],
    ['prod', 'orders', 'prod::orders'],
    ['prod', ':x', 'prod:::x'],
    ['prod', 'a::b', 'prod::a::b'],
    [':x', 'q', ':x::q'],
    ['/prod', '', '/prod::'],
  ])('of %j and %j is %j', (host, name, scoped) => {
    expect(scopedName(host, name)).toBe(scoped)
    expect(splitScopedName(scoped)).toEqual({ vhost: host, name })
  })

  it('is split into what it was made of, and no two are the same', () => {
    fc.assert(
      fc.property(fc.oneof(vhost, fc.constant(DEFAULT_VHOST)), text, (host, name) => {
        expect(splitScopedName(scopedName(host, name))).toEqual({ vhost: host, name })
        expect(scopedName(host, name).startsWith(scopePrefix(host) ?? '')).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })
})

it.each([
  ['/', true],
  ['prod', true],
  ['a:b', true],
  [':a', true],
  ['größe', true],
  ['', false],
  ['a::b', false],
  ['a:', false],
  ['a\nb', false],
  ['x'.repeat(256), false],
  ['é'.repeat(128), false],
])('%j may be the name of a virtual host: %s', (name, expected) => {
  expect(isVhostName(name)).toBe(expected)
})
