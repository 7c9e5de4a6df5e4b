/** Reading and writing partitions. Notation: `../codec/notation.ts`. */

export const produce = {
  key: 0,
  versions: '0-13',
  flexible: 9,
  request: {
    transactionalId: 'string? 3+ = null',
    acks: 'int16',
    timeoutMs: 'int32',
    topicData: [
      '[]',
      {
        name: 'string 0-12',
        topicId: 'uuid 13+',
        partitionData: [
          '[]',
          {
            index: 'int32',
            records: 'records?',
          },
        ],
      },
    ],
  },
  response: {
    responses: [
      '[]',
      {
        name: 'string 0-12',
        topicId: 'uuid 13+',
        partitionResponses: [
          '[]',
          {
            index: 'int32',
            errorCode: 'int16',
            baseOffset: 'int64',
            logAppendTimeMs: 'int64 2+ = -1',
            logStartOffset: 'int64 5+ = -1',
            recordErrors: [
              '[] 8+',
              {
                batchIndex: 'int32',
                batchIndexErrorMessage: 'string? = null',
              },
            ],
            errorMessage: 'string? 8+ = null',
            currentLeader: [
              'struct 10+ tag 0',
              {
                leaderId: 'int32 = -1',
                leaderEpoch: 'int32 = -1',
              },
            ],
          },
        ],
      },
    ],
    throttleTimeMs: 'int32 1+',
    nodeEndpoints: [
      '[] 10+ tag 0',
      {
        nodeId: 'int32',
        host: 'string',
        port: 'int32',
        rack: 'string? = null',
      },
    ],
  },
} as const

export const fetch = {
  key: 1,
  versions: '4-18',
  flexible: 12,
  request: {
    clusterId: 'string? 12+ tag 0 = null',
    replicaId: 'int32 0-14 = -1',
    replicaState: [
      'struct 15+ tag 1',
      {
        replicaId: 'int32 = -1',
        replicaEpoch: 'int64 = -1',
      },
    ],
    maxWaitMs: 'int32',
    minBytes: 'int32',
    maxBytes: 'int32 3+ = 2147483647',
    isolationLevel: 'int8 4+',
    sessionId: 'int32 7+',
    sessionEpoch: 'int32 7+ = -1',
    topics: [
      '[]',
      {
        topic: 'string 0-12',
        topicId: 'uuid 13+',
        partitions: [
          '[]',
          {
            partition: 'int32',
            currentLeaderEpoch: 'int32 9+ = -1',
            fetchOffset: 'int64',
            lastFetchedEpoch: 'int32 12+ = -1',
            logStartOffset: 'int64 5+ = -1',
            partitionMaxBytes: 'int32',
            replicaDirectoryId: 'uuid 17+ tag 0',
            highWatermark: 'int64 18+ tag 1 = 9223372036854775807',
          },
        ],
      },
    ],
    forgottenTopicsData: [
      '[] 7+',
      {
        topic: 'string 7-12',
        topicId: 'uuid 13+',
        partitions: '[]int32',
      },
    ],
    rackId: 'string 11+',
  },
  response: {
    throttleTimeMs: 'int32 1+',
    errorCode: 'int16 7+',
    sessionId: 'int32 7+',
    responses: [
      '[]',
      {
        topic: 'string 0-12',
        topicId: 'uuid 13+',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            errorCode: 'int16',
            highWatermark: 'int64',
            lastStableOffset: 'int64 4+ = -1',
            logStartOffset: 'int64 5+ = -1',
            divergingEpoch: [
              'struct 12+ tag 0',
              {
                epoch: 'int32 = -1',
                endOffset: 'int64 = -1',
              },
            ],
            currentLeader: [
              'struct 12+ tag 1',
              {
                leaderId: 'int32 = -1',
                leaderEpoch: 'int32 = -1',
              },
            ],
            snapshotId: [
              'struct 12+ tag 2',
              {
                endOffset: 'int64 = -1',
                epoch: 'int32 = -1',
              },
            ],
            abortedTransactions: [
              '[]? 4+',
              {
                producerId: 'int64',
                firstOffset: 'int64',
              },
            ],
            preferredReadReplica: 'int32 11+ = -1',
            records: 'records?',
          },
        ],
      },
    ],
    nodeEndpoints: [
      '[] 16+ tag 0',
      {
        nodeId: 'int32',
        host: 'string',
        port: 'int32',
        rack: 'string? = null',
      },
    ],
  },
} as const

export const listOffsets = {
  key: 2,
  versions: '1-11',
  flexible: 6,
  request: {
    replicaId: 'int32',
    isolationLevel: 'int8 2+',
    topics: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            currentLeaderEpoch: 'int32 4+ = -1',
            timestamp: 'int64',
            maxNumOffsets: 'int32 0 = 1',
          },
        ],
      },
    ],
    timeoutMs: 'int32 10+',
  },
  response: {
    throttleTimeMs: 'int32 2+',
    topics: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            errorCode: 'int16',
            oldStyleOffsets: '[]int64 0',
            timestamp: 'int64 1+ = -1',
            offset: 'int64 1+ = -1',
            leaderEpoch: 'int32 4+ = -1',
          },
        ],
      },
    ],
  },
} as const

export const offsetForLeaderEpoch = {
  key: 23,
  versions: '2-4',
  flexible: 4,
  request: {
    replicaId: 'int32 3+ = -2',
    topics: [
      '[]',
      {
        topic: 'string',
        partitions: [
          '[]',
          {
            partition: 'int32',
            currentLeaderEpoch: 'int32 2+ = -1',
            leaderEpoch: 'int32',
          },
        ],
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 2+',
    topics: [
      '[]',
      {
        topic: 'string',
        partitions: [
          '[]',
          {
            errorCode: 'int16',
            partition: 'int32',
            leaderEpoch: 'int32 1+ = -1',
            endOffset: 'int64 = -1',
          },
        ],
      },
    ],
  },
} as const

export const deleteRecords = {
  key: 21,
  versions: '0-2',
  flexible: 2,
  request: {
    topics: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            offset: 'int64',
          },
        ],
      },
    ],
    timeoutMs: 'int32',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    topics: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            lowWatermark: 'int64',
            errorCode: 'int16',
          },
        ],
      },
    ],
  },
} as const
