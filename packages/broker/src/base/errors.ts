/**
 * The error catalogue: every failure a user can meet, with its stable code. Doors translate codes into their own
 * wire codes; docs/errors.md explains each, and a test keeps the two in step.
 */
export const errorCatalogue = {
  // request
  bad_request: { retryable: false, summary: 'The request is malformed.' },
  unsupported: { retryable: false, summary: 'This broker does not offer the requested feature.' },
  illegal_name: { retryable: false, summary: 'The name has characters or a length that names may not have.' },
  not_found: { retryable: false, summary: 'Nothing of that name exists.' },
  already_exists: { retryable: false, summary: 'The name is taken by something with other settings.' },
  in_use: { retryable: false, summary: 'The object still has consumers or members.' },
  offset_out_of_range: { retryable: false, summary: 'The offset was trimmed or is not written yet.' },
  bad_selector: { retryable: false, summary: 'The selector is not a valid expression.' },
  time_in_past: { retryable: false, summary: 'The message is to be published at a time that has passed.' },
  // records
  record_too_large: { retryable: false, summary: 'The record or batch is larger than the limit.' },
  bad_batch: { retryable: false, summary: 'The record batch is not a valid Kafka v2 batch.' },
  schema_mismatch: { retryable: false, summary: 'The body does not have the declared shape.' },
  out_of_order_sequence: { retryable: false, summary: 'A batch of a producer before this one is missing.' },
  fenced: { retryable: false, summary: 'The producer, or member of a group, was replaced by somebody else or is forgotten.' },
  // delivery
  stale_delivery: { retryable: false, summary: 'The delivery was settled before, or its lease ran out.' },
  stale_claim: { retryable: false, summary: 'The claim of an idempotency key is not held any more.' },
  payload_mismatch: { retryable: false, summary: 'An idempotency key came again with another payload.' },
  // routing
  unroutable: { retryable: false, summary: 'The exchange has no binding that takes the message.' },
  // capacity
  overloaded: { retryable: true, summary: 'The broker has no room for this now.' },
  queue_full: { retryable: true, summary: 'The queue holds as many messages as its limits allow.' },
  disk_full: { retryable: true, summary: 'The data directory has no space for new messages.' },
  limit_reached: { retryable: false, summary: 'A configured limit is reached.' },
  // life cycle
  draining: { retryable: true, summary: 'The broker is shutting down.' },
  closed: { retryable: true, summary: 'The connection or consumer is closed.' },
  timeout: { retryable: true, summary: 'The operation took longer than its deadline.' },
  transaction_timeout: { retryable: true, summary: 'The transaction was not committed in time; nothing of it was done.' },
  transaction_busy: { retryable: true, summary: 'The last transaction of the producer is still being published.' },
  bad_transaction_state: { retryable: false, summary: 'No transaction is open, or it ended the other way.' },
  // durability
  outcome_unknown: { retryable: true, summary: 'The write may or may not have been kept.' },
  data_corrupt: { retryable: false, summary: 'Stored data fails its checksum.' },
  data_in_use: { retryable: false, summary: 'Another process has the data directory open.' },
  data_unusable: { retryable: false, summary: 'The data directory cannot be used.' },
  // start
  bad_config: { retryable: false, summary: 'The configuration is not valid.' },
  address_in_use: { retryable: false, summary: 'The address is taken by another process.' },
  insecure_bind: { retryable: false, summary: 'Listening beyond this machine needs users configured.' },
  // security
  unauthorized: { retryable: false, summary: 'Credentials are missing or wrong.' },
  forbidden: { retryable: false, summary: 'The user may not do this.' },
} as const

export type ErrorCode = keyof typeof errorCatalogue

/** An expected failure. `message` says what happened and what to do about it. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return errorCatalogue[this.code].retryable
  }
}

/** @returns undefined for what does not exist @throws everything else that `ask` throws */
export function orUndefined<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'not_found') return undefined
    throw error
  }
}
