import { describe, expect, test } from 'vitest'
import { compileSelector, type SelectorMessage, type SelectorValue } from './selector.ts'

type Properties = Readonly<Record<string, SelectorValue>>

const messageOf = (properties: Properties): SelectorMessage => ({ property: (name) => properties[name] })
const matches = (selector: string, properties: Properties): boolean => compileSelector(selector).matches(messageOf(properties))

/** Unknown is told from false by what NOT makes of it. */
function truth(selector: string, properties: Properties): 'true' | 'false' | 'unknown' {
  if (matches(selector, properties)) return 'true'
  return matches(`NOT (${selector})`, properties) ? 'false' : 'unknown'
}

const order: Properties = {
  color: 'red',
  name: "it's",
  weight: 12,
  price: 2.5,
  size: 9007199254740993n,
  fresh: true,
  sold: false,
  digits: '12',
  empty: '',
  'content-type': 'text/plain',
  'say "hi"': 1,
  $cost_1: 3,
  größe: 5,
  'order.id': 7,
  LIKELY: 1,
}

describe('the tables of section 3.8.1.2', () => {
  const values: Properties = { t: true, f: false }
  test.each([
    ['t AND t', 'true'],
    ['t AND f', 'false'],
    ['t AND u', 'unknown'],
    ['f AND t', 'false'],
    ['f AND f', 'false'],
    ['f AND u', 'false'],
    ['u AND t', 'unknown'],
    ['u AND f', 'false'],
    ['u AND u', 'unknown'],
    ['t OR t', 'true'],
    ['t OR f', 'true'],
    ['t OR u', 'true'],
    ['f OR t', 'true'],
    ['f OR f', 'false'],
    ['f OR u', 'unknown'],
    ['u OR t', 'true'],
    ['u OR f', 'unknown'],
    ['u OR u', 'unknown'],
    ['NOT t', 'false'],
    ['NOT f', 'true'],
    ['NOT u', 'unknown'],
    ['u AND f AND t', 'false'],
    ['u OR f OR t', 'true'],
  ])('%s is %s', (selector, expected) => expect(truth(selector, values)).toBe(expected))
})

describe('the examples of the specification', () => {
  test.each<[string, Properties, boolean]>([
    ["JMSType = 'car' AND color = 'blue' AND weight > 2500", { JMSType: 'car', color: 'blue', weight: 2501 }, true],
    ["JMSType = 'car' AND color = 'blue' AND weight > 2500", { JMSType: 'car', color: 'blue', weight: 2500 }, false],
    ['age BETWEEN 15 AND 19', { age: 15 }, true],
    ['age BETWEEN 15 AND 19', { age: 19 }, true],
    ['age BETWEEN 15 AND 19', { age: 20 }, false],
    ['age NOT BETWEEN 15 AND 19', { age: 20 }, true],
    ['age NOT BETWEEN 15 AND 19', { age: 15 }, false],
    ["Country IN ('UK', 'US', 'France')", { Country: 'UK' }, true],
    ["Country IN ('UK', 'US', 'France')", { Country: 'Peru' }, false],
    ["Country NOT IN ('UK', 'US', 'France')", { Country: 'UK' }, false],
    ["Country NOT IN ('UK', 'US', 'France')", { Country: 'Peru' }, true],
    ["Country NOT IN ('UK', 'US', 'France')", {}, false],
    ["phone LIKE '12%3'", { phone: '123' }, true],
    ["phone LIKE '12%3'", { phone: '12993' }, true],
    ["phone LIKE '12%3'", { phone: '1234' }, false],
    ["word LIKE 'l_se'", { word: 'lose' }, true],
    ["word LIKE 'l_se'", { word: 'loose' }, false],
    [String.raw`underscored LIKE '\_%' ESCAPE '\'`, { underscored: '_foo' }, true],
    [String.raw`underscored LIKE '\_%' ESCAPE '\'`, { underscored: 'bar' }, false],
    ["phone NOT LIKE '12%3'", { phone: '123' }, false],
    ["phone NOT LIKE '12%3'", { phone: '1234' }, true],
    ['prop_name IS NULL', {}, true],
    ['prop_name IS NULL', { prop_name: 0 }, false],
    ['prop_name IS NOT NULL', { prop_name: '' }, true],
    ['prop_name IS NOT NULL', {}, false],
    ['NumberOfOrders > 1', { NumberOfOrders: '2' }, false],
  ])('%s on %j: %s', (selector, properties, expected) => expect(matches(selector, properties)).toBe(expected))
})

describe('NULL', () => {
  test.each([
    'no = 0',
    'no <> 0',
    'no < 0',
    'no <= 0',
    'no > 0',
    'no >= 0',
    "no = 'x'",
    'no = TRUE',
    'no = no',
    'no = weight',
    "no LIKE '%'",
    "no NOT LIKE '%'",
    "no IN ('x')",
    "no NOT IN ('x')",
    'no BETWEEN 1 AND 2',
    'weight BETWEEN no AND 20',
    'weight NOT BETWEEN 1 AND no',
    '-no = 0',
    '+no = 0',
    'no + 1 = 1',
    '1 - no = 1',
    'no * 0 = 0',
    'no / 2 = 0',
    'no',
    '(no > 1) = TRUE',
  ])('%s is unknown', (selector) => expect(truth(selector, order)).toBe('unknown'))

  test('decides what another operand leaves open', () => {
    expect(truth('weight BETWEEN 13 AND no', order)).toBe('false')
    expect(truth('weight NOT BETWEEN 13 AND no', order)).toBe('true')
    expect(truth('(no > 1) IS NULL', order)).toBe('true')
    expect(truth('no + weight IS NULL', order)).toBe('true')
  })
})

describe('types', () => {
  test.each([
    ["color = 'red'", 'true'],
    ["color <> 'red'", 'false'],
    ["color = 'Red'", 'false'],
    ["'red' = color", 'true'],
    ["name = 'it''s'", 'true'],
    ["empty = ''", 'true'],
    ['fresh', 'true'],
    ['sold', 'false'],
    ['fresh = TRUE', 'true'],
    ['fresh <> false', 'true'],
    ['sold = fresh', 'false'],
    ['TRUE', 'true'],
    ['NOT TRUE', 'false'],
    ['weight = 12.0', 'true'],
    ['price > 2 AND price < 3', 'true'],
    // Unlike types: false, equal or not.
    ['digits = 12', 'false'],
    ['digits <> 12', 'false'],
    ['12 = digits', 'false'],
    ["weight = '12'", 'false'],
    ["weight <> '12'", 'false'],
    ["fresh = 'true'", 'false'],
    ['fresh <> 1', 'false'],
    ["1 = 'a'", 'false'],
    ['color > 1', 'false'],
    ['fresh < 1', 'false'],
    ['color', 'false'],
    ['weight', 'false'],
    ['NOT color', 'true'],
    ['color BETWEEN 1 AND 2', 'false'],
    ['color NOT BETWEEN 1 AND 2', 'false'],
    // What takes texts only has no answer for anything else.
    ["weight LIKE '1%'", 'unknown'],
    ["weight NOT LIKE '1%'", 'unknown'],
    ["weight IN ('12')", 'unknown'],
    ["fresh NOT IN ('12')", 'unknown'],
    ['color + 1 = 1', 'unknown'],
    ['-color = 1', 'unknown'],
    ['digits * 2 = 24', 'unknown'],
  ])('%s is %s', (selector, expected) => expect(truth(selector, order)).toBe(expected))
})

describe('numbers', () => {
  test.each([
    'size = 9007199254740993',
    'size > 9007199254740992',
    'size <> 9007199254740992.',
    'size - 9007199254740992 = 1',
    'size - 2 = 9007199254740991',
    '9007199254740991 + 2 = size',
    '3000000001 * 3000000001 = 9000000006000000001',
    '9223372036854775807 > 9223372036854775806',
    '-9223372036854775808 < -9223372036854775807',
    '9223372036854775807 + 1 = 9223372036854775808.',
    '-(-9223372036854775808) = 9223372036854775808.',
    '0x10 = 16 AND 0XfF = 255 AND 0x10L = 16',
    '010 = 8 AND 00 = 0 AND 0777L = 511',
    '57 = +57 AND -957 < 0 AND 12L = 12 AND 12l = 12 AND 0L = 0',
    '7. = 7 AND .5 = 0.5 AND -95.7 < +6.2',
    '7E3 = 7000 AND -57.9E2 = -5790 AND 1e-3 = .001 AND 1.E+2 = 100',
    '1.5F = 1.5 AND 1.5d = 1.5 AND 2f = 2 AND 0D = 0 AND 09.5 = 9.5',
    'weight / 5 = 2.4',
    'weight / 4 = 3',
    'weight % 5 = 2 AND -7 % 5 = -2 AND 5.5 % 2 = 1.5',
    'weight - 2 - 3 = 7',
    'weight / 2 / 3 = 2',
    '2 + 3 * 4 = 14 AND (2 + 3) * 4 = 20',
    '- weight + 20 = 8 AND -(weight + 1) = -13',
    '10 - -2 = 12 AND 10 - - -2 = 8 AND 10 + +2 = 12',
    'weight-2=10',
    '9223372036854775807 / -1 = -9223372036854775807',
    '9007199254740993 / 2 = 4503599627370496',
    '9007199254740993 % 10 = 3',
  ])('%s', (selector) => expect(truth(selector, order)).toBe('true'))

  test.each([
    'weight / 0 = 0',
    'weight % 0 = 0',
    'size / 0 = 0',
    'size % 0 = 0',
    'price / 0 > 0',
    'weight / -0. = 0',
    '0 / 0 = 0',
  ])('division by zero has no result: %s', (selector) => expect(truth(selector, order)).toBe('unknown'))
})

describe('precedence', () => {
  test.each([
    ['t OR t AND f', 'true'],
    ['(t OR t) AND f', 'false'],
    ['NOT f AND f', 'false'],
    ['NOT (f AND f)', 'true'],
    ['NOT f OR t', 'true'],
    ['NOT NOT t', 'true'],
    ["NOT a = 'x'", 'false'],
    ['NOT n > 5', 'false'],
    ["NOT a LIKE 'x'", 'false'],
    ['NOT u IS NULL', 'false'],
    ['t = NOT f', 'true'],
    ['n > 5 = t', 'true'],
    ['t = n > 5', 'true'],
    ['n = 6 = t', 'true'],
    ['n + 1 > 6', 'true'],
    ['n BETWEEN 5 + 1 AND 3 * 2 AND t', 'true'],
    ['n NOT BETWEEN 1 AND 5 AND t', 'true'],
    ['u IS NULL = t', 'true'],
    ['n + u IS NULL', 'true'],
  ])('%s is %s', (selector, expected) => expect(truth(selector, { t: true, f: false, a: 'x', n: 6 })).toBe(expected))
})

describe('names, keywords, blanks and comments', () => {
  test.each([
    '$cost_1 = 3',
    'größe = 5',
    'order.id = 7',
    '"order.id" = 7',
    '"content-type" = \'text/plain\'',
    '"say ""hi""" = 1',
    'LIKELY = 1',
    'ın IS NULL AND ıs IS NULL',
    'Weight IS NULL',
    "color like 'r%' aNd weight bEtween 1 aND 20 oR color iN ('x') OR color Is nOt NulL",
    '\t\r\n\f weight\n=\r12 ',
    'weight = 12 -- a comment',
    'weight -- = 5\n = 12 -- the end\n',
    'weight /* AND */ = /**/ 12 /* * / */',
    "color='red'AND weight>=12AND(weight<=12)",
    "color = 'red' -- 'blue'",
    "'--' <> '/*'",
  ])('%s', (selector) => expect(truth(selector, order)).toBe('true'))

  test('a selector names what it asks for, once, in order', () => {
    const { identifiers, text } = compileSelector('b = 1 OR "a-b" > b AND NOT c IS NULL OR d.e LIKE \'f\'')
    expect(identifiers).toEqual(['b', 'a-b', 'c', 'd.e'])
    expect(text).toBe('b = 1 OR "a-b" > b AND NOT c IS NULL OR d.e LIKE \'f\'')
  })

  test.each(['', '  \n', '-- all', '/* all */'])('%j selects everything', (selector) => {
    expect(compileSelector(selector)).toMatchObject({ text: selector, identifiers: [] })
    expect(matches(selector, {})).toBe(true)
  })
})

test('a message is told what the value is for', () => {
  const asked: Record<string, string[]> = {}
  const message: SelectorMessage = {
    property: (name, wanted) => {
      ;(asked[name] ??= []).push(wanted)
      return undefined
    },
  }
  const number = ['n > 1', '1 <= n', 'n BETWEEN n AND n', 'n + 1 = 2', '-n = 1', 'n = 5', '5 <> n', 'n = -m', '(m % m) = n']
  const text = ["s LIKE 'x'", "s IN ('x')", "s = 'x'", "'x' <> s"]
  const condition = ['b', 'NOT b', 'b = TRUE', 'b = (c IS NULL)']
  const any = ['a = a', 'a IS NULL', 'a IS NOT NULL']
  compileSelector([...number, ...text, ...condition, ...any].join(' OR ')).matches(message)
  expect(Object.fromEntries(Object.entries(asked).map(([name, wanted]) => [name, [...new Set(wanted)]]))).toEqual({
    n: ['number'],
    m: ['number'],
    s: ['string'],
    b: ['boolean'],
    c: ['any'],
    a: ['any'],
  })
})

test('AND and OR ask no further than they must', () => {
  const asked: string[] = []
  const message: SelectorMessage = {
    property: (name) => {
      asked.push(name)
      return name === 't'
    },
  }
  compileSelector('f AND a OR t OR b').matches(message)
  expect(asked).toEqual(['f', 't'])
})
