export type * from './api.ts'
export type { ClientPlatform } from './client-platform.ts'
export { connect } from './connect.ts'
export { MillraceError } from './errors.ts'
export * from './idempotency/index.ts'
export { connectInProcess, type InProcessAccept, type InProcessConnection, type InProcessSession } from './in-process.ts'
export { CORRELATION_ID_HEADER, MESSAGE_ID_HEADER, PRIORITY_HEADER, REPLY_TO_HEADER } from './message-headers.ts'
export * from './typed/index.ts'
export type { ErrorCode } from '@millrace/wire'

// For the packages beside this one.
export { callUser } from './call-user.ts'
export { encodeBody, encodeHeaders, encodeKey, withPriority } from './outgoing.ts'
