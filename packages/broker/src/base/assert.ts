/** A broken invariant: a bug in the broker, never bad input. The process stops on it. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/**
 * Holds in production too: a broker that goes on after a broken invariant loses messages.
 * @param what a constant, with the numbers that it is about apart: text is made of them only once it is needed
 */
export function assert(condition: unknown, what: string, first?: number, second?: number): asserts condition {
  if (!condition) throw new AssertionError(messageOf(what, first, second))
}

function messageOf(what: string, first: number | undefined, second: number | undefined): string {
  const numbers = [first, second].filter((number) => number !== undefined)
  return numbers.length === 0 ? what : `${what}: ${numbers.join(', ')}`
}

/** Closes an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`)
}
