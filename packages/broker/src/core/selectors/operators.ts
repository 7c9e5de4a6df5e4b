// hot path
/** The closures that selectors are made of. They allocate nothing. */
import type { OrderOperator } from './expression.ts'
import { type ArithmeticOperator, calculate, equalNumbers, isNumeric, minus, type Numeric } from './numeric.ts'
import type { SelectorMessage, SelectorValue, ValueKind } from './selector-message.ts'
import { textAs } from './text-values.ts'
import { FALSE, TRUE, type Truth, truthOf, UNKNOWN } from './truth.ts'

export type Condition = (message: SelectorMessage) => Truth
export type Operand = (message: SelectorMessage) => SelectorValue

type OrderTest = (left: Numeric, right: Numeric) => boolean
const orderTests: Readonly<Record<OrderOperator, OrderTest>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
}

export function conjunction(terms: readonly Condition[]): Condition {
  return (message) => {
    let result: Truth = TRUE
    for (const term of terms) {
      const truth = term(message)
      if (truth === FALSE) return FALSE
      if (truth < result) result = truth
    }
    return result
  }
}

export function disjunction(terms: readonly Condition[]): Condition {
  return (message) => {
    let result: Truth = FALSE
    for (const term of terms) {
      const truth = term(message)
      if (truth === TRUE) return TRUE
      if (truth > result) result = truth
    }
    return result
  }
}

/** A value by itself is a condition as if `= TRUE` stood after it. */
export function truthOfValue(operand: Operand): Condition {
  return (message) => {
    const value = operand(message)
    if (value === true) return TRUE
    return value === undefined ? UNKNOWN : FALSE
  }
}

/** Values of different types are neither equal nor unequal (section 3.8.1.2: "the value of the operation is false"). */
export function equality(left: Operand, right: Operand, negated: boolean): Condition {
  return (message) => {
    const a = left(message)
    const b = right(message)
    if (a === undefined || b === undefined) return UNKNOWN
    if (typeof a === typeof b) return truthOf((a === b) !== negated)
    if (isNumeric(a) && isNumeric(b)) return truthOf(equalNumbers(a, b) !== negated)
    return FALSE
  }
}

export function order(left: Operand, right: Operand, operator: OrderOperator): Condition {
  const test = orderTests[operator]
  return (message) => ordered(left(message), right(message), test)
}

function ordered(left: SelectorValue, right: SelectorValue, test: OrderTest): Truth {
  if (isNumeric(left) && isNumeric(right)) return truthOf(test(left, right))
  return left === undefined || right === undefined ? UNKNOWN : FALSE
}

/** `operand >= low AND operand <= high` */
export function inside(operand: Operand, low: Operand, high: Operand): Condition {
  return (message) => {
    const value = operand(message)
    const above = ordered(value, low(message), orderTests['>='])
    const below = ordered(value, high(message), orderTests['<='])
    return above < below ? above : below
  }
}

/** `operand < low OR operand > high`: not the same as NOT BETWEEN if a value is no number. */
export function outside(operand: Operand, low: Operand, high: Operand): Condition {
  return (message) => {
    const value = operand(message)
    const below = ordered(value, low(message), orderTests['<'])
    const above = ordered(value, high(message), orderTests['>'])
    return below > above ? below : above
  }
}

/** Unknown for what is not a text, whether negated or not. */
export function textTest(operand: Operand, negated: boolean, test: (value: string) => boolean): Condition {
  return (message) => {
    const value = operand(message)
    return typeof value === 'string' ? truthOf(test(value) !== negated) : UNKNOWN
  }
}

export function nullTest(operand: Operand, negated: boolean): Condition {
  return (message) => truthOf((operand(message) === undefined) !== negated)
}

// ---- values ---------------------------------------------------------------------------------------------------------

export function property(name: string, wanted: ValueKind): Operand {
  return (message) => message.property(name, wanted)
}

export function convertedProperty(name: string, wanted: ValueKind): Operand {
  return (message) => {
    const value = message.property(name, wanted)
    if (typeof value === 'string') return textAs(value, wanted)
    return wanted === 'string' && value !== undefined ? String(value) : value
  }
}

export function valueOfTruth(condition: Condition): Operand {
  return (message) => {
    const truth = condition(message)
    if (truth === TRUE) return true
    return truth === FALSE ? false : undefined
  }
}

/** What is no number has no sum: the result is NULL. */
export function arithmetic(operator: ArithmeticOperator, left: Operand, right: Operand): Operand {
  return (message) => {
    const a = left(message)
    const b = right(message)
    return isNumeric(a) && isNumeric(b) ? calculate(operator, a, b) : undefined
  }
}

export function sign(operand: Operand, negative: boolean): Operand {
  return (message) => {
    const value = operand(message)
    if (!isNumeric(value)) return undefined
    return negative ? minus(value) : value
  }
}
