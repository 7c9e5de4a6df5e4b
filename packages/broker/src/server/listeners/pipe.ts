/** A socket of some kind, below the connection that a session sees. */
export interface Pipe {
  /** Bytes given to `send` that the operating system has not taken yet. */
  readonly bufferedBytes: number
  /** Sends the buffers in order, which belong to the pipe from now on. @param taken called when the last of them was taken, or never */
  send(buffers: readonly Uint8Array[], taken: () => void): void
  /** Stops reading from the peer. */
  pause(): void
  resume(): void
  /** Sends what is buffered, then closes. */
  end(): void
  /** Closes at once; what is buffered is lost. */
  destroy(): void
}
