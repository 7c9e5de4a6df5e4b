import { MillraceError } from '../../base/errors.ts'
import type { DialectRules } from './dialect.ts'
import { type Expression, kindOf, type OrderOperator } from './expression.ts'
import { compileLike, compileSearch, type TextSearch } from './like.ts'
import { SELECTOR_CHARACTERS_MAX, SELECTOR_DEPTH_MAX, SELECTOR_NODES_MAX } from './limits.ts'
import { type ArithmeticOperator, INT64_MAX, isNumeric, minus } from './numeric.ts'
import { selectorError } from './selector-error.ts'
import type { ValueKind } from './selector-message.ts'
import { type Token, Tokenizer } from './tokens.ts'

export interface ParsedSelector {
  /** undefined: there is nothing but blanks and comments. */
  readonly expression: Expression | undefined
  /** Each name once. */
  readonly identifiers: readonly string[]
}

/** @throws MillraceError `bad_selector` */
export function parseSelector(text: string, rules: DialectRules): ParsedSelector {
  if (text.length > SELECTOR_CHARACTERS_MAX) {
    throw new MillraceError(
      'bad_selector',
      `The selector has ${text.length} characters; at most ${SELECTOR_CHARACTERS_MAX} are allowed.`,
    )
  }
  return new Parser(text, rules).parse()
}

const TESTS = ['BETWEEN', 'IN', 'LIKE', 'CONTAINS', 'STARTSWITH', 'ENDSWITH']

const WHAT: Readonly<Record<ValueKind, string>> = {
  any: 'a value',
  boolean: 'a condition',
  number: 'a number',
  string: 'a text',
}

/**
 * Recursive descent, one method for each level of precedence, the weakest first: OR, AND, NOT, equality (= <> IS NULL),
 * comparison (< <= > >= BETWEEN IN LIKE), sum, product, sign. NOT also takes a single operand after another operator.
 */
class Parser {
  readonly #text: string
  readonly #rules: DialectRules
  readonly #tokenizer: Tokenizer
  readonly #identifiers = new Set<string>()
  #token: Token
  #nodes = 0
  #depth = 0

  constructor(text: string, rules: DialectRules) {
    this.#text = text
    this.#rules = rules
    this.#tokenizer = new Tokenizer(text, rules)
    this.#token = this.#tokenizer.after(0)
  }

  parse(): ParsedSelector {
    if (this.#token.kind === 'end' && this.#rules.emptySelectsAll) return { expression: undefined, identifiers: [] }
    const expression = this.#or()
    if (this.#token.kind !== 'end') throw this.#unexpected('an operator, AND, OR or the end')
    this.#need('boolean', expression)
    return { expression, identifiers: [...this.#identifiers] }
  }

  // ---- conditions ---------------------------------------------------------------------------------------------------

  #or(): Expression {
    return this.#terms('or', 'OR', () => this.#and())
  }

  #and(): Expression {
    return this.#terms('and', 'AND', () => this.#not())
  }

  #terms(kind: 'and' | 'or', keyword: string, next: () => Expression): Expression {
    const first = next()
    if (!this.#isKeyword(keyword)) return first
    const terms = [this.#need('boolean', first)]
    while (this.#tookKeyword(keyword)) terms.push(this.#need('boolean', next()))
    return this.#node({ kind, at: first.at, terms })
  }

  #not(): Expression {
    const { at } = this.#token
    if (!this.#tookKeyword('NOT')) return this.#equality()
    return this.#negation(at, () => this.#not())
  }

  #negation(at: number, next: () => Expression): Expression {
    const operand = this.#need('boolean', this.#deeper(at, next))
    return this.#node({ kind: 'not', at, operand })
  }

  #equality(): Expression {
    let left = this.#comparison()
    for (;;) {
      const { at } = left
      const negated = this.#isSymbol('<>')
      if (this.#tookSymbol('=') || this.#tookSymbol('<>')) {
        left = this.#node({ kind: 'equal', at, negated, left, right: this.#comparison() })
      } else if (this.#tookKeyword('IS')) {
        const isNot = this.#tookKeyword('NOT')
        if (!this.#tookKeyword('NULL')) throw this.#unexpected(isNot ? 'NULL' : 'NULL or NOT NULL')
        left = this.#node({ kind: 'isNull', at, negated: isNot, operand: left })
      } else return left
    }
  }

  #comparison(): Expression {
    let left = this.#value()
    for (;;) {
      const operator = this.#tookOrder()
      if (operator !== undefined) {
        this.#need('number', left)
        left = this.#node({ kind: 'order', at: left.at, operator, left, right: this.#number() })
        continue
      }
      const negated = this.#tookKeyword('NOT')
      const test = this.#test(left, negated)
      if (test === undefined && negated)
        throw this.#unexpected(`one of ${TESTS.filter((word) => this.#rules.keywords.has(word)).join(', ')}`)
      if (test === undefined) return left
      left = test
    }
  }

  #tookOrder(): OrderOperator | undefined {
    if (this.#token.kind !== 'symbol') return undefined
    const { symbol } = this.#token
    if (symbol !== '<' && symbol !== '<=' && symbol !== '>' && symbol !== '>=') return undefined
    this.#advance()
    return symbol
  }

  /** BETWEEN, IN, LIKE and their like; undefined if none of them comes. */
  #test(operand: Expression, negated: boolean): Expression | undefined {
    if (this.#token.kind !== 'keyword') return undefined
    const { at } = operand
    const { keyword } = this.#token
    switch (keyword) {
      case 'BETWEEN':
        return this.#between(operand, negated)
      case 'IN':
        this.#need('string', operand)
        this.#advance()
        return this.#node({ kind: 'in', at, negated, operand, texts: this.#list() })
      case 'LIKE':
        return this.#like(operand, negated)
      case 'CONTAINS':
      case 'STARTSWITH':
      case 'ENDSWITH':
        return this.#search(keyword, operand, negated)
      default:
        return undefined
    }
  }

  #between(operand: Expression, negated: boolean): Expression {
    this.#need('number', operand)
    this.#advance()
    const low = this.#number()
    if (!this.#tookKeyword('AND')) throw this.#unexpected('AND and the upper bound')
    const high = this.#number()
    if (this.#rules.ordersBetween && !negated && low.kind === 'literal' && high.kind === 'literal') {
      if (isNumeric(low.value) && isNumeric(high.value) && low.value > high.value) {
        throw selectorError(this.#text, low.at, 'the lower bound of BETWEEN is above the upper one')
      }
    }
    return this.#node({ kind: 'between', at: operand.at, negated, operand, low, high })
  }

  #list(): ReadonlySet<string> {
    if (!this.#tookSymbol('(')) throw this.#unexpected('( and a list of texts')
    const texts = new Set<string>()
    do texts.add(this.#string('a text in quotes'))
    while (this.#tookSymbol(','))
    if (!this.#tookSymbol(')')) throw this.#unexpected('a comma or )')
    return texts
  }

  #like(operand: Expression, negated: boolean): Expression {
    this.#need('string', operand)
    this.#advance()
    const patternAt = this.#token.at
    const pattern = this.#string('a pattern in quotes')
    let escape: string | undefined
    if (this.#tookKeyword('ESCAPE')) {
      const { at } = this.#token
      escape = this.#string('an escape character in quotes')
      if (Array.from(escape).length !== 1) throw selectorError(this.#text, at, 'ESCAPE takes exactly one character')
    }
    const matches = compileLike(pattern, escape)
    if (typeof matches === 'string') throw selectorError(this.#text, patternAt, matches)
    return this.#node({ kind: 'like', at: operand.at, negated, operand, matches })
  }

  #search(search: TextSearch, operand: Expression, negated: boolean): Expression {
    this.#need('string', operand)
    this.#advance()
    const { at } = this.#token
    const matches = compileSearch(search, this.#string('a text in quotes'))
    if (typeof matches === 'string') throw selectorError(this.#text, at, matches)
    return this.#node({ kind: 'like', at: operand.at, negated, operand, matches })
  }

  // ---- values -------------------------------------------------------------------------------------------------------

  #number(): Expression {
    return this.#need('number', this.#value())
  }

  #value(): Expression {
    return this.#rules.arithmetic ? this.#sum() : this.#sign()
  }

  #sum(): Expression {
    return this.#arithmetic(['+', '-'], () => this.#product())
  }

  #product(): Expression {
    return this.#arithmetic(['*', '/', '%'], () => this.#sign())
  }

  #arithmetic(operators: readonly ArithmeticOperator[], next: () => Expression): Expression {
    let left = next()
    for (;;) {
      const operator = operators.find((symbol) => this.#isSymbol(symbol))
      if (operator === undefined) return left
      this.#need('number', left)
      this.#advance()
      const right = this.#need('number', next())
      left = this.#node({ kind: 'arithmetic', at: left.at, operator, left, right })
    }
  }

  #sign(): Expression {
    const { at } = this.#token
    if (this.#tookKeyword('NOT')) return this.#negation(at, () => this.#sign())
    const negative = this.#isSymbol('-')
    if (!this.#tookSymbol('-') && !this.#tookSymbol('+')) return this.#primary()
    if (negative && this.#token.kind === 'number') {
      const { value } = this.#token
      this.#advance()
      return this.#node({ kind: 'literal', at, value: minus(value) })
    }
    const operand = this.#need(
      'number',
      this.#deeper(at, () => this.#sign()),
    )
    return this.#node({ kind: 'sign', at, negative, operand })
  }

  #primary(): Expression {
    const token = this.#token
    const { at } = token
    switch (token.kind) {
      case 'identifier':
        if (this.#rules.forbiddenNames.has(token.name))
          throw selectorError(this.#text, at, `${token.name} cannot be used in a selector`)
        this.#identifiers.add(token.name)
        this.#advance()
        return this.#node({ kind: 'identifier', at, name: token.name })
      case 'number':
        if (typeof token.value === 'bigint' && token.value > INT64_MAX)
          throw selectorError(this.#text, at, 'this integer needs more than 64 bits')
        this.#advance()
        return this.#node({ kind: 'literal', at, value: token.value })
      case 'string':
        this.#advance()
        return this.#node({ kind: 'literal', at, value: token.value })
      case 'keyword':
        if (token.keyword === 'NULL') throw selectorError(this.#text, at, 'NULL is no value: write IS NULL or IS NOT NULL')
        if (token.keyword !== 'TRUE' && token.keyword !== 'FALSE') break
        this.#advance()
        return this.#node({ kind: 'literal', at, value: token.keyword === 'TRUE' })
      case 'symbol':
        if (token.symbol === '(') return this.#parenthesis(at)
        break
      case 'end':
        break
    }
    throw this.#unexpected('a name, a value or (')
  }

  #parenthesis(at: number): Expression {
    this.#advance()
    const expression = this.#deeper(at, () => this.#or())
    if (!this.#tookSymbol(')')) throw this.#unexpected('an operator or )')
    return expression
  }

  // ---- tokens, limits, errors ---------------------------------------------------------------------------------------

  #advance(): void {
    this.#token = this.#tokenizer.after(this.#token.end)
  }

  #isSymbol(symbol: string): boolean {
    return this.#token.kind === 'symbol' && this.#token.symbol === symbol
  }

  #tookSymbol(symbol: string): boolean {
    const found = this.#isSymbol(symbol)
    if (found) this.#advance()
    return found
  }

  #isKeyword(keyword: string): boolean {
    return this.#token.kind === 'keyword' && this.#token.keyword === keyword
  }

  #tookKeyword(keyword: string): boolean {
    const found = this.#isKeyword(keyword)
    if (found) this.#advance()
    return found
  }

  #string(what: string): string {
    const token = this.#token
    if (token.kind !== 'string') throw this.#unexpected(what)
    this.#advance()
    return token.value
  }

  #need(kind: ValueKind, expression: Expression): Expression {
    const actual = kindOf(expression)
    if (actual === kind || actual === 'any') return expression
    throw selectorError(this.#text, expression.at, `${WHAT[kind]} was expected here, not ${WHAT[actual]}`)
  }

  #node(expression: Expression): Expression {
    if (++this.#nodes > SELECTOR_NODES_MAX) {
      throw selectorError(
        this.#text,
        expression.at,
        `the selector has more than ${SELECTOR_NODES_MAX} operators, names and values`,
      )
    }
    return expression
  }

  #deeper(at: number, next: () => Expression): Expression {
    if (++this.#depth > SELECTOR_DEPTH_MAX)
      throw selectorError(this.#text, at, `more than ${SELECTOR_DEPTH_MAX} levels are inside each other`)
    const expression = next()
    this.#depth--
    return expression
  }

  #unexpected(expected: string): MillraceError {
    const { kind, at, end } = this.#token
    const found = kind === 'end' ? 'the end' : JSON.stringify(shortened(this.#text.slice(at, end)))
    return selectorError(this.#text, at, `expected ${expected}, found ${found}`)
  }
}

function shortened(text: string): string {
  return text.length > 24 ? `${text.slice(0, 24)}...` : text
}
