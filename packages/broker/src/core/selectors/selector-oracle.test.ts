import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unreachable } from '../../base/assert.ts'
import { compileSelector, type SelectorMessage, type SelectorValue } from './selector.ts'

/**
 * Random expressions, written out as selectors and evaluated by the plainest reading of the specification. Knows nothing of
 * the parser or the closures.
 */
type Tree =
  | { readonly op: 'value'; readonly token: string; readonly value: string | number | boolean }
  | { readonly op: 'name'; readonly name: string }
  | { readonly op: 'sign'; readonly symbol: string; readonly operand: Tree }
  | { readonly op: 'binary'; readonly symbol: string; readonly left: Tree; readonly right: Tree }
  | { readonly op: 'between'; readonly not: boolean; readonly operand: Tree; readonly low: Tree; readonly high: Tree }
  | { readonly op: 'in'; readonly not: boolean; readonly operand: Tree; readonly texts: readonly string[] }
  | { readonly op: 'like'; readonly not: boolean; readonly operand: Tree; readonly pattern: string }
  | { readonly op: 'null'; readonly not: boolean; readonly operand: Tree }
  | { readonly op: 'not'; readonly operand: Tree }

type Properties = Readonly<Record<string, SelectorValue>>
type Plain = string | number | boolean | undefined

// ---- the oracle -----------------------------------------------------------------------------------------------------

/** true, false, or undefined for unknown. */
function condition(tree: Tree, message: Properties): boolean | undefined {
  switch (tree.op) {
    case 'value':
      return tree.value === true
    case 'name': {
      const named = message[tree.name]
      return named === undefined ? undefined : named === true
    }
    case 'not': {
      const operand = condition(tree.operand, message)
      return operand === undefined ? undefined : !operand
    }
    case 'null':
      return (value(tree.operand, message) === undefined) !== tree.not
    case 'between': {
      const [x, low, high] = [tree.operand, tree.low, tree.high]
      return tree.not
        ? either(compared('<', x, low, message), compared('>', x, high, message))
        : both(compared('>=', x, low, message), compared('<=', x, high, message))
    }
    case 'in':
    case 'like': {
      const text = value(tree.operand, message)
      if (typeof text !== 'string') return undefined
      const found = tree.op === 'in' ? tree.texts.includes(text) : like(tree.pattern, text)
      return found !== tree.not
    }
    case 'sign':
      return undefined
    case 'binary': {
      if (tree.symbol === 'AND') return both(condition(tree.left, message), condition(tree.right, message))
      if (tree.symbol === 'OR') return either(condition(tree.left, message), condition(tree.right, message))
      return compared(tree.symbol, tree.left, tree.right, message)
    }
    default:
      return unreachable(tree)
  }
}

function both(a: boolean | undefined, b: boolean | undefined): boolean | undefined {
  if (a === false || b === false) return false
  return a === undefined || b === undefined ? undefined : true
}

function either(a: boolean | undefined, b: boolean | undefined): boolean | undefined {
  if (a === true || b === true) return true
  return a === undefined || b === undefined ? undefined : false
}

function compared(symbol: string, left: Tree, right: Tree, message: Properties): boolean | undefined {
  const a = value(left, message)
  const b = value(right, message)
  if (a === undefined || b === undefined) return undefined
  if (typeof a !== typeof b) return false
  if (symbol === '=') return a === b
  if (symbol === '<>') return a !== b
  if (typeof a !== 'number' || typeof b !== 'number') return false
  return { '<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b }[symbol]
}

function value(tree: Tree, message: Properties): Plain {
  if (tree.op === 'value') return tree.value
  if (tree.op === 'name') return message[tree.name] as Plain
  if (tree.op === 'sign') {
    const operand = value(tree.operand, message)
    if (typeof operand !== 'number') return undefined
    return tree.symbol === '-' ? 0 - operand : operand
  }
  if (tree.op !== 'binary' || !'+-*/%'.includes(tree.symbol)) return condition(tree, message)
  const a = value(tree.left, message)
  const b = value(tree.right, message)
  if (typeof a !== 'number' || typeof b !== 'number') return undefined
  if ('/%'.includes(tree.symbol) && b === 0) return undefined
  return { '+': a + b, '-': a - b, '*': a * b, '/': a / b, '%': a % b }[tree.symbol]
}

function like(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern.startsWith('%')) return like(pattern.slice(1), text) || (text !== '' && like(pattern, text.slice(1)))
  return text !== '' && (pattern.startsWith('_') || pattern[0] === text[0]) && like(pattern.slice(1), text.slice(1))
}

// ---- writing --------------------------------------------------------------------------------------------------------

const levels: readonly (readonly string[])[] = [
  ['OR'],
  ['AND'],
  ['NOT'],
  ['=', '<>', 'IS'],
  ['<', '<=', '>', '>=', 'test'],
  ['+', '-'],
  ['*', '/', '%'],
  ['sign'],
]

function levelOf(tree: Tree): number {
  const symbols: Partial<Record<Tree['op'], string>> = {
    not: 'NOT',
    null: 'IS',
    between: 'test',
    in: 'test',
    like: 'test',
    sign: 'sign',
  }
  const symbol = tree.op === 'binary' ? tree.symbol : symbols[tree.op]
  return symbol === undefined ? levels.length : levels.findIndex((level) => level.includes(symbol))
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** @param chance tells where parentheses go that are not needed */
function tokensOf(tree: Tree, atLeast: number, chance: () => number): readonly string[] {
  const own = levelOf(tree)
  const part = (child: Tree, level: number): readonly string[] => tokensOf(child, level, chance)
  const not = 'not' in tree && tree.not ? ['NOT'] : []
  const tokens = ((): readonly string[] => {
    switch (tree.op) {
      case 'value':
        return [tree.token]
      case 'name':
        return [tree.name.includes('-') ? `"${tree.name}"` : tree.name]
      case 'sign':
        return [tree.symbol, ...part(tree.operand, own)]
      case 'not':
        return ['NOT', ...part(tree.operand, own)]
      case 'null':
        return [...part(tree.operand, own), 'IS', ...not, 'NULL']
      case 'between':
        return [...part(tree.operand, own + 1), ...not, 'BETWEEN', ...part(tree.low, own + 1), 'AND', ...part(tree.high, own + 1)]
      case 'in':
        return [
          ...part(tree.operand, own + 1),
          ...not,
          'IN',
          '(',
          ...tree.texts.flatMap((text, n) => (n === 0 ? [quoted(text)] : [',', quoted(text)])),
          ')',
        ]
      case 'like':
        return [...part(tree.operand, own + 1), ...not, 'LIKE', quoted(tree.pattern)]
      case 'binary':
        return [...part(tree.left, own), tree.symbol, ...part(tree.right, own + 1)]
      default:
        return unreachable(tree)
    }
  })()
  return own < atLeast || chance() === 0 ? ['(', ...tokens, ')'] : tokens
}

function written(tree: Tree, random: readonly number[]): string {
  let next = 0
  const chance = (): number => random[next++ % random.length]! % 6
  const gaps = [' ', ' ', '\n', '\t ', ' /* x */ ', ' -- x\n']
  const casing = (token: string): string =>
    /^[A-Z]+$/.test(token) ? [token, token.toLowerCase(), token[0]! + token.slice(1).toLowerCase()][chance() % 3]! : token
  return tokensOf(tree, 0, chance)
    .map((token) => casing(token) + gaps[chance()]!)
    .join('')
}

// ---- arbitraries ----------------------------------------------------------------------------------------------------

const names = ['a', 'b', '_c', '$d', 'e.f', 'g-h']
const property = fc.constantFrom<SelectorValue>(undefined, true, false, 0, 1, 2, -3, 2.5, '', 'a', 'ab', "it's", '%', '2')
const message = fc
  .tuple(...names.map(() => property))
  .map((values): Properties => Object.fromEntries(names.map((name, n) => [name, values[n]])))

const name = fc.constantFrom(...names).map((token): Tree => ({ op: 'name', name: token }))
const text = fc.constantFrom('', 'a', 'ab', "it's", '%', '2')
const textValue = text.map((each): Tree => ({ op: 'value', token: quoted(each), value: each }))
const numbers: Readonly<Record<string, number>> = {
  0: 0,
  1: 1,
  '2L': 2,
  3: 3,
  '2.5': 2.5,
  '.5': 0.5,
  '2.': 2,
  '1E1': 10,
  '0x1F': 31,
  '017': 15,
  '1.5d': 1.5,
}
const numberValue = fc
  .constantFrom(...Object.entries(numbers))
  .map(([token, each]): Tree => ({ op: 'value', token, value: each }))
const booleanValue = fc.boolean().map((each): Tree => ({ op: 'value', token: each ? 'TRUE' : 'FALSE', value: each }))
const pattern = fc.array(fc.constantFrom('a', 'b', '%', '_', "'"), { maxLength: 4 }).map((characters) => characters.join(''))

function binary(symbols: readonly string[], left: fc.Arbitrary<Tree>, right: fc.Arbitrary<Tree>): fc.Arbitrary<Tree> {
  return fc.record({ op: fc.constant('binary' as const), symbol: fc.constantFrom(...symbols), left, right })
}

const { tree } = fc.letrec<{ number: Tree; text: Tree; tree: Tree }>((tie) => {
  const options = { depthSize: 'small', withCrossShrink: true, maxDepth: 5 } as const
  const not = fc.boolean()
  return {
    number: fc.oneof(
      options,
      name,
      numberValue,
      binary(['+', '-', '*', '/', '%'], tie('number'), tie('number')),
      fc.record({ op: fc.constant('sign' as const), symbol: fc.constantFrom('+', '-'), operand: tie('number') }),
    ),
    text: fc.oneof(name, name, textValue),
    tree: fc.oneof(
      options,
      name,
      booleanValue,
      binary(['AND', 'OR'], tie('tree'), tie('tree')),
      binary(['AND', 'OR'], tie('tree'), tie('tree')),
      fc.record({ op: fc.constant('not' as const), operand: tie('tree') }),
      binary(['<', '<=', '>', '>='], tie('number'), tie('number')),
      binary(['=', '<>'], fc.oneof(tie('number'), tie('text'), tie('tree')), fc.oneof(tie('number'), tie('text'), tie('tree'))),
      fc.record({ op: fc.constant('between' as const), not, operand: tie('number'), low: tie('number'), high: tie('number') }),
      fc.record({
        op: fc.constant('in' as const),
        not,
        operand: tie('text'),
        texts: fc.array(text, { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ op: fc.constant('like' as const), not, operand: tie('text'), pattern }),
      fc.record({ op: fc.constant('null' as const), not, operand: fc.oneof(tie('number'), tie('text'), tie('tree')) }),
    ),
  }
})

const truths = { true: 'true', false: 'false', undefined: 'unknown' } as const

test('selectors mean what the specification says, however they are written', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(tree, message, fc.array(fc.nat(1000), { minLength: 1, maxLength: 50 }), (expression, properties, random) => {
      const selector = written(expression, random)
      const expected = truths[`${condition(expression, properties)}`]
      seen.add(`${expression.op} ${expected}`)
      const subject: SelectorMessage = { property: (asked) => properties[asked] }
      const negation = compileSelector(`NOT (${selector})`).matches(subject)
      const found = compileSelector(selector).matches(subject) ? 'true' : negation ? 'false' : 'unknown'
      expect({ selector, found }).toEqual({ selector, found: expected })
    }),
    { numRuns: 5000 },
  )
  for (const op of ['binary', 'between', 'in', 'like', 'not']) {
    for (const truth of Object.values(truths)) expect(seen).toContain(`${op} ${truth}`)
  }
})
