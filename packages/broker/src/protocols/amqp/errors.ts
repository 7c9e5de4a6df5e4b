/** Which reply of AMQP stands for what this broker reports, and what it ends. */
import { type ErrorCode, MillraceError } from '../../base/errors.ts'
import { AmqpError, type ErrorScope, type ReplyName } from './amqp-error.ts'

const replies: Readonly<Record<ErrorCode, ReplyName | readonly [ReplyName, ErrorScope]>> = {
  bad_request: 'precondition-failed',
  unsupported: 'not-implemented',
  illegal_name: 'precondition-failed',
  not_found: 'not-found',
  already_exists: 'precondition-failed',
  in_use: 'precondition-failed',
  offset_out_of_range: 'precondition-failed',
  bad_selector: 'precondition-failed',
  time_in_past: 'precondition-failed',
  record_too_large: 'precondition-failed',
  bad_batch: 'internal-error',
  schema_mismatch: 'precondition-failed',
  out_of_order_sequence: 'precondition-failed',
  fenced: 'precondition-failed',
  stale_delivery: 'precondition-failed',
  stale_claim: 'precondition-failed',
  payload_mismatch: 'precondition-failed',
  overloaded: ['resource-error', 'channel'],
  unroutable: 'precondition-failed',
  queue_full: ['resource-error', 'channel'],
  disk_full: ['resource-error', 'channel'],
  limit_reached: 'precondition-failed',
  draining: 'connection-forced',
  closed: 'connection-forced',
  timeout: ['resource-error', 'channel'],
  transaction_timeout: 'precondition-failed',
  transaction_busy: 'precondition-failed',
  bad_transaction_state: 'precondition-failed',
  outcome_unknown: 'internal-error',
  data_corrupt: 'internal-error',
  data_in_use: 'internal-error',
  data_unusable: 'internal-error',
  bad_config: 'internal-error',
  address_in_use: 'internal-error',
  insecure_bind: 'internal-error',
  unauthorized: ['access-refused', 'connection'],
  forbidden: 'access-refused',
}

/** @throws what is no expected failure */
export function amqpError(error: unknown): AmqpError {
  if (error instanceof AmqpError) return error
  if (!(error instanceof MillraceError)) throw error
  const reply = replies[error.code]
  return typeof reply === 'string' ? new AmqpError(reply, error.message) : new AmqpError(reply[0], error.message, reply[1])
}

/** Says of an error which method failed, if that is not known yet. @param code class and method, as in a frame; 0 for none */
export function withMethod(error: AmqpError, code: number): AmqpError {
  if (error.classId === 0 && code !== 0) {
    error.classId = code >>> 16
    error.methodId = code & 0xffff
  }
  return error
}
