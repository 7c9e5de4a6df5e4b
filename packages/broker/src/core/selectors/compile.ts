import { unreachable } from '../../base/assert.ts'
import type { DialectRules } from './dialect.ts'
import { type Expression, kindOf } from './expression.ts'
import {
  arithmetic,
  type Condition,
  conjunction,
  convertedProperty,
  disjunction,
  equality,
  inside,
  nullTest,
  type Operand,
  order,
  outside,
  property,
  sign,
  textTest,
  truthOfValue,
  valueOfTruth,
} from './operators.ts'
import type { ValueKind } from './selector-message.ts'
import { not } from './truth.ts'

/** Turns an expression into closures, which recurse no deeper than the expression does. */
export function compileCondition(expression: Expression, rules: DialectRules): Condition {
  switch (expression.kind) {
    case 'and':
      return conjunction(expression.terms.map((term) => compileCondition(term, rules)))
    case 'or':
      return disjunction(expression.terms.map((term) => compileCondition(term, rules)))
    case 'not': {
      const condition = compileCondition(expression.operand, rules)
      return (message) => not(condition(message))
    }
    case 'equal': {
      const left = compileOperand(expression.left, kindOf(expression.right), rules)
      const right = compileOperand(expression.right, kindOf(expression.left), rules)
      return equality(left, right, expression.negated)
    }
    case 'order': {
      const left = compileOperand(expression.left, 'number', rules)
      const right = compileOperand(expression.right, 'number', rules)
      return order(left, right, expression.operator)
    }
    case 'between': {
      const operand = compileOperand(expression.operand, 'number', rules)
      const low = compileOperand(expression.low, 'number', rules)
      const high = compileOperand(expression.high, 'number', rules)
      return expression.negated ? outside(operand, low, high) : inside(operand, low, high)
    }
    case 'in': {
      const { texts } = expression
      return textTest(compileOperand(expression.operand, 'string', rules), expression.negated, (value) => texts.has(value))
    }
    case 'like':
      return textTest(compileOperand(expression.operand, 'string', rules), expression.negated, expression.matches)
    case 'isNull':
      return nullTest(compileOperand(expression.operand, 'any', rules), expression.negated)
    case 'identifier':
    case 'literal':
    case 'sign':
    case 'arithmetic':
      return truthOfValue(compileOperand(expression, 'boolean', rules))
    default:
      return unreachable(expression)
  }
}

/** @param wanted what the operator around it asks for */
function compileOperand(expression: Expression, wanted: ValueKind, rules: DialectRules): Operand {
  switch (expression.kind) {
    case 'literal': {
      const { value } = expression
      return () => value
    }
    case 'identifier': {
      const { name } = expression
      return rules.converts ? convertedProperty(name, wanted) : property(name, wanted)
    }
    case 'sign':
      return sign(compileOperand(expression.operand, 'number', rules), expression.negative)
    case 'arithmetic': {
      const left = compileOperand(expression.left, 'number', rules)
      const right = compileOperand(expression.right, 'number', rules)
      return arithmetic(expression.operator, left, right)
    }
    default:
      return valueOfTruth(compileCondition(expression, rules))
  }
}
