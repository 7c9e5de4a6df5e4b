import type { DialectRules } from './dialect.ts'
import { matchAt } from './match-at.ts'
import { type NumberLiteral, readNumber } from './number-literal.ts'
import { selectorError } from './selector-error.ts'

/** `at` and `end` are where it is in the text. */
export type Token = { readonly at: number; readonly end: number } & (
  | { readonly kind: 'identifier'; readonly name: string }
  | { readonly kind: 'keyword'; readonly keyword: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly value: NumberLiteral }
  | { readonly kind: 'symbol'; readonly symbol: string }
  | { readonly kind: 'end' }
)

// Java's identifiers; dots inside are an extension.
const LETTER = String.raw`\p{L}\p{Nl}\p{Sc}\p{Pc}`
const IDENTIFIER = new RegExp(
  String.raw`[${LETTER}][${LETTER}\p{Nd}\p{M}\p{Cf}]*(?:\.[${LETTER}][${LETTER}\p{Nd}\p{M}\p{Cf}]*)*`,
  'uy',
)
const BLANK = /[ \t\n\r\f]+/y
const LINE_COMMENT = /--[^\n\r]*/y
const SYMBOL = /<>|<=|>=|[=<>+\-*/%(),]/y
const ASCII_WORD = /^[A-Z]+$/i

/** Cuts a selector into tokens, one at a time. */
export class Tokenizer {
  readonly #text: string
  readonly #rules: DialectRules

  constructor(text: string, rules: DialectRules) {
    this.#text = text
    this.#rules = rules
  }

  /** The token that begins at `from` or after blanks and comments. @throws MillraceError `bad_selector` */
  after(from: number): Token {
    const text = this.#text
    const at = this.#skip(from)
    if (at === text.length) return { kind: 'end', at, end: at }
    const first = text[at]!
    if (first === "'") {
      const { value, end } = this.#quoted(at, 'text')
      return { kind: 'string', value, at, end }
    }
    if (first === '"') {
      const { value, end } = this.#quoted(at, 'name')
      if (value === '') throw selectorError(text, at, 'a name has no characters')
      return { kind: 'identifier', name: value, at, end }
    }
    if (isDigit(first) || (first === '.' && isDigit(text[at + 1]))) {
      const { value, end } = readNumber(text, at, this.#rules)
      return { kind: 'number', value, at, end }
    }
    const word = matchAt(IDENTIFIER, text, at)
    if (word !== undefined) return this.#word(word, at)
    const symbol = matchAt(SYMBOL, text, at)
    if (symbol !== undefined) return { kind: 'symbol', symbol, at, end: at + symbol.length }
    if (text.startsWith('!=', at)) throw selectorError(text, at, 'write <> for "not equal"')
    const character = String.fromCodePoint(text.codePointAt(at)!)
    throw selectorError(text, at, `${JSON.stringify(character)} has no meaning here`)
  }

  #word(word: string, at: number): Token {
    const end = at + word.length
    // Only ASCII letters make keywords: the upper case of some others is ASCII too.
    const keyword = ASCII_WORD.test(word) ? word.toUpperCase() : ''
    return this.#rules.keywords.has(keyword) ? { kind: 'keyword', keyword, at, end } : { kind: 'identifier', name: word, at, end }
  }

  #skip(from: number): number {
    const text = this.#text
    let at = from
    for (;;) {
      at += matchAt(BLANK, text, at)?.length ?? 0
      if (text.startsWith('--', at)) at += matchAt(LINE_COMMENT, text, at)!.length
      else if (text.startsWith('/*', at)) {
        const close = text.indexOf('*/', at + 2)
        if (close < 0) throw selectorError(text, at, 'this comment is not closed with */')
        at = close + 2
      } else return at
    }
  }

  /** What stands between quotes; doubled ones stand for themselves. */
  #quoted(at: number, what: string): { readonly value: string; readonly end: number } {
    const text = this.#text
    const quote = text[at]!
    let close = text.indexOf(quote, at + 1)
    while (close >= 0 && text[close + 1] === quote) close = text.indexOf(quote, close + 2)
    if (close < 0) throw selectorError(text, at, `this ${what} is not closed with ${quote}`)
    return { value: text.slice(at + 1, close).replaceAll(quote + quote, quote), end: close + 1 }
  }
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9'
}
