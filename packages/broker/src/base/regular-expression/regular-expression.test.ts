import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileRegularExpression, escapeForPattern } from './regular-expression.ts'

/** Expressions that mean the same to JavaScript. */
const { expression } = fc.letrec<{ expression: string; item: string }>((tie) => ({
  item: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', 'c', '-', '.', '\\.', '\\d', '\\w', '\\s', '\\D', '\\W', '\\S', '\\b', '\\B', '^', '$', '1', '_'),
    fc.constantFrom('[ab]', '[^a]', '[a-c1]', '[\\d.]', '[^\\w]', '[.-]', '\\x61', '\\t'),
    tie('expression').map((inner) => `(${inner})`),
    tie('expression').map((inner) => `(?:${inner})`),
    tie('expression').map((inner) => `(?=${inner})`),
    tie('expression').map((inner) => `(?!${inner})`),
    fc
      .tuple(
        tie('expression').map((inner) => `(${inner})`),
        fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{0,2}?', '{2,}'),
      )
      .map((both) => both.join('')),
    fc
      .tuple(fc.constantFrom('a', 'b', '.', '\\w', '[bc]'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}'))
      .map((both) => both.join('')),
  ),
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('item'),
    fc.array(tie('item'), { maxLength: 4 }).map((items) => items.join('')),
    fc.tuple(tie('expression'), tie('expression')).map((both) => both.join('|')),
  ),
}))
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '_', '-', '.', ' ', '\t', 'A'), maxLength: 10 })

describe('a regular expression', () => {
  it('is found where that of JavaScript is', () => {
    fc.assert(
      fc.property(expression, fc.array(text, { minLength: 1, maxLength: 5 }), (pattern, texts) => {
        const found = compileRegularExpression(pattern)
        const reference = new RegExp(pattern)
        for (const each of texts) expect([pattern, each, found(each)]).toEqual([pattern, each, reference.test(each)])
      }),
      { numRuns: 5000 },
    )
  })

  it.each([
    ['.*', '', true],
    ['', '', true],
    ['^$', 'a', false],
    ['^amq\\.', 'amq.direct', true],
    ['^amq\\.', 'my.amq.direct', false],
    ['orders', 'all-orders-2', true],
    ['^(?!amq\\.).*', 'amq.gen-x', false],
    ['^(?!amq\\.).*', 'orders', true],
    ['^(?i)ORDERS$', 'orders', true],
    ['^(?i:O)rders$', 'orders', true],
    ['^(?i:O)rders$', 'oRDERS', false],
    ['a(?i)B|c', 'ab', true],
    ['(?i)[A-F]', 'd', true],
    ['^[]a]+$', ']a]', true],
    ['^[^]a]+$', 'b', true],
    ['^[[:alpha:]_]+$', 'ab_', true],
    ['^[[:^digit:]]$', '1', false],
    ['^a{,2}$', 'a{,2}', true],
    ['^{$', '{', true],
    ['^(?<year>\\d{4})-(?P<m>\\d\\d)$', '2024-05', true],
    ['^a(?#what comes)b$', 'ab', true],
    ['^\\Aab\\z$', 'ab', true],
    ['^.$', '😀', true],
    ['^\\x{1F600}$', '😀', true],
    ['^größe$', 'größe', true],
    ['(?s)a.b', 'a\nb', true],
    ['a.b', 'a\nb', false],
    ['^(a*)*$', 'aaab', false],
    ['^\\Qa', 'Qa', 'is not supported'],
    ['(?<=a)b', 'ab', 'lookbehind'],
    ['(?<!a)b', 'ab', 'lookbehind'],
    ['(a)\\1', 'aa', 'refers back'],
    ['(?>a)', 'a', 'atomic'],
    ['a++', 'a', 'possessive'],
    ['(*SKIP)a', 'a', 'verbs'],
    ['(?R)', 'a', 'there is no group'],
    ['*a', 'a', 'nothing before'],
    ['(a', 'a', 'has no )'],
    ['a)', 'a', 'too many'],
    ['[a', 'a', 'has no ]'],
    ['[z-a]', 'a', 'ends before it begins'],
    ['a{3,2}', 'a', 'ends before it begins'],
    ['a{5000}', 'a', 'more than 1000 times'],
    ['((a{100}){100}){100}', 'a', 'too large'],
    ['\\', 'a', 'ends too early'],
    ['[[:letter:]]', 'a', 'no class'],
    ['x'.repeat(3000), 'a', 'more than 2000'],
    ['('.repeat(500), 'a', 'deep'],
  ])('%s with %j: %s', (pattern, name, expected) => {
    if (typeof expected === 'boolean') expect(compileRegularExpression(pattern)(name)).toBe(expected)
    else expect(() => compileRegularExpression(pattern)).toThrow(expected)
  })

  it('takes time in proportion to the text, where trying all ways would take years', () => {
    const names = [1000, 4000].map((length) => 'a'.repeat(length))
    for (const pattern of [
      '^(a+)+$',
      '^(a|a)*$',
      '^(a|aa)+$',
      '^(.*.*.*)*b$',
      '^((?=a*)a)*$',
      `${'a?'.repeat(50)}${'a'.repeat(50)}b`,
    ]) {
      const found = compileRegularExpression(pattern)
      const steps = names.map((name) => {
        const started = performance.now()
        expect(found(`${name}!`)).toBe(false)
        return performance.now() - started
      })
      expect(Math.max(...steps)).toBeLessThan(2000)
    }
  })

  it('takes a text that was escaped as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (name, other) => {
        const same = compileRegularExpression(`^${escapeForPattern(name)}$`)
        expect(same(name)).toBe(true)
        expect(same(other)).toBe(name === other)
      }),
    )
  })
})
