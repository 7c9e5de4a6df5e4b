import type { LikeMatcher } from './like.ts'
import type { ArithmeticOperator, Numeric } from './numeric.ts'
import type { ValueKind } from './selector-message.ts'

export type OrderOperator = '<' | '<=' | '>' | '>='

/** A parsed selector. `at` is where the expression begins in the text. */
export type Expression = { readonly at: number } & (
  | { readonly kind: 'literal'; readonly value: string | Numeric | boolean }
  | { readonly kind: 'identifier'; readonly name: string }
  | { readonly kind: 'sign'; readonly negative: boolean; readonly operand: Expression }
  | {
      readonly kind: 'arithmetic'
      readonly operator: ArithmeticOperator
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly kind: 'equal'; readonly negated: boolean; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'order'; readonly operator: OrderOperator; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'between'
      readonly negated: boolean
      readonly operand: Expression
      readonly low: Expression
      readonly high: Expression
    }
  | { readonly kind: 'in'; readonly negated: boolean; readonly operand: Expression; readonly texts: ReadonlySet<string> }
  /** Also CONTAINS, STARTSWITH and ENDSWITH. */
  | { readonly kind: 'like'; readonly negated: boolean; readonly operand: Expression; readonly matches: LikeMatcher }
  | { readonly kind: 'isNull'; readonly negated: boolean; readonly operand: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Expression[] }
)

/** What can be said of an expression's value before there is a message. */
export function kindOf(expression: Expression): ValueKind {
  switch (expression.kind) {
    case 'identifier':
      return 'any'
    case 'literal':
      if (typeof expression.value === 'string') return 'string'
      return typeof expression.value === 'boolean' ? 'boolean' : 'number'
    case 'sign':
    case 'arithmetic':
      return 'number'
    default:
      return 'boolean'
  }
}
