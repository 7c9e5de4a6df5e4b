/** Kafka's error codes, and which of them stands for what this broker reports. */
import { type ErrorCode, MillraceError } from '../../base/errors.ts'

export const errors = {
  UNKNOWN_SERVER_ERROR: -1,
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  REQUEST_TIMED_OUT: 7,
  MESSAGE_TOO_LARGE: 10,
  OFFSET_METADATA_TOO_LARGE: 12,
  COORDINATOR_NOT_AVAILABLE: 15,
  INVALID_TOPIC_EXCEPTION: 17,
  NOT_ENOUGH_REPLICAS: 19,
  INVALID_REQUIRED_ACKS: 21,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  UNSUPPORTED_SASL_MECHANISM: 33,
  ILLEGAL_SASL_STATE: 34,
  UNSUPPORTED_VERSION: 35,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  INVALID_REPLICA_ASSIGNMENT: 39,
  INVALID_CONFIG: 40,
  INVALID_REQUEST: 42,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 43,
  POLICY_VIOLATION: 44,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  SECURITY_DISABLED: 54,
  OPERATION_NOT_ATTEMPTED: 55,
  KAFKA_STORAGE_ERROR: 56,
  LOG_DIR_NOT_FOUND: 57,
  SASL_AUTHENTICATION_FAILED: 58,
  UNKNOWN_PRODUCER_ID: 59,
  NON_EMPTY_GROUP: 68,
  GROUP_ID_NOT_FOUND: 69,
  FETCH_SESSION_ID_NOT_FOUND: 70,
  INVALID_FETCH_SESSION_EPOCH: 71,
  UNKNOWN_LEADER_EPOCH: 75,
  MEMBER_ID_REQUIRED: 79,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
  ELECTION_NOT_NEEDED: 84,
  NO_REASSIGNMENT_IN_PROGRESS: 85,
  GROUP_SUBSCRIBED_TO_TOPIC: 86,
  INVALID_RECORD: 87,
  UNSTABLE_OFFSET_COMMIT: 88,
  THROTTLING_QUOTA_EXCEEDED: 89,
  PRODUCER_FENCED: 90,
  RESOURCE_NOT_FOUND: 91,
  DUPLICATE_RESOURCE: 92,
  UNACCEPTABLE_CREDENTIAL: 93,
  INVALID_UPDATE_VERSION: 95,
  FEATURE_UPDATE_FAILED: 96,
  UNKNOWN_TOPIC_ID: 100,
  TRANSACTIONAL_ID_NOT_FOUND: 105,
  FENCED_MEMBER_EPOCH: 110,
  UNRELEASED_INSTANCE_ID: 111,
  UNSUPPORTED_ASSIGNOR: 112,
  STALE_MEMBER_EPOCH: 113,
  TRANSACTION_ABORTABLE: 120,
  INVALID_RECORD_STATE: 121,
  SHARE_SESSION_NOT_FOUND: 122,
  INVALID_SHARE_SESSION_EPOCH: 123,
  INVALID_REGULAR_EXPRESSION: 128,
  SHARE_SESSION_LIMIT_REACHED: 133,
} as const

/** A failure that has a code of Kafka's own. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

const codes: Readonly<Record<ErrorCode, number>> = {
  bad_request: errors.INVALID_REQUEST,
  unsupported: errors.UNSUPPORTED_VERSION,
  illegal_name: errors.INVALID_TOPIC_EXCEPTION,
  not_found: errors.UNKNOWN_TOPIC_OR_PARTITION,
  already_exists: errors.TOPIC_ALREADY_EXISTS,
  in_use: errors.POLICY_VIOLATION,
  offset_out_of_range: errors.OFFSET_OUT_OF_RANGE,
  bad_selector: errors.INVALID_REQUEST,
  time_in_past: errors.INVALID_REQUEST,
  record_too_large: errors.MESSAGE_TOO_LARGE,
  bad_batch: errors.INVALID_RECORD,
  schema_mismatch: errors.INVALID_RECORD,
  out_of_order_sequence: errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
  fenced: errors.INVALID_PRODUCER_EPOCH,
  bad_transaction_state: errors.INVALID_TXN_STATE,
  transaction_busy: errors.CONCURRENT_TRANSACTIONS,
  stale_delivery: errors.INVALID_RECORD_STATE,
  stale_claim: errors.INVALID_REQUEST,
  payload_mismatch: errors.INVALID_REQUEST,
  // Clients try again after these.
  overloaded: errors.REQUEST_TIMED_OUT,
  queue_full: errors.REQUEST_TIMED_OUT,
  unroutable: errors.INVALID_REQUEST,
  disk_full: errors.KAFKA_STORAGE_ERROR,
  limit_reached: errors.POLICY_VIOLATION,
  draining: errors.LEADER_NOT_AVAILABLE,
  closed: errors.LEADER_NOT_AVAILABLE,
  timeout: errors.REQUEST_TIMED_OUT,
  transaction_timeout: errors.INVALID_TXN_STATE,
  outcome_unknown: errors.REQUEST_TIMED_OUT,
  data_corrupt: errors.CORRUPT_MESSAGE,
  data_in_use: errors.KAFKA_STORAGE_ERROR,
  data_unusable: errors.KAFKA_STORAGE_ERROR,
  bad_config: errors.INVALID_CONFIG,
  address_in_use: errors.UNKNOWN_SERVER_ERROR,
  insecure_bind: errors.UNKNOWN_SERVER_ERROR,
  unauthorized: errors.SASL_AUTHENTICATION_FAILED,
  forbidden: errors.TOPIC_AUTHORIZATION_FAILED,
}

/** As responses carry it. @throws what is no expected failure */
export function failure(error: unknown): { readonly errorCode: number; readonly errorMessage: string } {
  if (error instanceof KafkaError) return { errorCode: error.code, errorMessage: error.message }
  if (error instanceof MillraceError) return { errorCode: codes[error.code], errorMessage: error.message }
  throw error
}

/** The same for fields without a message. */
export function errorCodeOf(error: unknown): number {
  return failure(error).errorCode
}

export const success: { readonly errorCode: number; readonly errorMessage: null } = { errorCode: errors.NONE, errorMessage: null }
