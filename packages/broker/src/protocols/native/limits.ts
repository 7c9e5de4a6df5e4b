/** Every bound of the native door. What the client must know is told in `welcome`. */
export const limits = {
  /** Largest frame before `hello` was accepted. */
  helloBytesMax: 16_384,
  helloDeadlineMs: 10_000,
  /** After so long without sending, a side sends `ping`; after twice that without receiving, it closes. */
  heartbeatMs: 10_000,
  /** What a frame may hold besides a batch. */
  frameOverheadBytesMax: 1_048_576,
  /** Publisher numbers are 0 to this, exclusive. */
  publishersMax: 65_536,
  consumersMax: 65_536,
  /** Calls of one connection that may run at the same time. */
  callsMax: 256,
  /** Transactions of one connection that may wait for their commit. */
  transactionsMax: 256,
  /** Offsets in one `confirm`. */
  confirmCountMax: 8192,
  /** What a message is taken to weigh until the first was seen. */
  assumedMessageBytes: 16_384,
  /** A batch from this size on of which less than half is delivered is cut to the part that is. */
  cutBatchBytesMin: 2048,
} as const

export const GRANT_MAX = 4_294_967_295
