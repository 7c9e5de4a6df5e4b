import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../base/errors.ts'
import type { Dialect } from './dialect.ts'
import { LIKE_PATTERN_CHARACTERS_MAX, SELECTOR_CHARACTERS_MAX, SELECTOR_DEPTH_MAX, SELECTOR_NODES_MAX } from './limits.ts'
import { compileSelector, type SelectorValue } from './selector.ts'

function problemOf(selector: string, dialect: Dialect = 'jms'): string {
  try {
    compileSelector(selector, { dialect })
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError)
    expect((error as MillraceError).code).toBe('bad_selector')
    return (error as MillraceError).message
  }
  return 'none'
}

describe('what is wrong, and where', () => {
  test.each([
    ['color = )', 9, 'expected a name, a value or (, found ")"'],
    ['color =', 8, 'expected a name, a value or (, found the end'],
    ['AND a', 1, 'expected a name, a value or (, found "AND"'],
    ['a = 1 AMD b = 2', 7, 'expected an operator, AND, OR or the end, found "AMD"'],
    ["prop1 = prop2 foo AND string = 'Test'", 15, 'found "foo"'],
    ["=TEST 'test'", 1, 'found "="'],
    ['a == 1', 4, 'found "="'],
    ['a != 1', 3, 'write <> for "not equal"'],
    ['a && b', 3, '"&" has no meaning here'],
    ['a = 1 ; b', 7, '";" has no meaning here'],
    ['a = \u{1f600}', 5, '"\u{1f600}" has no meaning here'],
    ['a\u00a0= 1', 2, 'has no meaning here'],
    ['(a = 1', 7, 'expected an operator or ), found the end'],
    ['a = 1)', 6, 'expected an operator, AND, OR or the end, found ")"'],
    ['()', 2, 'found ")"'],
    ['a NOT 5', 7, 'expected one of BETWEEN, IN, LIKE, found "5"'],
    ['a IS 5', 6, 'expected NULL or NOT NULL, found "5"'],
    ['a IS NOT', 9, 'expected NULL, found the end'],
    ['a BETWEEN 1', 12, 'expected AND and the upper bound, found the end'],
    ["a IN 'x'", 6, 'expected ( and a list of texts, found "\'x\'"'],
    ['a IN ()', 7, 'expected a text in quotes, found ")"'],
    ['a IN (1, 2)', 7, 'expected a text in quotes, found "1"'],
    ["a IN ('x' 'y')", 11, 'expected a comma or ), found "\'y\'"'],
    ["a IN ('x',)", 11, 'expected a text in quotes'],
    ['a LIKE b', 8, 'expected a pattern in quotes, found "b"'],
    ["a LIKE 'x' ESCAPE 5", 19, 'expected an escape character in quotes'],
    ["a LIKE 'x' ESCAPE 'ab'", 19, 'ESCAPE takes exactly one character'],
    ["a LIKE 'x' ESCAPE ''", 19, 'ESCAPE takes exactly one character'],
    ["a LIKE 'x!' ESCAPE '!'", 8, 'nothing follows the escape character'],
    ["a = 'x", 5, "this text is not closed with '"],
    ["a = 'x''", 5, "this text is not closed with '"],
    ['"a = 1', 1, 'this name is not closed with "'],
    ['"" = 1', 1, 'a name has no characters'],
    ['a /* b', 3, 'this comment is not closed'],
    ['a = NULL', 5, 'write IS NULL or IS NOT NULL'],
    ['NULL IS NULL', 1, 'write IS NULL or IS NOT NULL'],
    ['NULL', 1, 'write IS NULL or IS NOT NULL'],
    ['BETWEEN = 1', 1, 'found "BETWEEN"'],
    ['5abc = 1', 2, 'found "abc"'],
    ['1E = 1', 2, 'found "E"'],
    ['0x = 1', 2, 'found "x"'],
    ['a = 09', 5, 'a number with a leading 0 is octal'],
    ['a = 1E400', 5, 'beyond the range of a double'],
    ['a = 9223372036854775808', 5, 'needs more than 64 bits'],
    ['a = 1-9223372036854775808', 7, 'needs more than 64 bits'],
    ['a = -9223372036854775809', 6, 'needs more than 64 bits'],
    ['a = 0xffffffffffffffff', 5, 'needs more than 64 bits'],
    [`a = ${'9'.repeat(10_000)}`, 5, 'needs more than 64 bits'],
    ['JMSReplyTo IS NULL', 1, 'JMSReplyTo cannot be used in a selector'],
    ['a = 1 AND JMSRedelivered', 11, 'JMSRedelivered cannot be used in a selector'],
    ["a CONTAINS 'x'", 3, 'found "CONTAINS"'],
    ['3+5', 1, 'a condition was expected here, not a number'],
    ['TRUE AND 3+5', 10, 'a condition was expected here, not a number'],
    ["'x'", 1, 'a condition was expected here, not a text'],
    ["NOT 'x'", 5, 'a condition was expected here, not a text'],
    ["a > 'abc'", 5, 'a number was expected here, not a text'],
    ["'abc' <= a", 1, 'a number was expected here, not a text'],
    ['a > TRUE', 5, 'a number was expected here, not a condition'],
    ['1 < a < 3', 1, 'a number was expected here, not a condition'],
    ['a + (b = 1) > 2', 6, 'a number was expected here, not a condition'],
    ["a BETWEEN 'a' AND 'b'", 11, 'a number was expected here, not a text'],
    ["-'x' = 1", 2, 'a number was expected here, not a text'],
    ["a + 'x' = 1", 5, 'a number was expected here, not a text'],
    ["5 LIKE 'x'", 1, 'a text was expected here, not a number'],
    ["(a AND b) IN ('x')", 2, 'a text was expected here, not a condition'],
  ])('%.60s', (selector, column, problem) => {
    const message = problemOf(selector)
    expect(message).toContain(`at column ${column}: `)
    expect(message).toContain(problem)
  })

  test('a line shows the place', () => {
    expect(problemOf('color = ) AND x')).toBe(
      'The selector is wrong at column 9: expected a name, a value or (, found ")".\n  color = ) AND x\n          ^',
    )
    expect(problemOf(`${'a OR '.repeat(100)}\tb c${' OR a'.repeat(100)}`)).toBe(
      [
        'The selector is wrong at column 504: expected an operator, AND, OR or the end, found "c".',
        '  OR a OR a OR a OR a OR a OR a OR  b c OR a OR a OR a OR a OR a OR a OR a',
        `  ${' '.repeat(36)}^`,
      ].join('\n'),
    )
  })
})

describe('limits', () => {
  test('characters', () => {
    expect(problemOf(`a${' '.repeat(SELECTOR_CHARACTERS_MAX - 1)}`)).toBe('none')
    expect(problemOf(`a${' '.repeat(SELECTOR_CHARACTERS_MAX)}`)).toContain(`at most ${SELECTOR_CHARACTERS_MAX}`)
  })

  test.each(['(', 'NOT ', '- ', '+ '])('levels of %j', (level) => {
    const nested = (levels: number): string =>
      `1 = 1 OR ${level === 'NOT ' ? '' : '0 = '}${level.repeat(levels)}a${level === '(' ? ')'.repeat(levels) : ''}`
    expect(problemOf(nested(SELECTOR_DEPTH_MAX))).toBe('none')
    expect(problemOf(nested(SELECTOR_DEPTH_MAX + 1))).toContain(`more than ${SELECTOR_DEPTH_MAX} levels`)
    expect(problemOf(level.repeat(SELECTOR_CHARACTERS_MAX / 4))).toContain('levels')
    expect(problemOf(Array.from({ length: SELECTOR_DEPTH_MAX + 1 }, () => nested(1)).join(' AND '))).toBe('none')
  })

  test('operators, names and values', () => {
    expect(problemOf(Array.from({ length: SELECTOR_NODES_MAX - 1 }, () => 'a').join(' OR '))).toBe('none')
    expect(problemOf(Array.from({ length: SELECTOR_NODES_MAX }, () => 'a').join(' OR '))).toContain(
      `more than ${SELECTOR_NODES_MAX}`,
    )
    const sum = Array.from({ length: SELECTOR_NODES_MAX / 2 - 1 }, () => '1').join('+')
    expect(compileSelector(`${sum} = ${SELECTOR_NODES_MAX / 2 - 1}`).matches({ property: () => undefined })).toBe(true)
    expect(problemOf(`${sum}+1+1 = 5`)).toContain(`more than ${SELECTOR_NODES_MAX}`)
    expect(problemOf(`a IN (${Array.from({ length: 2 * SELECTOR_NODES_MAX }, (_, n) => `'${n}'`).join()})`)).toBe('none')
  })

  test('patterns', () => {
    const pattern = 'x'.repeat(LIKE_PATTERN_CHARACTERS_MAX)
    expect(problemOf(`a LIKE '${pattern}'`)).toBe('none')
    expect(problemOf(`a LIKE '%${pattern}'`)).toContain(`more than ${LIKE_PATTERN_CHARACTERS_MAX} characters`)
    expect(problemOf(`a CONTAINS '${pattern}'`, 'rocketmq')).toBe('none')
    expect(problemOf(`a CONTAINS 'x${pattern}'`, 'rocketmq')).toContain(`more than ${LIKE_PATTERN_CHARACTERS_MAX} characters`)
  })
})

describe('hostile texts', () => {
  const dialect = fc.constantFrom<Dialect>('jms', 'rocketmq')
  const piece = fc.oneof(
    fc.constantFrom(
      'a',
      'b',
      '1',
      '2.5',
      '0x1',
      '1.5F',
      '.5d',
      '7f',
      "'x'",
      "'%_'",
      'TRUE',
      'NULL',
      '"q"',
      '(',
      ')',
      ',',
      '--',
      '/*',
      '*/',
      "'",
      '"',
    ),
    fc.constantFrom('=', '<>', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', 'AND', 'OR', 'NOT', 'IS', 'IN', 'LIKE', 'ESCAPE'),
    fc.constantFrom('BETWEEN', 'CONTAINS', 'STARTSWITH', 'ENDSWITH', '\n', '.', '5.', '1E', '\u{1f600}', '\ud800', '\0'),
  )
  const garbage = fc.oneof(
    { weight: 3, arbitrary: fc.array(piece, { maxLength: 25 }).map((pieces) => pieces.join(' ')) },
    { weight: 1, arbitrary: fc.array(piece, { maxLength: 25 }).map((pieces) => pieces.join('')) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  )
  const value = fc.constantFrom<SelectorValue>(undefined, 'x', '', '5', 0, -1, 2.5, Number.NaN, Infinity, 2n ** 63n, true, false)

  test('selectors are refused as bad_selector or answer', () => {
    fc.assert(
      fc.property(garbage, dialect, value, (text, name, property) => {
        try {
          const selector = compileSelector(text, { dialect: name })
          expect(typeof selector.matches({ property: () => property })).toBe('boolean')
        } catch (error) {
          expect(error).toMatchObject({ name: 'MillraceError', code: 'bad_selector' })
          expect((error as Error).message).toMatch(/^The selector is wrong at column \d+: /)
        }
      }),
      { numRuns: 3000 },
    )
  })

  // All rounds together take about 0.1 s of CPU; work that grew with the square of the length would take many seconds.
  test.each([
    'a',
    '1',
    '1.',
    '.',
    ' ',
    "'",
    "''",
    '"',
    '/*',
    '/**/',
    '--',
    '-',
    '\n',
    'a.',
    '1E',
    "'x',",
    'a OR ',
    '1+',
    '/',
    '\ud83d\ude00',
    '0',
    '=a',
  ])('the time for %j again and again grows with the length', (part) => {
    const texts = ['', 'a = ', "a LIKE '", 'a IN ('].map(
      (start) => start + part.repeat(Math.floor((SELECTOR_CHARACTERS_MAX - 10) / part.length)),
    )
    const start = process.cpuUsage()
    for (let round = 0; round < 20; round++) for (const text of texts) problemOf(text)
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000).toBeLessThan(3000)
  })
})
