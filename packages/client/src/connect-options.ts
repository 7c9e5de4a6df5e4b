import type { SecurityOptions } from './security-options.ts'

export interface ConnectOptions extends SecurityOptions {
  /** Shown in the broker's lists and logs. */
  readonly clientId?: string
  /** TCP connections to spread publishers and consumers over. Default 1. */
  readonly connections?: number
  /** How long to try before giving up: a number of milliseconds, or `false` to try for ever. Applies to the first connect (default 10,000). */
  readonly connectTimeoutMs?: number | false
  /** Wait between attempts to reconnect: doubles from `min` to `max`, with jitter. Default 50 to 5,000. */
  readonly reconnectDelayMs?: { readonly min: number; readonly max: number }
  /** How long `close` waits for a connection that is lost while something is unconfirmed; then its outcome is unknown. Default 10,000. */
  readonly closeTimeoutMs?: number
  /**
   * A faster CRC-32C than the portable one: `crc32c` of `@node-rs/crc32`, for instance. It pays for those who publish more than
   * about 100 MB a second.
   */
  readonly crc32c?: (bytes: Uint8Array, previous?: number) => number
  /** Constructor for `ws:` and `wss:` URLs where the platform has no global WebSocket (Node 20). */
  readonly WebSocket?: unknown
  readonly signal?: AbortSignal
}
