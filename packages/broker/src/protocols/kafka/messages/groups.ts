/** Consumer groups and their offsets. Notation: `../codec/notation.ts`. */

export const offsetCommit = {
  key: 8,
  versions: '2-10',
  flexible: 8,
  request: {
    groupId: 'string',
    generationIdOrMemberEpoch: 'int32 1+ = -1',
    memberId: 'string 1+',
    groupInstanceId: 'string? 7+ = null',
    retentionTimeMs: 'int64 2-4 = -1',
    topics: [
      '[]',
      {
        name: 'string 0-9',
        topicId: 'uuid 10+',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            committedOffset: 'int64',
            committedLeaderEpoch: 'int32 6+ = -1',
            commitTimestamp: 'int64 1 = -1',
            committedMetadata: 'string?',
          },
        ],
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 3+',
    topics: [
      '[]',
      {
        name: 'string 0-9',
        topicId: 'uuid 10+',
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

export const offsetFetch = {
  key: 9,
  versions: '1-10',
  flexible: 6,
  request: {
    groupId: 'string 0-7',
    topics: [
      '[]? 0-7',
      {
        name: 'string',
        partitionIndexes: '[]int32',
      },
    ],
    groups: [
      '[] 8+',
      {
        groupId: 'string',
        memberId: 'string? 9+ = null',
        memberEpoch: 'int32 9+ = -1',
        topics: [
          '[]?',
          {
            name: 'string 8-9',
            topicId: 'uuid 10+',
            partitionIndexes: '[]int32',
          },
        ],
      },
    ],
    requireStable: 'bool 7+',
  },
  response: {
    throttleTimeMs: 'int32 3+',
    topics: [
      '[] 0-7',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            committedOffset: 'int64',
            committedLeaderEpoch: 'int32 5-7 = -1',
            metadata: 'string?',
            errorCode: 'int16',
          },
        ],
      },
    ],
    errorCode: 'int16 2-7',
    groups: [
      '[] 8+',
      {
        groupId: 'string',
        topics: [
          '[]',
          {
            name: 'string 8-9',
            topicId: 'uuid 10+',
            partitions: [
              '[]',
              {
                partitionIndex: 'int32',
                committedOffset: 'int64',
                committedLeaderEpoch: 'int32 = -1',
                metadata: 'string?',
                errorCode: 'int16',
              },
            ],
          },
        ],
        errorCode: 'int16',
      },
    ],
  },
} as const

export const joinGroup = {
  key: 11,
  versions: '0-9',
  flexible: 6,
  request: {
    groupId: 'string',
    sessionTimeoutMs: 'int32',
    rebalanceTimeoutMs: 'int32 1+ = -1',
    memberId: 'string',
    groupInstanceId: 'string? 5+ = null',
    protocolType: 'string',
    protocols: [
      '[]',
      {
        name: 'string',
        metadata: 'bytes',
      },
    ],
    reason: 'string? 8+ = null',
  },
  response: {
    throttleTimeMs: 'int32 2+',
    errorCode: 'int16',
    generationId: 'int32 = -1',
    protocolType: 'string? 7+ = null',
    protocolName: 'string?',
    leader: 'string',
    skipAssignment: 'bool 9+',
    memberId: 'string',
    members: [
      '[]',
      {
        memberId: 'string',
        groupInstanceId: 'string? 5+ = null',
        metadata: 'bytes',
      },
    ],
  },
} as const

export const heartbeat = {
  key: 12,
  versions: '0-4',
  flexible: 4,
  request: {
    groupId: 'string',
    generationId: 'int32',
    memberId: 'string',
    groupInstanceId: 'string? 3+ = null',
  },
  response: {
    throttleTimeMs: 'int32 1+',
    errorCode: 'int16',
  },
} as const

export const leaveGroup = {
  key: 13,
  versions: '0-5',
  flexible: 4,
  request: {
    groupId: 'string',
    memberId: 'string 0-2',
    members: [
      '[] 3+',
      {
        memberId: 'string',
        groupInstanceId: 'string? = null',
        reason: 'string? 5+ = null',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 1+',
    errorCode: 'int16',
    members: [
      '[] 3+',
      {
        memberId: 'string',
        groupInstanceId: 'string?',
        errorCode: 'int16',
      },
    ],
  },
} as const

export const syncGroup = {
  key: 14,
  versions: '0-5',
  flexible: 4,
  request: {
    groupId: 'string',
    generationId: 'int32',
    memberId: 'string',
    groupInstanceId: 'string? 3+ = null',
    protocolType: 'string? 5+ = null',
    protocolName: 'string? 5+ = null',
    assignments: [
      '[]',
      {
        memberId: 'string',
        assignment: 'bytes',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 1+',
    errorCode: 'int16',
    protocolType: 'string? 5+ = null',
    protocolName: 'string? 5+ = null',
    assignment: 'bytes',
  },
} as const

export const describeGroups = {
  key: 15,
  versions: '0-6',
  flexible: 5,
  request: {
    groups: '[]string',
    includeAuthorizedOperations: 'bool 3+',
  },
  response: {
    throttleTimeMs: 'int32 1+',
    groups: [
      '[]',
      {
        errorCode: 'int16',
        errorMessage: 'string? 6+ = null',
        groupId: 'string',
        groupState: 'string',
        protocolType: 'string',
        protocolData: 'string',
        members: [
          '[]',
          {
            memberId: 'string',
            groupInstanceId: 'string? 4+ = null',
            clientId: 'string',
            clientHost: 'string',
            memberMetadata: 'bytes',
            memberAssignment: 'bytes',
          },
        ],
        authorizedOperations: 'int32 3+ = -2147483648',
      },
    ],
  },
} as const

export const listGroups = {
  key: 16,
  versions: '0-5',
  flexible: 3,
  request: {
    statesFilter: '[]string 4+',
    typesFilter: '[]string 5+',
  },
  response: {
    throttleTimeMs: 'int32 1+',
    errorCode: 'int16',
    groups: [
      '[]',
      {
        groupId: 'string',
        protocolType: 'string',
        groupState: 'string 4+',
        groupType: 'string 5+',
      },
    ],
  },
} as const

export const deleteGroups = {
  key: 42,
  versions: '0-2',
  flexible: 2,
  request: {
    groupsNames: '[]string',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    results: [
      '[]',
      {
        groupId: 'string',
        errorCode: 'int16',
      },
    ],
  },
} as const

export const offsetDelete = {
  key: 47,
  versions: '0',
  request: {
    groupId: 'string',
    topics: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
          },
        ],
      },
    ],
  },
  response: {
    errorCode: 'int16',
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

export const consumerGroupHeartbeat = {
  key: 68,
  versions: '0-1',
  flexible: 0,
  request: {
    groupId: 'string',
    memberId: 'string',
    memberEpoch: 'int32',
    instanceId: 'string? = null',
    rackId: 'string? = null',
    rebalanceTimeoutMs: 'int32 = -1',
    subscribedTopicNames: '[]string? = null',
    subscribedTopicRegex: 'string? 1+ = null',
    serverAssignor: 'string? = null',
    topicPartitions: [
      '[]? = null',
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

export const consumerGroupDescribe = {
  key: 69,
  versions: '0-1',
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
            instanceId: 'string? = null',
            rackId: 'string? = null',
            memberEpoch: 'int32',
            clientId: 'string',
            clientHost: 'string',
            subscribedTopicNames: '[]string',
            subscribedTopicRegex: 'string? = null',
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
            targetAssignment: [
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
            memberType: 'int8 1+ = -1',
          },
        ],
        authorizedOperations: 'int32 = -2147483648',
      },
    ],
  },
} as const
