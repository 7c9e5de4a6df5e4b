import { describe, expect, test } from 'vitest'
import { type ErrorCode, errorCatalogue, MillraceError } from '../../base/errors.ts'
import { amqpError, withMethod } from './errors.ts'

describe('errors of the core', () => {
  test.each(Object.keys(errorCatalogue) as ErrorCode[])('%s has a reply', (code) => {
    const { code: reply, message } = amqpError(new MillraceError(code, 'why'))
    expect([reply >= 300 && reply < 600, message]).toEqual([true, 'why'])
  })

  test.each([
    ['not_found', 404, 'channel'],
    ['forbidden', 403, 'channel'],
    ['queue_full', 506, 'channel'],
    ['unauthorized', 403, 'connection'],
    ['draining', 320, 'connection'],
    ['unsupported', 540, 'connection'],
  ] as const)('%s is %i of the %s', (code, reply, scope) => {
    expect(amqpError(new MillraceError(code, ''))).toMatchObject({ code: reply, scope })
  })

  test('bugs are no errors of a client', () => {
    expect(() => amqpError(new TypeError('bug'))).toThrow(TypeError)
  })

  test('keep the method that they know', () => {
    const error = withMethod(amqpError(new MillraceError('not_found', '')), 0x32_000a)
    expect([error.classId, error.methodId]).toEqual([50, 10])
    expect(withMethod(error, 0x3c_0028)).toMatchObject({ classId: 50, methodId: 10 })
  })
})
