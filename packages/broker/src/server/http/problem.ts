import { type ErrorCode, errorCatalogue, MillraceError } from '../../base/errors.ts'

/** HTTP status of each error code. docs/errors.md shows the same; a test compares them. */
export const statusOf: Readonly<Record<ErrorCode, number>> = {
  bad_request: 400,
  unsupported: 501,
  illegal_name: 400,
  not_found: 404,
  already_exists: 409,
  in_use: 409,
  offset_out_of_range: 416,
  bad_selector: 400,
  time_in_past: 400,
  record_too_large: 413,
  bad_batch: 400,
  schema_mismatch: 422,
  out_of_order_sequence: 409,
  fenced: 409,
  stale_delivery: 409,
  stale_claim: 409,
  payload_mismatch: 409,
  overloaded: 503,
  disk_full: 503,
  queue_full: 429,
  unroutable: 422,
  limit_reached: 409,
  draining: 503,
  closed: 503,
  timeout: 504,
  transaction_timeout: 504,
  transaction_busy: 409,
  bad_transaction_state: 409,
  outcome_unknown: 500,
  data_corrupt: 500,
  data_in_use: 500,
  data_unusable: 500,
  bad_config: 500,
  address_in_use: 500,
  insecure_bind: 500,
  unauthorized: 401,
  forbidden: 403,
}

/** Seconds after which to try again, where that may help. */
const retryAfterSeconds: Readonly<Partial<Record<ErrorCode, number>>> = {
  overloaded: 1,
  disk_full: 30,
  queue_full: 1,
  draining: 5,
  closed: 1,
  timeout: 1,
  transaction_timeout: 1,
  transaction_busy: 1,
}

/** An error whose status says more than its code's usual one: 405, 413, 415. */
export class HttpError extends MillraceError {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(code, message)
    this.status = status
    this.headers = headers
  }
}

/** A failure as a document (RFC 9457); the command line prints the same. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  /** What happened and what to do. */
  readonly detail: string
}

export function problemDocument(code: ErrorCode, detail: string, status: number = statusOf[code]): ProblemDocument {
  return { type: `urn:millrace:error:${code}`, title: errorCatalogue[code].summary, status, code, detail }
}

/** @param extension further members, for what a program needs to go on */
export function problemResponse(error: MillraceError, extension: Readonly<Record<string, unknown>> = {}): Response {
  const status = error instanceof HttpError ? error.status : statusOf[error.code]
  const retryAfter = retryAfterSeconds[error.code]
  const body = { ...problemDocument(error.code, error.message, status), ...extension }
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...(error.code === 'unauthorized' ? { 'www-authenticate': 'Basic realm="Millrace", charset="UTF-8"' } : {}),
      ...(error instanceof HttpError ? error.headers : {}),
    },
  })
}

export function json(status: number, body: unknown): Response {
  return new Response(`${JSON.stringify(body)}\n`, { status, headers: { 'content-type': 'application/json' } })
}
