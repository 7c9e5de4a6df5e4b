import { errorCodes } from '@millrace/wire'
import { expect, it } from 'vitest'
import { errorCatalogue } from '../base/errors.ts'

it('clients know the same codes as the broker, and whether to try again', () => {
  const known = Object.fromEntries(Object.entries(errorCatalogue).map(([code, { retryable }]) => [code, { retryable }]))
  expect(errorCodes).toEqual(known)
})
