/**
 * Every error code that a Millrace broker or client reports, and whether the same request may succeed later. The broker's
 * catalogue (packages/broker/src/base/errors.ts, docs/errors.md) explains them; a test keeps the two equal.
 */
export const errorCodes = {
  bad_request: { retryable: false },
  unsupported: { retryable: false },
  illegal_name: { retryable: false },
  not_found: { retryable: false },
  already_exists: { retryable: false },
  in_use: { retryable: false },
  offset_out_of_range: { retryable: false },
  bad_selector: { retryable: false },
  time_in_past: { retryable: false },
  record_too_large: { retryable: false },
  bad_batch: { retryable: false },
  schema_mismatch: { retryable: false },
  out_of_order_sequence: { retryable: false },
  fenced: { retryable: false },
  stale_delivery: { retryable: false },
  stale_claim: { retryable: false },
  payload_mismatch: { retryable: false },
  overloaded: { retryable: true },
  disk_full: { retryable: true },
  queue_full: { retryable: true },
  unroutable: { retryable: false },
  limit_reached: { retryable: false },
  draining: { retryable: true },
  closed: { retryable: true },
  timeout: { retryable: true },
  transaction_timeout: { retryable: true },
  transaction_busy: { retryable: true },
  bad_transaction_state: { retryable: false },
  outcome_unknown: { retryable: true },
  data_corrupt: { retryable: false },
  data_in_use: { retryable: false },
  data_unusable: { retryable: false },
  bad_config: { retryable: false },
  address_in_use: { retryable: false },
  insecure_bind: { retryable: false },
  unauthorized: { retryable: false },
  forbidden: { retryable: false },
} as const

export type ErrorCode = keyof typeof errorCodes

/** Codes of a newer broker are taken as final. */
export function isRetryable(code: string): boolean {
  return Object.hasOwn(errorCodes, code) && errorCodes[code as ErrorCode].retryable
}
