import { MillraceError } from '../errors.ts'
import {
  any,
  anyButNewline,
  between,
  type CharacterSet,
  classEscapes,
  complement,
  posixClasses,
  single,
  union,
} from './character-set.ts'

export const PATTERN_LENGTH_MAX = 2000
const COUNT_MAX = 1000
const DEPTH_MAX = 100

/** What an expression says, as a tree. */
export type Node =
  | { readonly kind: 'set'; readonly has: CharacterSet }
  | { readonly kind: 'sequence' | 'choice'; readonly of: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'assert'; readonly what: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'ahead'; readonly of: Node; readonly isWanted: boolean }

const singleEscapes: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
  ['f', '\f'],
  ['e', '\u001b'],
  ['a', '\u0007'],
])
const asserts: ReadonlyMap<string, Extract<Node, { kind: 'assert' }>['what']> = new Map([
  ['A', 'start'],
  ['z', 'end'],
  ['Z', 'end'],
  ['b', 'boundary'],
  ['B', 'inside'],
])

/** @throws MillraceError `bad_request` for what is no expression, or one that would need more than one look at each character */
export function parse(pattern: string): Node {
  return new Parser(pattern).all()
}

/** By recursive descent; classes and escapes mean what they mean in PCRE. */
class Parser {
  readonly #pattern: string
  readonly #characters: readonly string[]
  #at = 0
  #depth = 0
  #ignoreCase = false
  #dotAll = false

  constructor(pattern: string) {
    this.#pattern = pattern
    if (pattern.length > PATTERN_LENGTH_MAX) throw this.#wrong(`it has more than ${PATTERN_LENGTH_MAX} characters`)
    this.#characters = Array.from(pattern)
  }

  all(): Node {
    const node = this.#choice()
    if (this.#at < this.#characters.length) throw this.#wrong('it has a ) too many')
    return node
  }

  #choice(): Node {
    if (++this.#depth > DEPTH_MAX) throw this.#wrong(`its groups are more than ${DEPTH_MAX} deep`)
    const [ignoreCase, dotAll] = [this.#ignoreCase, this.#dotAll]
    const of = [this.#sequence()]
    while (this.#take('|')) of.push(this.#sequence())
    // Flags last until the end of their group.
    this.#ignoreCase = ignoreCase
    this.#dotAll = dotAll
    this.#depth--
    return of.length === 1 ? of[0]! : { kind: 'choice', of }
  }

  #sequence(): Node {
    const of: Node[] = []
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek()) {
      const node = this.#quantified(this.#item())
      of.push(node)
    }
    return of.length === 1 ? of[0]! : { kind: 'sequence', of }
  }

  #quantified(item: Node): Node {
    let node = item
    for (let count = this.#count(); count !== undefined; count = this.#count()) {
      // What is lazy takes other characters, and matches where the greedy one does.
      if (!this.#take('?') && this.#peek() === '+') throw this.#wrong('possessive quantifiers such as a++ are not supported')
      node = { kind: 'repeat', of: node, ...count }
    }
    return node
  }

  #count(): { readonly min: number; readonly max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Infinity }
    if (this.#take('+')) return { min: 1, max: Infinity }
    if (this.#take('?')) return { min: 0, max: 1 }
    const [text, least, comma, most] = /^\{(\d+)(,?)(\d*)\}/.exec(this.#rest(12)) ?? []
    // As in PCRE, a brace that begins no count stands for itself.
    if (text === undefined || (comma === '' && most !== '')) return undefined
    this.#at += text.length
    const min = Number(least)
    const max = comma === '' ? min : most === '' ? Infinity : Number(most)
    if (min > COUNT_MAX || (max !== Infinity && max > COUNT_MAX)) throw this.#wrong(`${text} is more than ${COUNT_MAX} times`)
    if (max < min) throw this.#wrong(`${text} ends before it begins`)
    return { min, max }
  }

  #item(): Node {
    const character = this.#next()
    switch (character) {
      case '(':
        return this.#group()
      case '[':
        return { kind: 'set', has: this.#set() }
      case '.':
        return { kind: 'set', has: this.#dotAll ? any : anyButNewline }
      case '^':
        return { kind: 'assert', what: 'start' }
      case '$':
        return { kind: 'assert', what: 'end' }
      case '\\':
        return this.#escape()
      case '*':
      case '+':
      case '?':
        throw this.#wrong(`there is nothing before ${character} that could be repeated`)
      default:
        return this.#literal(character)
    }
  }

  #literal(character: string): Node {
    return { kind: 'set', has: single(character.codePointAt(0)!, this.#ignoreCase) }
  }

  #group(): Node {
    if (this.#take('?')) return this.#special()
    if (this.#peek() === '*') throw this.#wrong('verbs such as (*SKIP) are not supported')
    return this.#closed()
  }

  #closed(): Node {
    const node = this.#choice()
    if (!this.#take(')')) throw this.#wrong('a group has no )')
    return node
  }

  #special(): Node {
    const name = /^P?<(\w+)>|^'\w+'/.exec(this.#rest(200))
    if (name !== null) {
      this.#at += name[0].length
      return this.#closed()
    }
    if (this.#take(':')) return this.#closed()
    if (this.#take('=')) return { kind: 'ahead', of: this.#closed(), isWanted: true }
    if (this.#take('!')) return { kind: 'ahead', of: this.#closed(), isWanted: false }
    if (this.#take('#')) return this.#comment()
    if (this.#peek() === '<') throw this.#wrong('lookbehind is not supported')
    if (this.#peek() === '>') throw this.#wrong('atomic groups are not supported')
    return this.#flags()
  }

  #comment(): Node {
    while (!this.#take(')')) this.#next()
    return { kind: 'sequence', of: [] }
  }

  /** `(?i)` until the end of the group around it, `(?i:...)` for what is inside. */
  #flags(): Node {
    const [text, on, off, end] = /^([is]*)(-[is]*)?([:)])/.exec(this.#rest(12)) ?? []
    if (text === undefined) throw this.#wrong(`there is no group (?${this.#peek() ?? ''}`)
    this.#at += text.length
    const [ignoreCase, dotAll] = [this.#ignoreCase, this.#dotAll]
    this.#ignoreCase = (ignoreCase || on!.includes('i')) && off?.includes('i') !== true
    this.#dotAll = (dotAll || on!.includes('s')) && off?.includes('s') !== true
    if (end === ')') return { kind: 'sequence', of: [] }
    const node = this.#closed()
    this.#ignoreCase = ignoreCase
    this.#dotAll = dotAll
    return node
  }

  #escape(): Node {
    const what = asserts.get(this.#peek() ?? '')
    if (what !== undefined) {
      this.#at++
      return { kind: 'assert', what }
    }
    const found = this.#escaped()
    return typeof found === 'string' ? this.#literal(found) : { kind: 'set', has: found }
  }

  /** What follows a backslash, in classes too: a set of characters, or one. */
  #escaped(): CharacterSet | string {
    const character = this.#next()
    const set = classEscapes.get(character)
    if (set !== undefined) return set
    if (character === 'x') return this.#hexadecimal()
    const other = singleEscapes.get(character)
    if (other !== undefined) return other
    if (/[1-9gk]/.test(character)) throw this.#wrong(`\\${character} refers back to a group, which is not supported`)
    if (/[a-zA-Z0-9]/.test(character)) throw this.#wrong(`\\${character} is not supported`)
    return character
  }

  #hexadecimal(): string {
    const [text, short, long] = /^(?:([\da-fA-F]{2})|\{([\da-fA-F]{1,6})\})/.exec(this.#rest(8)) ?? []
    const code = Number.parseInt(short ?? long ?? '', 16)
    if (text === undefined || code > 0x10ffff) throw this.#wrong('write \\x41 or \\x{1F600} for a character by its number')
    this.#at += text.length
    return String.fromCodePoint(code)
  }

  /** What is between brackets. A ] stands for itself where it is the first. */
  #set(): CharacterSet {
    const isNegated = this.#take('^')
    const sets: CharacterSet[] = []
    for (let isFirst = true; isFirst || !this.#take(']'); isFirst = false) sets.push(this.#setItem())
    return isNegated ? complement(union(sets)) : union(sets)
  }

  #setItem(): CharacterSet {
    const [text, not, name] = /^\[:(\^?)(\w+):\]/.exec(this.#rest(20)) ?? []
    if (text !== undefined) {
      this.#at += text.length
      const set = posixClasses.get(name!)
      if (set === undefined) throw this.#wrong(`there is no class ${text}`)
      return not === '^' ? complement(set) : set
    }
    const from = this.#setCharacter()
    if (typeof from !== 'string') return from
    const first = from.codePointAt(0)!
    const after = this.#characters[this.#at + 1]
    if (this.#peek() !== '-' || after === undefined || after === ']') return single(first, this.#ignoreCase)
    this.#at++
    const to = this.#setCharacter()
    const last = typeof to === 'string' ? to.codePointAt(0)! : -1
    if (last < first) throw this.#wrong(`a range from ${from} ends before it begins`)
    return between(first, last, this.#ignoreCase)
  }

  #setCharacter(): CharacterSet | string {
    if (!this.#take('\\')) return this.#next('a [ has no ]')
    if (!this.#take('b')) return this.#escaped()
    return '\b'
  }

  #peek(): string | undefined {
    return this.#characters[this.#at]
  }

  #take(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false
    this.#at++
    return true
  }

  #next(missing = 'it ends too early'): string {
    const character = this.#characters[this.#at]
    if (character === undefined) throw this.#wrong(missing)
    this.#at++
    return character
  }

  #rest(length: number): string {
    return this.#characters.slice(this.#at, this.#at + length).join('')
  }

  #wrong(why: string): MillraceError {
    return new MillraceError('bad_request', `The pattern ${JSON.stringify(this.#pattern.slice(0, 200))} cannot be used: ${why}.`)
  }
}
