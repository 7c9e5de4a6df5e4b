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
} as const
