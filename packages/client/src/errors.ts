import { type ErrorCode, isRetryable, type Reason } from '@millrace/wire'

/** What went wrong, with a stable `code` (docs/errors.md). */
export class MillraceError extends Error {
  override readonly name = 'MillraceError'
  /** One of `ErrorCode`; a newer broker may send others. */
  readonly code: ErrorCode | (string & {})

  constructor(code: ErrorCode | (string & {}), message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  /** Whether the same call may succeed later. */
  get retryable(): boolean {
    return isRetryable(this.code)
  }
}

export function errorOf(reason: Reason): MillraceError {
  return new MillraceError(reason.code, reason.message)
}

/** @returns the error as it is, or wrapped with the code when it is not one of ours */
export function asMillraceError(error: unknown, code: ErrorCode, message: string): MillraceError {
  if (error instanceof MillraceError) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new MillraceError(code, `${message}: ${detail}`, { cause: error })
}
