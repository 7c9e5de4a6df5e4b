/** A broken invariant: a bug in the broker, never bad input. The process stops on it. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Holds in production too: a broker that goes on after a broken invariant loses messages. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionError(what)
}

/** Closes an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`)
}
