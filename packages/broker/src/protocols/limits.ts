/** Bounds of what is delivered over one connection, whatever its protocol. */
export const deliveryLimits = {
  /** Deliveries stop while so many bytes wait for the peer, and go on when the connection reports that it is writable again. */
  backlogBytesHigh: 2_097_152,
  /** Credit is passed on to the broker in slices of about so many bytes, so that what is under way stays bounded. */
  sliceBytes: 1_048_576,
  sliceMessagesMax: 16_384,
} as const
