import { expect, test } from 'vitest'
import { MillraceError } from '../base/errors.ts'
import { CommandError, describeFailure, exitCodeOf, usageError } from './failure.ts'

test('exit codes tell usage, missing things and refusals apart', () => {
  expect(exitCodeOf(usageError('x'))).toBe(2)
  expect(exitCodeOf(new MillraceError('illegal_name', 'x'))).toBe(2)
  expect(exitCodeOf(new MillraceError('not_found', 'x'))).toBe(3)
  expect(exitCodeOf(new MillraceError('in_use', 'x'))).toBe(4)
  expect(exitCodeOf(new MillraceError('outcome_unknown', 'x'))).toBe(1)
  expect(exitCodeOf(new CommandError('timeout', 'x'))).toBe(5)
  expect(exitCodeOf(new CommandError(undefined, 'x'))).toBe(1)
  expect(exitCodeOf(Object.assign(new Error('x'), { code: 'toString' }))).toBe(1)
  expect(exitCodeOf(new TypeError('x'))).toBe(1)
})

test('expected failures are one message, bugs keep their stack', () => {
  expect(describeFailure(new MillraceError('not_found', 'There is no queue x.'))).toBe('There is no queue x.')
  expect(describeFailure(new TypeError('x is undefined'))).toContain('failure.test.ts')
  expect(describeFailure('text')).toBe('text')
})
