/**
 * What users may do in virtual hosts, in RabbitMQ's terms: regular expressions that are looked for in names. An empty one finds only the empty
 * name. They count beside the rules of a user.
 */
export interface VhostPermission {
  readonly vhost: string
  /** Queues and exchanges that may be created, changed and deleted. */
  readonly configure: string
  /** Those to which may be published. The default exchange is `amq.default`. */
  readonly write: string
  /** Those that may be consumed, read and purged. */
  readonly read: string
}

/** What keys messages may have in one exchange. `{username}`, `{vhost}` and `{client_id}` stand for what they say. */
export interface TopicPermission {
  readonly vhost: string
  /** As its clients call it; `amq.default` or empty for the default exchange. */
  readonly exchange: string
  readonly write: string
  readonly read: string
}

/** How much one user may have open at a time. */
export interface UserLimits {
  readonly maxConnections?: number
  readonly maxChannels?: number
}

/** What RabbitMQ keeps of a password: base64 of 4 bytes of salt and the hash of salt and password. */
export interface RabbitmqPasswordHash {
  readonly algorithm: 'sha256' | 'sha512'
  readonly hash: string
}
