// hot path
import { unreachable } from '../../base/assert.ts'
import { LIKE_PATTERN_CHARACTERS_MAX } from './limits.ts'

export type LikeMatcher = (text: string) => boolean

/** `_` in a pattern; no code point. */
const ANY_ONE = -1
/** `indexOf` may compare this many characters at each place of the text. */
const INDEX_OF_MAX = 32

type Segment = readonly number[]

export type TextSearch = 'CONTAINS' | 'STARTSWITH' | 'ENDSWITH'

/**
 * Compiles a LIKE pattern: `%` stands for any characters, `_` for one (a whole code point), `escape` makes the next one
 * ordinary. The first place for each part between two `%` is always as good as a later one, so nothing is ever tried again:
 * the time is the length of the text times at most 32.
 * @returns what is wrong with the pattern, if something is
 */
export function compileLike(pattern: string, escape: string | undefined): LikeMatcher | string {
  if (pattern.length > LIKE_PATTERN_CHARACTERS_MAX) return `this pattern has more than ${LIKE_PATTERN_CHARACTERS_MAX} characters`
  const segments: number[][] = [[]]
  const points = Array.from(pattern)
  for (let n = 0; n < points.length; n++) {
    const point = points[n]!
    if (point === escape) {
      const escaped = points[++n]
      if (escaped === undefined) return 'nothing follows the escape character at the end of this pattern'
      segments.at(-1)!.push(escaped.codePointAt(0)!)
    } else if (point === '%') segments.push([])
    else segments.at(-1)!.push(point === '_' ? ANY_ONE : point.codePointAt(0)!)
  }
  return matcherOf(segments)
}

/**
 * A matcher for texts with `text` somewhere, at the start or at the end.
 * @returns what is wrong with the text, if something is
 */
export function compileSearch(search: TextSearch, text: string): LikeMatcher | string {
  if (text === '') return 'this text is empty, which nothing is found by'
  if (text.length > LIKE_PATTERN_CHARACTERS_MAX) return `this text has more than ${LIKE_PATTERN_CHARACTERS_MAX} characters`
  const segment = pointsOf(text)
  switch (search) {
    case 'CONTAINS':
      return matcherOf([[], segment, []])
    case 'STARTSWITH':
      return matcherOf([segment, []])
    case 'ENDSWITH':
      return matcherOf([[], segment])
    default:
      return unreachable(search)
  }
}

/** @param segments what stands between the `%`, of which there is one less */
function matcherOf(segments: readonly Segment[]): LikeMatcher {
  const first = segments[0]!
  const last = segments.at(-1)!
  const middle = segments.slice(1, -1).filter((segment) => segment.length > 0)
  const plain = segments.every((segment) => !segment.includes(ANY_ONE)) && middle.every(({ length }) => length <= INDEX_OF_MAX)
  const whole = segments.length === 1
  if (plain) return whole ? equalTo(textOf(first)) : plainMatcher(textOf(first), middle.map(textOf), textOf(last))
  return whole ? pointMatcher(first, [], [], true) : pointMatcher(first, middle, last, false)
}

function textOf(segment: Segment): string {
  return segment.map((point) => String.fromCodePoint(point)).join('')
}

function equalTo(literal: string): LikeMatcher {
  return (text) => text === literal
}

function plainMatcher(first: string, middle: readonly string[], last: string): LikeMatcher {
  return (text) => {
    const end = text.length - last.length
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const segment of middle) {
      const found = text.indexOf(segment, at)
      if (found < 0) return false
      at = found + segment.length
    }
    return at <= end
  }
}

/** For `_` and long parts: works on code points. @param whole there is no `%`: `first` is all of it */
function pointMatcher(first: Segment, middle: readonly Segment[], last: Segment, whole: boolean): LikeMatcher {
  const searches = middle.map((segment) => new SegmentSearch(segment))
  return (text) => {
    const points = pointsOf(text)
    const end = points.length - last.length
    if (whole ? points.length !== first.length : end < first.length) return false
    if (!fits(first, points, 0) || !fits(last, points, end)) return false
    let at = first.length
    for (const search of searches) {
      at = search.endOfFirst(points, at, end)
      if (at < 0) return false
    }
    return true
  }
}

function fits(segment: Segment, points: readonly number[], at: number): boolean {
  for (let n = 0; n < segment.length; n++) if (segment[n] !== ANY_ONE && segment[n] !== points[at + n]) return false
  return true
}

function pointsOf(text: string): readonly number[] {
  const points: number[] = []
  for (let n = 0; n < text.length; n++) {
    const point = text.codePointAt(n)!
    if (point > 0xffff) n++
    points.push(point)
  }
  return points
}

/**
 * Finds a segment by bit-parallel search (Shift-And; Baeza-Yates, Gonnet: A New Approach to Text Searching, 1992). Bit n of
 * the state says that the last n + 1 characters fit the first n + 1 of the segment; 32 bits to a word.
 */
class SegmentSearch {
  readonly #length: number
  /** For each character of the segment, the positions where it fits; for all others, those of `_`. */
  readonly #masks = new Map<number, Int32Array>()
  readonly #other: Int32Array
  readonly #state: Int32Array

  constructor(segment: Segment) {
    const words = Math.ceil(segment.length / 32)
    this.#length = segment.length
    this.#other = new Int32Array(words)
    this.#state = new Int32Array(words)
    segment.forEach((point, n) => {
      if (point === ANY_ONE) setBit(this.#other, n)
    })
    segment.forEach((point, n) => {
      if (point === ANY_ONE) return
      let mask = this.#masks.get(point)
      if (mask === undefined) this.#masks.set(point, (mask = this.#other.slice()))
      setBit(mask, n)
    })
  }

  /** Where the first occurrence in `from..end` ends, or -1. */
  endOfFirst(points: readonly number[], from: number, end: number): number {
    const state = this.#state.fill(0)
    const lastWord = state.length - 1
    const lastBit = 1 << ((this.#length - 1) & 31)
    for (let at = from; at < end; at++) {
      const mask = this.#masks.get(points[at]!) ?? this.#other
      let carry = 1
      for (let word = 0; word <= lastWord; word++) {
        const bits = state[word]!
        state[word] = ((bits << 1) | carry) & mask[word]!
        carry = bits >>> 31
      }
      if ((state[lastWord]! & lastBit) !== 0) return at + 1
    }
    return -1
  }
}

function setBit(words: Int32Array, n: number): void {
  words[n >>> 5]! |= 1 << (n & 31)
}
