/** Sets of characters, as code points. */

/** Whether a code point is in it. */
export type CharacterSet = (code: number) => boolean

const range = (from: string, to: string): CharacterSet => {
  const [first, last] = [from.codePointAt(0)!, to.codePointAt(0)!]
  return (code) => code >= first && code <= last
}
const oneOf = (text: string): CharacterSet => {
  const codes = new Set(Array.from(text, (each) => each.codePointAt(0)!))
  return (code) => codes.has(code)
}

export const union =
  (sets: readonly CharacterSet[]): CharacterSet =>
  (code) =>
    sets.some((has) => has(code))
export const complement =
  (set: CharacterSet): CharacterSet =>
  (code) =>
    !set(code)

const digit = range('0', '9')
const upper = range('A', 'Z')
const lower = range('a', 'z')
const alpha = union([upper, lower])
const alnum = union([alpha, digit])
const space = oneOf(' \t\n\v\f\r')
export const word: CharacterSet = union([alnum, oneOf('_')])
export const anyButNewline: CharacterSet = (code) => code !== 10
export const any: CharacterSet = () => true

/** Of one code point, or in either case of a letter. */
export function single(code: number, ignoreCase: boolean): CharacterSet {
  if (!ignoreCase) return (other) => other === code
  const folded = foldCase(code)
  return (other) => other === code || foldCase(other) === folded
}

/** From and to a code point. */
export function between(first: number, last: number, ignoreCase: boolean): CharacterSet {
  const plain: CharacterSet = (code) => code >= first && code <= last
  if (!ignoreCase) return plain
  return (code) => plain(code) || bothCases(code).some(plain)
}

/** `\d` and its like, by their letter. */
export const classEscapes: ReadonlyMap<string, CharacterSet> = new Map([
  ['d', digit],
  ['D', complement(digit)],
  ['w', word],
  ['W', complement(word)],
  ['s', space],
  ['S', complement(space)],
  ['h', oneOf(' \t\u00a0')],
  ['N', anyButNewline],
])

/** `[:alpha:]` and its like, by their name. */
export const posixClasses: ReadonlyMap<string, CharacterSet> = new Map([
  ['alpha', alpha],
  ['digit', digit],
  ['alnum', alnum],
  ['upper', upper],
  ['lower', lower],
  ['word', word],
  ['space', space],
  ['blank', oneOf(' \t')],
  ['punct', oneOf('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~')],
  ['xdigit', union([digit, range('A', 'F'), range('a', 'f')])],
  ['cntrl', (code) => code < 32 || code === 127],
  ['graph', range('!', '~')],
  ['print', range(' ', '~')],
  ['ascii', (code) => code < 128],
])

function bothCases(code: number): readonly number[] {
  const text = String.fromCodePoint(code)
  return [text.toLowerCase().codePointAt(0)!, text.toUpperCase().codePointAt(0)!]
}

function foldCase(code: number): number {
  return bothCases(code)[0]!
}
