import { errorCatalogue, type ErrorCode } from '../base/errors.ts'

/** Exit codes of every command; docs/cli.md lists them. */
export const EXIT = { ok: 0, error: 1, usage: 2, notFound: 3, refused: 4, timeout: 5 } as const

type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A failure that the command line itself finds. `message` says what happened and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  /** Undefined where the catalogue has none: somebody decided so. */
  readonly code: ErrorCode | undefined

  constructor(code: ErrorCode | undefined, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The command line is wrong: there is nothing to look up about it, and its message tells no code. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super('bad_request', message)
  }
}

export function usageError(message: string): CommandError {
  return new UsageError(message)
}

const exitCodeOfErrorCode: Partial<Record<ErrorCode, ExitCode>> = {
  bad_request: EXIT.usage,
  illegal_name: EXIT.usage,
  bad_selector: EXIT.usage,
  time_in_past: EXIT.usage,
  bad_config: EXIT.usage,
  not_found: EXIT.notFound,
  already_exists: EXIT.refused,
  in_use: EXIT.refused,
  fenced: EXIT.refused,
  record_too_large: EXIT.refused,
  overloaded: EXIT.refused,
  disk_full: EXIT.refused,
  queue_full: EXIT.refused,
  unroutable: EXIT.refused,
  limit_reached: EXIT.refused,
  draining: EXIT.refused,
  insecure_bind: EXIT.refused,
  unauthorized: EXIT.refused,
  forbidden: EXIT.refused,
  timeout: EXIT.timeout,
}

export function exitCodeOf(error: unknown): ExitCode {
  const code = catalogueCodeOf(error)
  return (code === undefined ? undefined : exitCodeOfErrorCode[code]) ?? EXIT.error
}

/** The stable code of an expected failure, from the broker or from the client library; undefined for other errors. */
export function errorCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return error.code
}

/** The same, unless it is not of the catalogue: `ENOENT`. */
export function catalogueCodeOf(error: unknown): ErrorCode | undefined {
  const code = errorCodeOf(error)
  return code !== undefined && Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : undefined
}

/** What happened; the stack of an error that nobody expected, because that is a bug to report. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const expected = error instanceof CommandError || errorCodeOf(error) !== undefined
  return expected ? error.message : (error.stack ?? error.message)
}
