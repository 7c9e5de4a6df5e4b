/** Every bound of the Kafka door. */
export const limits = {
  /** What a request may hold besides the largest batch. A request may carry several batches, one for each partition. */
  requestBytesMin: 33_554_432,
  requestOverheadBytes: 1_048_576,
  /** Requests of one connection that wait for their response. More are read once there are fewer. */
  requestsMax: 128,
  /** Fetches among them: each may hold `fetchBytesMax`. */
  fetchesMax: 4,
  /** No more requests are taken up, and no responses written, while so many bytes wait for the peer. */
  backlogBytesHigh: 2_097_152,
  /** Record bytes in one fetch response, whatever the client asks for; the first batch may be larger. */
  fetchBytesMax: 16_777_216,
  /** Longest wait of a fetch for its minimum of bytes. */
  fetchWaitMsMax: 300_000,
  /** Partitions that one connection's fetch session remembers. */
  fetchSessionPartitionsMax: 100_000,
  /** A connection on which nothing was asked for so long is closed, as Kafka does. */
  idleMs: 600_000,
  /** Characters of a pattern of topics. */
  patternLengthMax: 4096,
  /** What a request may hold before it is known who sends it, where that matters. */
  loginRequestBytesMax: 65_536,
  /** Whoever did not log in by then is cut off. */
  loginDeadlineMs: 30_000,
  /** A login that failed is told of after so long. */
  failedLoginDelayMs: 100,
  /** Share sessions of all connections together. */
  shareSessionsMax: 2000,
  /** Topics and partitions that a share session reads, together. */
  shareSessionPartitionsMax: 10_000,
  /** Shortest wait of a share fetch for records: to acquire some takes a commit, and whoever does not wait must not ask all the time. */
  shareWaitMsMin: 50,
  /** Records that one share fetch acquires. */
  acquiredRecordsMax: 10_000,
  /** Runs of one kind in what a request acknowledges of a partition. */
  acknowledgedRunsMax: 10_000,
  /** Members of a share group. */
  shareMembersMax: 1000,
  /** Topics that a member of a share group names. */
  shareMemberTopicsMax: 1000,
  /** Characters of a member's id, and of its rack's. */
  memberIdLengthMax: 200,
  /** Topics and partitions in one answer of DescribeTopicPartitions. */
  describedPartitionsMax: 2000,
} as const

/** The one broker that clients see. */
export const NODE_ID = 1
/** Where all partitions are, for those who ask. */
export const LOG_DIRECTORY = 'millrace'
/** The broker never changes for a partition. */
export const LEADER_EPOCH = 0
