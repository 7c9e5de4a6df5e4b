import { describe, expect, it } from 'vitest'
import { errorCatalogue, MillraceError, orUndefined, type ErrorCode } from './errors.ts'

describe('error catalogue', () => {
  it('has stable, readable codes', () => {
    for (const [code, { summary }] of Object.entries(errorCatalogue)) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
      expect(summary).toMatch(/^[A-Z].*\.$/)
    }
  })

  it('tells whether a request may succeed later', () => {
    for (const code of Object.keys(errorCatalogue) as ErrorCode[])
      expect(new MillraceError(code, 'x').retryable).toBe(errorCatalogue[code].retryable)
  })
})

describe('orUndefined', () => {
  it('gives what there is, and undefined for what does not exist', () => {
    expect(orUndefined(() => 7)).toBe(7)
    expect(orUndefined(failing(new MillraceError('not_found', 'x')))).toBeUndefined()
  })

  it('passes on every other failure', () => {
    expect(() => orUndefined(failing(new MillraceError('forbidden', 'y')))).toThrow('y')
    expect(() => orUndefined(failing(new TypeError('z')))).toThrow('z')
  })
})

const failing = (error: Error) => (): never => {
  throw error
}
