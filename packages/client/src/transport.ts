/** A byte stream to a broker: TCP, WebSocket, or this process. */
export interface Transport {
  /** Sends the chunks in order; they belong to the transport from now on. */
  write(chunks: readonly Uint8Array[]): void
  /** Sends what was written, then closes. */
  close(): void
  /** Closes at once. */
  destroy(): void
}

/** What a transport reports. `closed` comes exactly once, and nothing after it. */
export interface TransportEvents {
  /** The bytes belong to the receiver. */
  data(bytes: Uint8Array): void
  closed(error?: Error): void
}

/** Opens a transport. Rejects when that fails, without calling `events`; an abort of the signal makes it fail. */
export type Dial = (events: TransportEvents, signal: AbortSignal) => Promise<Transport>
