import { word } from './character-set.ts'
import { parse } from './parse.ts'
import { compileProgram, type Program, type State } from './program.ts'

/** Whether it is found anywhere in a text. */
export type RegularExpression = (text: string) => boolean

const everything: ReadonlySet<string> = new Set(['.*', '^.*', '.*$', '^.*$'])

/**
 * Compiles what people write as patterns for names: Perl's notation without lookbehind and references back. Takes time in proportion to the length of
 * the text times that of the expression, whatever they are: they may come from anybody.
 * @throws MillraceError `bad_request`
 */
export function compileRegularExpression(pattern: string): RegularExpression {
  const program = compileProgram(parse(pattern))
  if (everything.has(pattern)) return () => true
  const before = statesBefore(program)
  return (text) => isFound(program, before, text)
}

/** A text with nothing in it that a pattern could take for more than itself. */
export function escapeForPattern(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N}_]/gu, (each) => `\\${each}`)
}

/** For each state those that lead there without a character. */
function statesBefore({ states }: Program): readonly (readonly number[])[] {
  const before: number[][] = states.map(() => [])
  for (const [n, state] of states.entries()) {
    if (state.kind === 'either') for (const next of state.nexts) before[next]!.push(n)
    if (state.kind === 'assert' || state.kind === 'ahead') before[state.next]!.push(n)
  }
  return before
}

/**
 * From the end of the text to its beginning: at each position, which states lead to the end of their piece from here. What is ahead is then known
 * where it is asked for.
 */
function isFound({ states, start, pieces }: Program, before: readonly (readonly number[])[], text: string): boolean {
  const codes = Array.from(text, (character) => character.codePointAt(0)!)
  let here = new Uint8Array(states.length)
  let after = new Uint8Array(states.length)
  const pending: number[] = []
  for (let at = codes.length; at >= 0; at--) {
    here.fill(0)
    for (const piece of pieces) {
      for (const n of piece) if (consumes(states[n]!, codes[at], after)) mark(n)
      for (let n = pending.pop(); n !== undefined; n = pending.pop())
        for (const previous of before[n]!) if (here[previous] === 0 && holds(states[previous]!, codes, at, here)) mark(previous)
    }
    if (here[start] === 1) return true
    ;[here, after] = [after, here]
  }
  return false

  function mark(n: number): void {
    here[n] = 1
    pending.push(n)
  }
}

function consumes(state: State, code: number | undefined, after: Uint8Array): boolean {
  if (state.kind === 'accept') return true
  return state.kind === 'set' && code !== undefined && after[state.next] === 1 && state.has(code)
}

/** Whether a state lets on what comes after it. */
function holds(state: State, codes: readonly number[], at: number, here: Uint8Array): boolean {
  if (state.kind === 'ahead') return (here[state.body] === 1) === state.isWanted
  if (state.kind !== 'assert') return true
  switch (state.what) {
    case 'start':
      return at === 0
    case 'end':
      return at === codes.length
    default:
      return isBoundary(codes, at) === (state.what === 'boundary')
  }
}

function isBoundary(codes: readonly number[], at: number): boolean {
  return isWord(codes[at - 1]) !== isWord(codes[at])
}

function isWord(code: number | undefined): boolean {
  return code !== undefined && word(code)
}
