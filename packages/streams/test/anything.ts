import type { StandardSchema } from '@millrace/client'

/** A schema for tests: it takes whatever it is given for a T. */
export function anything<T>(): StandardSchema<T> {
  return { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as T }) } }
}
