import { unreachable } from '../assert.ts'
import { MillraceError } from '../errors.ts'
import type { CharacterSet } from './character-set.ts'
import type { Node } from './parse.ts'

const STATES_MAX = 10_000

/** A place in an expression, and what leads on from there. */
export type State =
  /** The end of the expression, or of what must be ahead. */
  | { readonly kind: 'accept' }
  | { readonly kind: 'set'; readonly has: CharacterSet; readonly next: number }
  | { readonly kind: 'either'; nexts: readonly number[] }
  | { readonly kind: 'assert'; readonly what: 'start' | 'end' | 'boundary' | 'inside'; readonly next: number }
  /** Goes on where what begins at `body` is ahead, or is not. */
  | { readonly kind: 'ahead'; readonly body: number; readonly isWanted: boolean; readonly next: number }

export interface Program {
  readonly states: readonly State[]
  readonly start: number
  /** Pieces of `states` from and to before an index, each with the states of one lookahead, the inner ones first; the last is the expression. */
  readonly pieces: readonly (readonly number[])[]
}

/** @throws MillraceError `bad_request` for an expression whose counts make it too large */
export function compileProgram(node: Node): Program {
  const builder = new Builder()
  const start = builder.piece(node)
  return { states: builder.states, start, pieces: builder.pieces }
}

/** Builds from the end, so that a state knows what follows it. */
class Builder {
  readonly states: State[] = []
  readonly pieces: (readonly number[])[] = []
  #current: number[] = []

  /** An expression with an end of its own. @returns where it begins */
  piece(node: Node): number {
    const outer = this.#current
    this.#current = []
    const start = this.#build(node, this.#add({ kind: 'accept' }))
    this.pieces.push(this.#current)
    this.#current = outer
    return start
  }

  #build(node: Node, next: number): number {
    switch (node.kind) {
      case 'set':
        return this.#add({ kind: 'set', has: node.has, next })
      case 'assert':
        return this.#add({ kind: 'assert', what: node.what, next })
      case 'ahead':
        return this.#add({ kind: 'ahead', body: this.piece(node.of), isWanted: node.isWanted, next })
      case 'sequence':
        return node.of.reduceRight((after, each) => this.#build(each, after), next)
      case 'choice':
        return this.#add({ kind: 'either', nexts: node.of.map((each) => this.#build(each, next)) })
      case 'repeat':
        return this.#repeat(node, next)
      default:
        return unreachable(node)
    }
  }

  #repeat({ of, min, max }: Extract<Node, { kind: 'repeat' }>, next: number): number {
    let start = next
    if (max === Infinity) {
      start = this.#add({ kind: 'either', nexts: [next] })
      this.states[start] = { kind: 'either', nexts: [this.#build(of, start), next] }
    } else {
      for (let n = min; n < max; n++) start = this.#add({ kind: 'either', nexts: [this.#build(of, start), next] })
    }
    for (let n = 0; n < min; n++) start = this.#build(of, start)
    return start
  }

  #add(state: State): number {
    if (this.states.length >= STATES_MAX)
      throw new MillraceError('bad_request', 'The pattern cannot be used: its counts make it too large; use * or + instead.')
    this.#current.push(this.states.length)
    return this.states.push(state) - 1
  }
}
