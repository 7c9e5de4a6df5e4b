/** Producers and their transactions. Notation: `../codec/notation.ts`. */

export const initProducerId = {
  key: 22,
  versions: '0-5',
  flexible: 2,
  request: {
    transactionalId: 'string?',
    transactionTimeoutMs: 'int32',
    producerId: 'int64 3+ = -1',
    producerEpoch: 'int16 3+ = -1',
    enable2Pc: 'bool 6+',
    keepPreparedTxn: 'bool 6+',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    producerId: 'int64 = -1',
    producerEpoch: 'int16',
    ongoingTxnProducerId: 'int64 6+ = -1',
    ongoingTxnProducerEpoch: 'int16 6+ = -1',
  },
} as const

export const addPartitionsToTxn = {
  key: 24,
  versions: '0-5',
  flexible: 3,
  request: {
    transactions: [
      '[] 4+',
      {
        transactionalId: 'string',
        producerId: 'int64',
        producerEpoch: 'int16',
        verifyOnly: 'bool',
        topics: [
          '[]',
          {
            name: 'string',
            partitions: '[]int32',
          },
        ],
      },
    ],
    v3AndBelowTransactionalId: 'string 0-3',
    v3AndBelowProducerId: 'int64 0-3',
    v3AndBelowProducerEpoch: 'int16 0-3',
    v3AndBelowTopics: [
      '[] 0-3',
      {
        name: 'string',
        partitions: '[]int32',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16 4+',
    resultsByTransaction: [
      '[] 4+',
      {
        transactionalId: 'string',
        topicResults: [
          '[]',
          {
            name: 'string',
            resultsByPartition: [
              '[]',
              {
                partitionIndex: 'int32',
                partitionErrorCode: 'int16',
              },
            ],
          },
        ],
      },
    ],
    resultsByTopicV3AndBelow: [
      '[] 0-3',
      {
        name: 'string',
        resultsByPartition: [
          '[]',
          {
            partitionIndex: 'int32',
            partitionErrorCode: 'int16',
          },
        ],
      },
    ],
  },
} as const

export const addOffsetsToTxn = {
  key: 25,
  versions: '0-4',
  flexible: 3,
  request: {
    transactionalId: 'string',
    producerId: 'int64',
    producerEpoch: 'int16',
    groupId: 'string',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
  },
} as const

export const endTxn = {
  key: 26,
  versions: '0-5',
  flexible: 3,
  request: {
    transactionalId: 'string',
    producerId: 'int64',
    producerEpoch: 'int16',
    committed: 'bool',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    producerId: 'int64 5+ = -1',
    producerEpoch: 'int16 5+ = -1',
  },
} as const

export const writeTxnMarkers = {
  key: 27,
  versions: '1-2',
  flexible: 1,
  request: {
    markers: [
      '[]',
      {
        producerId: 'int64',
        producerEpoch: 'int16',
        transactionResult: 'bool',
        topics: [
          '[]',
          {
            name: 'string',
            partitionIndexes: '[]int32',
          },
        ],
        coordinatorEpoch: 'int32',
        transactionVersion: 'int8 2+',
      },
    ],
  },
  response: {
    markers: [
      '[]',
      {
        producerId: 'int64',
        topics: [
          '[]',
          {
            name: 'string',
            partitions: [
              '[]',
              {
                partitionIndex: 'int32',
                errorCode: 'int16',
              },
            ],
          },
        ],
      },
    ],
  },
} as const

export const txnOffsetCommit = {
  key: 28,
  versions: '0-5',
  flexible: 3,
  request: {
    transactionalId: 'string',
    groupId: 'string',
    producerId: 'int64',
    producerEpoch: 'int16',
    generationId: 'int32 3+ = -1',
    memberId: 'string 3+',
    groupInstanceId: 'string? 3+ = null',
    topics: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            committedOffset: 'int64',
            committedLeaderEpoch: 'int32 2+ = -1',
            committedMetadata: 'string?',
          },
        ],
      },
    ],
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
            errorCode: 'int16',
          },
        ],
      },
    ],
  },
} as const

export const describeProducers = {
  key: 61,
  versions: '0',
  flexible: 0,
  request: {
    topics: [
      '[]',
      {
        name: 'string',
        partitionIndexes: '[]int32',
      },
    ],
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
            errorCode: 'int16',
            errorMessage: 'string? = null',
            activeProducers: [
              '[]',
              {
                producerId: 'int64',
                producerEpoch: 'int32',
                lastSequence: 'int32 = -1',
                lastTimestamp: 'int64 = -1',
                coordinatorEpoch: 'int32',
                currentTxnStartOffset: 'int64 = -1',
              },
            ],
          },
        ],
      },
    ],
  },
} as const

export const describeTransactions = {
  key: 65,
  versions: '0',
  flexible: 0,
  request: {
    transactionalIds: '[]string',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    transactionStates: [
      '[]',
      {
        errorCode: 'int16',
        transactionalId: 'string',
        transactionState: 'string',
        transactionTimeoutMs: 'int32',
        transactionStartTimeMs: 'int64',
        producerId: 'int64',
        producerEpoch: 'int16',
        topics: [
          '[]',
          {
            topic: 'string',
            partitions: '[]int32',
          },
        ],
      },
    ],
  },
} as const

export const listTransactions = {
  key: 66,
  versions: '0-2',
  flexible: 0,
  request: {
    stateFilters: '[]string',
    producerIdFilters: '[]int64',
    durationFilter: 'int64 1+ = -1',
    transactionalIdPattern: 'string? 2+ = null',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    unknownStateFilters: '[]string',
    transactionStates: [
      '[]',
      {
        transactionalId: 'string',
        producerId: 'int64',
        transactionState: 'string',
      },
    ],
  },
} as const
