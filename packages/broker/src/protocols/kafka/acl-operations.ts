/** Codes of what an ACL allows or denies. Source: Kafka's protocol, `AclOperation`. */
export const ALL = 2
export const READ = 3
export const WRITE = 4
export const CREATE = 5
export const DELETE = 6
export const ALTER = 7
export const DESCRIBE = 8
export const DESCRIBE_CONFIGS = 10
export const ALTER_CONFIGS = 11
export const IDEMPOTENT_WRITE = 12
