/** Share groups (KIP-932). Notation: `../codec/notation.ts`. */

export const shareGroupHeartbeat = {
  key: 76,
  versions: '1',
  flexible: 0,
  request: {
    groupId: 'string',
    memberId: 'string',
    memberEpoch: 'int32',
    rackId: 'string? = null',
    subscribedTopicNames: '[]string? = null',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string? = null',
    memberId: 'string? = null',
    memberEpoch: 'int32',
    heartbeatIntervalMs: 'int32',
    assignment: [
      'struct? = null',
      {
        topicPartitions: [
          '[]',
          {
            topicId: 'uuid',
            partitions: '[]int32',
          },
        ],
      },
    ],
  },
} as const

export const shareGroupDescribe = {
  key: 77,
  versions: '1',
  flexible: 0,
  request: {
    groupIds: '[]string',
    includeAuthorizedOperations: 'bool',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    groups: [
      '[]',
      {
        errorCode: 'int16',
        errorMessage: 'string? = null',
        groupId: 'string',
        groupState: 'string',
        groupEpoch: 'int32',
        assignmentEpoch: 'int32',
        assignorName: 'string',
        members: [
          '[]',
          {
            memberId: 'string',
            rackId: 'string? = null',
            memberEpoch: 'int32',
            clientId: 'string',
            clientHost: 'string',
            subscribedTopicNames: '[]string',
            assignment: [
              'struct',
              {
                topicPartitions: [
                  '[]',
                  {
                    topicId: 'uuid',
                    topicName: 'string',
                    partitions: '[]int32',
                  },
                ],
              },
            ],
          },
        ],
        authorizedOperations: 'int32 = -2147483648',
      },
    ],
  },
} as const

export const shareFetch = {
  key: 78,
  versions: '1-2',
  flexible: 0,
  request: {
    groupId: 'string? = null',
    memberId: 'string?',
    shareSessionEpoch: 'int32',
    maxWaitMs: 'int32',
    minBytes: 'int32',
    maxBytes: 'int32 = 2147483647',
    maxRecords: 'int32',
    batchSize: 'int32',
    shareAcquireMode: 'int8 2+ = 0',
    isRenewAck: 'bool 2+',
    topics: [
      '[]',
      {
        topicId: 'uuid',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            acknowledgementBatches: [
              '[]',
              {
                firstOffset: 'int64',
                lastOffset: 'int64',
                acknowledgeTypes: '[]int8',
              },
            ],
          },
        ],
      },
    ],
    forgottenTopicsData: [
      '[]',
      {
        topicId: 'uuid',
        partitions: '[]int32',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string? = null',
    acquisitionLockTimeoutMs: 'int32',
    responses: [
      '[]',
      {
        topicId: 'uuid',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            errorCode: 'int16',
            errorMessage: 'string? = null',
            acknowledgeErrorCode: 'int16',
            acknowledgeErrorMessage: 'string? = null',
            currentLeader: [
              'struct',
              {
                leaderId: 'int32',
                leaderEpoch: 'int32',
              },
            ],
            records: 'records?',
            acquiredRecords: [
              '[]',
              {
                firstOffset: 'int64',
                lastOffset: 'int64',
                deliveryCount: 'int16',
              },
            ],
          },
        ],
      },
    ],
    nodeEndpoints: [
      '[]',
      {
        nodeId: 'int32',
        host: 'string',
        port: 'int32',
        rack: 'string? = null',
      },
    ],
  },
} as const

export const shareAcknowledge = {
  key: 79,
  versions: '1-2',
  flexible: 0,
  request: {
    groupId: 'string? = null',
    memberId: 'string?',
    shareSessionEpoch: 'int32',
    isRenewAck: 'bool 2+',
    topics: [
      '[]',
      {
        topicId: 'uuid',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            acknowledgementBatches: [
              '[]',
              {
                firstOffset: 'int64',
                lastOffset: 'int64',
                acknowledgeTypes: '[]int8',
              },
            ],
          },
        ],
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string? = null',
    acquisitionLockTimeoutMs: 'int32 2+',
    responses: [
      '[]',
      {
        topicId: 'uuid',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            errorCode: 'int16',
            errorMessage: 'string? = null',
            currentLeader: [
              'struct',
              {
                leaderId: 'int32',
                leaderEpoch: 'int32',
              },
            ],
          },
        ],
      },
    ],
    nodeEndpoints: [
      '[]',
      {
        nodeId: 'int32',
        host: 'string',
        port: 'int32',
        rack: 'string? = null',
      },
    ],
  },
} as const

export const describeShareGroupOffsets = {
  key: 90,
  versions: '0-1',
  flexible: 0,
  request: {
    groups: [
      '[]',
      {
        groupId: 'string',
        topics: [
          '[]?',
          {
            topicName: 'string',
            partitions: '[]int32',
          },
        ],
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    groups: [
      '[]',
      {
        groupId: 'string',
        topics: [
          '[]',
          {
            topicName: 'string',
            topicId: 'uuid',
            partitions: [
              '[]',
              {
                partitionIndex: 'int32',
                startOffset: 'int64',
                leaderEpoch: 'int32',
                lag: 'int64 1+ = -1',
                errorCode: 'int16',
                errorMessage: 'string? = null',
              },
            ],
          },
        ],
        errorCode: 'int16',
        errorMessage: 'string? = null',
      },
    ],
  },
} as const

export const alterShareGroupOffsets = {
  key: 91,
  versions: '0',
  flexible: 0,
  request: {
    groupId: 'string',
    topics: [
      '[]',
      {
        topicName: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            startOffset: 'int64',
          },
        ],
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string? = null',
    responses: [
      '[]',
      {
        topicName: 'string',
        topicId: 'uuid',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            errorCode: 'int16',
            errorMessage: 'string? = null',
          },
        ],
      },
    ],
  },
} as const

export const deleteShareGroupOffsets = {
  key: 92,
  versions: '0',
  flexible: 0,
  request: {
    groupId: 'string',
    topics: [
      '[]',
      {
        topicName: 'string',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string? = null',
    responses: [
      '[]',
      {
        topicName: 'string',
        topicId: 'uuid',
        errorCode: 'int16',
        errorMessage: 'string? = null',
      },
    ],
  },
} as const
