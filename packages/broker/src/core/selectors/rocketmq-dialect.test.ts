import { describe, expect, test } from 'vitest'
import { compileSelector, type SelectorValue } from './selector.ts'

type Properties = Readonly<Record<string, SelectorValue>>

function truth(text: string, properties: Properties): 'true' | 'false' | 'unknown' {
  const matches = (selector: string): boolean =>
    compileSelector(selector, { dialect: 'rocketmq' }).matches({ property: (name) => properties[name] })
  if (matches(text)) return 'true'
  return matches(`NOT (${text})`) ? 'false' : 'unknown'
}

/** As RocketMQ's clients send them: texts. */
const message: Properties = {
  a: '3',
  b: '5.5',
  c: 'hello',
  t: 'true',
  f: 'FALSE',
  TAGS: "''tag''",
  big: '9007199254740993',
  n: 7,
}

describe('texts become what they are compared with', () => {
  test.each([
    ['a = 3', 'true'],
    ['a = 3.0', 'true'],
    ['a <> 4', 'true'],
    ['3 = a', 'true'],
    ['a > 2.5 AND a < 3.5', 'true'],
    ['a < b', 'true'],
    ['b BETWEEN 2 AND 10', 'true'],
    ['b NOT BETWEEN 2 AND 10', 'false'],
    ["a = '3'", 'true'],
    ["a IN ('3', '4', '5')", 'true'],
    ["c NOT IN ('3', '4', '5')", 'true'],
    ["n = '7'", 'true'],
    ["n IN ('7')", 'true'],
    ['n > 6', 'true'],
    ['big = 9007199254740993', 'true'],
    ['big > 9007199254740992', 'true'],
    ['t = TRUE AND f = FALSE', 'true'],
    ['t AND NOT f', 'true'],
    ['c', 'false'],
    ['c > 1', 'false'],
    ['c = 1', 'false'],
    ['c <> 1', 'false'],
    ["c = 'hello'", 'true'],
    ["TAGS IS NOT NULL AND TAGS = '''''tag'''''", 'true'],
    ['-a = -3', 'true'],
    ['no > 1', 'unknown'],
    ['no IS NULL', 'true'],
    ["no IS NULL OR c = 'x'", 'true'],
  ])('%s is %s', (selector, expected) => expect(truth(selector, message)).toBe(expected))
})

describe('texts inside texts', () => {
  test.each([
    ["c CONTAINS 'ell'", 'true'],
    ["c contains 'x'", 'false'],
    ["c NOT CONTAINS 'x'", 'true'],
    ["c STARTSWITH 'he'", 'true'],
    ["c NOT STARTSWITH 'he'", 'false'],
    ["c ENDSWITH 'lo'", 'true'],
    ["c ENDSWITH '%'", 'false'],
    ["no CONTAINS 'x'", 'unknown'],
    ["no NOT CONTAINS 'x'", 'unknown'],
  ])('%s is %s', (selector, expected) => expect(truth(selector, message)).toBe(expected))
})

test('words of the other dialect are names', () =>
  expect(truth('like = 1 AND escape = 2', { like: '1', escape: '2' })).toBe('true'))

test.each([
  ['', 1, 'expected a name'],
  ['a + 1 = 2', 3, 'found "+"'],
  ['a * 2 > 1', 3, 'found "*"'],
  ["c LIKE 'x'", 3, 'found "LIKE"'],
  ['a = 0x10', 6, 'found "x10"'],
  ['a = 010', 5, 'without the leading 0'],
  ['a = 1.5f', 8, 'found "f"'],
  ['a = 5d', 6, 'found "d"'],
  ["c CONTAINS ''", 12, 'this text is empty'],
  ['c CONTAINS 5', 12, 'expected a text in quotes'],
  ['a NOT 5', 7, 'expected one of BETWEEN, IN, CONTAINS, STARTSWITH, ENDSWITH'],
  ['a BETWEEN 10 AND 2', 11, 'the lower bound of BETWEEN is above the upper one'],
  ["a > 'abc'", 5, 'a number was expected here, not a text'],
])('%j is refused', (selector, column, problem) => {
  expect(() => compileSelector(selector, { dialect: 'rocketmq' })).toThrow(
    expect.objectContaining({ code: 'bad_selector', message: expect.stringContaining(`column ${column}: `) as unknown }),
  )
  expect(() => compileSelector(selector, { dialect: 'rocketmq' })).toThrow(problem)
})

test('bounds the wrong way round are refused only where they can never be met', () => {
  expect(truth('a NOT BETWEEN 10 AND 2', message)).toBe('true')
  expect(truth('a BETWEEN n AND 2', message)).toBe('false')
})
