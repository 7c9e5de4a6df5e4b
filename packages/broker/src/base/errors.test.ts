import { describe, expect, it } from 'vitest'
import { errorCatalogue, MillraceError, type ErrorCode } from './errors.ts'

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
