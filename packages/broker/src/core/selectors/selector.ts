import { compileCondition } from './compile.ts'
import { type Dialect, dialects } from './dialect.ts'
import { parseSelector } from './parser.ts'
import type { SelectorMessage } from './selector-message.ts'
import { TRUE } from './truth.ts'

export type { SelectorMessage, SelectorValue } from './selector-message.ts'

/** Immutable; may be shared by any number of subscriptions. */
export interface Selector {
  readonly text: string
  /** Names of the properties it asks for, each once, in the order of the text. */
  readonly identifiers: readonly string[]
  /** Whether it is true for the message; false and unknown do not match. Throws only what `property` throws. */
  matches(message: SelectorMessage): boolean
}

export interface SelectorOptions {
  /** `jms` (default): Jakarta Messaging 3.1, section 3.8. `rocketmq`: the SQL92 filter of Apache RocketMQ. */
  readonly dialect?: Dialect
}

/**
 * Compiles a selector to closures; its work and its stack are bounded by `limits.ts`. `SelectorCache` remembers the result.
 * @throws MillraceError `bad_selector`
 */
export function compileSelector(text: string, options: SelectorOptions = {}): Selector {
  const rules = dialects[options.dialect ?? 'jms']
  const { expression, identifiers } = parseSelector(text, rules)
  if (expression === undefined) return { text, identifiers, matches: () => true }
  const condition = compileCondition(expression, rules)
  return { text, identifiers, matches: (message) => condition(message) === TRUE }
}
