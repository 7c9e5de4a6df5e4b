/** What the configuration says about this door. */
export interface AmqpSettings {
  /** Largest frame that clients may ask for, in bytes. */
  readonly frameBytesMax: number
  /** Channels that a connection may have open. */
  readonly channelsMax: number
  /** Heartbeat that clients are offered, in seconds; 0 is none. */
  readonly heartbeatSeconds: number
  /** A channel is closed that holds a delivery for so long; 0: never. */
  readonly consumerTimeoutMs: number
  /** Largest body of a message. */
  readonly messageBytesMax: number
}

export const defaultSettings: AmqpSettings = {
  frameBytesMax: 131_072,
  channelsMax: 2047,
  heartbeatSeconds: 60,
  consumerTimeoutMs: 30 * 60_000,
  messageBytesMax: 16 * 1024 * 1024,
}
