import { MillraceError } from '../base/errors.ts'

const encoder = new TextEncoder()

/** A value as JSON, and how many bytes that has. @throws MillraceError `bad_request` when JSON cannot hold it */
export function jsonText(what: string, value: unknown): { readonly text: string; readonly bytes: number } {
  let text: string | undefined
  try {
    text = JSON.stringify(value) as string | undefined
  } catch (error) {
    throw new MillraceError('bad_request', `${what} cannot be written as JSON: ${String(error)}`, { cause: error })
  }
  if (text === undefined) throw new MillraceError('bad_request', `${what} must be something that JSON can hold`)
  return { text, bytes: encoder.encode(text).length }
}
