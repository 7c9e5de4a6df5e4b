import type { ErrorCode } from '../base/errors.ts'

/** Exit codes of every command; docs/cli.md lists them. */
export const EXIT = { ok: 0, error: 1, usage: 2, notFound: 3, refused: 4 } as const

type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A failure that the command line itself finds. `message` says what happened and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(EXIT.usage, message)
}

const exitCodeOfErrorCode: Partial<Record<ErrorCode, ExitCode>> = {
  bad_request: EXIT.usage,
  illegal_name: EXIT.usage,
  bad_selector: EXIT.usage,
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
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode
  const code = errorCodeOf(error)
  return (code === undefined ? undefined : exitCodeOfErrorCode[code as ErrorCode]) ?? EXIT.error
}

/** The stable code of an expected failure, from the broker or from the client library; undefined for other errors. */
export function errorCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return error.code
}

/** One line for people; the stack of an error that nobody expected, because that is a bug to report. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const expected = error instanceof CommandError || errorCodeOf(error) !== undefined
  return expected ? error.message : (error.stack ?? error.message)
}
