import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileLike, compileSearch, type LikeMatcher, type TextSearch } from './like.ts'
import { LIKE_PATTERN_CHARACTERS_MAX } from './limits.ts'

function like(pattern: string, escape?: string): LikeMatcher {
  const matcher = compileLike(pattern, escape)
  if (typeof matcher === 'string') throw new Error(matcher)
  return matcher
}

/** The definition, tried in every way. */
function naive(pattern: readonly string[], text: readonly string[], escape: string | undefined): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return text.length === 0
  if (first === escape) return text[0] === rest[0] && naive(rest.slice(1), text.slice(1), escape)
  if (first === '%') return naive(rest, text, escape) || (text.length > 0 && naive(pattern, text.slice(1), escape))
  if (text.length === 0) return false
  return (first === '_' || first === text[0]) && naive(rest, text.slice(1), escape)
}

describe('LIKE', () => {
  test.each<[string, string | undefined, string, boolean]>([
    ['', undefined, '', true],
    ['', undefined, 'a', false],
    ['%', undefined, '', true],
    ['%', undefined, 'anything\nat all', true],
    ['_', undefined, '', false],
    ['_', undefined, '\n', true],
    ['_', undefined, '\u{1f600}', true],
    ['__', undefined, '\u{1f600}', false],
    ['%_\u{1f600}', undefined, '\u{1f600}\u{1f600}', true],
    ['%_%_%', undefined, 'a', false],
    ['%_%_%', undefined, 'ab', true],
    ['abc', undefined, 'ABC', false],
    ['ab%ba', undefined, 'aba', false],
    ['ab%ba', undefined, 'abba', true],
    ['%ab%ab%', undefined, 'abab', true],
    ['%ab%ab%', undefined, 'aab', false],
    ['%aab%', undefined, 'aaab', true],
    ['%a_c%', undefined, 'abbabc', true],
    ['a.c', undefined, 'abc', false],
    ['[a-z]*', undefined, 'a', false],
    ['100!%', '!', '100%', true],
    ['100!%', '!', '1000', false],
    ['!_!!', '!', '_!', true],
    ['a!bc', '!', 'abc', true],
    ['%%%%', '%', '%%', true],
    ['\u{1f600}%', '\u{1f600}', '%', true],
  ])('%j escaped by %j and %j: %s', (pattern, escape, text, expected) => expect(like(pattern, escape)(text)).toBe(expected))

  test('is what its definition says', () => {
    const characters = fc.constantFrom('a', 'b', '%', '_', '!', '\u{1f600}')
    const texts = fc.array(fc.constantFrom('a', 'b', '%', '!', '\u{1f600}'), { maxLength: 9 })
    fc.assert(
      fc.property(fc.array(characters, { maxLength: 9 }), texts, fc.constantFrom(undefined, '!'), (pattern, text, escape) => {
        const matcher = compileLike(pattern.join(''), escape)
        if (typeof matcher === 'string') expect(pattern.at(-1)).toBe('!')
        else expect(matcher(text.join(''))).toBe(naive(pattern, text, escape))
      }),
      { numRuns: 5000 },
    )
  })

  test('finds long parts, with and without _', () => {
    const long = fc.array(fc.constantFrom<string>('a', 'b'), { minLength: 20, maxLength: 140 })
    const around = fc.array(fc.constantFrom('a', 'b', '\u{1f600}'), { maxLength: 80 })
    fc.assert(
      fc.property(long, around, around, fc.nat(200), fc.boolean(), (part, before, after, hole, damaged) => {
        const pattern = part.map((character, n) => (hole % 3 === 0 && n % 7 === hole % 7 ? '_' : character)).join('')
        const text = [...before, ...part.with(hole % part.length, damaged ? 'c' : part[hole % part.length]!), ...after].join('')
        const plain = new RegExp(pattern.replaceAll('_', '.'), 'u')
        expect(like(`%${pattern}%`)(text)).toBe(plain.test(text))
        expect(like(`%${pattern}%${after.join('')}`)(text)).toBe(
          new RegExp(`${plain.source}.*${after.join('')}$`, 'u').test(text),
        )
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['parts that almost fit', `%${'a%'.repeat(500)}b`],
    ['a long part that almost fits', `%${'a'.repeat(1000)}b%`],
    ['a long part that almost fits from behind', `%b${'a'.repeat(1000)}%`],
    ['many _', `%${'_a'.repeat(500)}b%`],
    ['many short parts that do not fit', `${'%aaaaaaab'.repeat(100)}%`],
  ])('the time grows with the length of the text: %s', (_, pattern) => {
    expect(pattern.length).toBeLessThanOrEqual(LIKE_PATTERN_CHARACTERS_MAX)
    const text = 'a'.repeat(500_000)
    const start = process.cpuUsage()
    expect(like(pattern)(text)).toBe(false)
    // Comparing the pattern at each place would be 500 million steps and more.
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000).toBeLessThan(1500)
  })
})

test.each<[TextSearch, string, string, boolean]>([
  ['CONTAINS', 'b', 'abc', true],
  ['CONTAINS', '%', 'abc', false],
  ['CONTAINS', 'abc', 'abc', true],
  ['CONTAINS', 'x'.repeat(100), `a${'x'.repeat(100)}b`, true],
  ['CONTAINS', 'x'.repeat(100), `a${'x'.repeat(99)}b`, false],
  ['STARTSWITH', 'a_', 'a_c', true],
  ['STARTSWITH', 'a_', 'abc', false],
  ['STARTSWITH', 'b', 'abc', false],
  ['ENDSWITH', 'c', 'abc', true],
  ['ENDSWITH', 'b', 'abc', false],
  ['ENDSWITH', 'abcd', 'bcd', false],
])('%s %.20j in %.20j: %s', (search, text, value, expected) => {
  const matcher = compileSearch(search, text)
  if (typeof matcher === 'string') throw new Error(matcher)
  expect(matcher(value)).toBe(expected)
})
