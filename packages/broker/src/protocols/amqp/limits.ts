export const limits = {
  /** Before a client said who it is: it may offer credentials, and nothing large. */
  frameBytesBeforeLogin: 8192,
  /** Smallest and largest `frame-max` that is agreed on: all bytes of a frame, the eight around its payload included. */
  frameBytesMin: 4096,
  frameBytesMax: 131_072,
  /** Tables and arrays inside each other. */
  tableDepthMax: 32,
  /** Bytes of a gathered frame's buffer that a connection keeps. */
  keptFrameBytesMax: 262_144,
  /** Longest properties that a connection remembers, as bytes. */
  keptPropertiesBytesMax: 2048,

  /** From the connection to `connection.open`. */
  loginDeadlineMs: 10_000,
  /** For `connection.close-ok`, after which the connection is cut. */
  closeOkMs: 5000,
  consumersPerChannelMax: 4096,
  /** Answers of one channel that wait for a commit or for another answer: no more is read before there are fewer. */
  answersMax: 4096,
  /** What one transaction holds of messages. */
  transactionBytesMax: 67_108_864,
  transactionSettlesMax: 100_000,
  /** What a message is taken to weigh until the first was seen. */
  assumedMessageBytes: 4096,
  /** Messages to one route are gathered up to this before they are published. */
  gatheredBytesMax: 1_048_576,
  /** Direct replies are dropped while so many bytes wait for a client that does not read. */
  replyBacklogBytesMax: 8_388_608,
  /** A client is told that it is blocked once it was not read from for so long. */
  blockedAfterMs: 1000,
} as const
