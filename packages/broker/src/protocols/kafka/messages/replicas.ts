/** Where partitions are kept, and by whom: of interest in clusters. Notation: `../codec/notation.ts`. */

export const alterReplicaLogDirs = {
  key: 34,
  versions: '1-2',
  flexible: 2,
  request: {
    dirs: [
      '[]',
      {
        path: 'string',
        topics: [
          '[]',
          {
            name: 'string',
            partitions: '[]int32',
          },
        ],
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    results: [
      '[]',
      {
        topicName: 'string',
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

export const electLeaders = {
  key: 43,
  versions: '0-2',
  flexible: 2,
  request: {
    electionType: 'int8 1+',
    topicPartitions: [
      '[]?',
      {
        topic: 'string',
        partitions: '[]int32',
      },
    ],
    timeoutMs: 'int32 = 60000',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16 1+',
    replicaElectionResults: [
      '[]',
      {
        topic: 'string',
        partitionResult: [
          '[]',
          {
            partitionId: 'int32',
            errorCode: 'int16',
            errorMessage: 'string?',
          },
        ],
      },
    ],
  },
} as const

export const alterPartitionReassignments = {
  key: 45,
  versions: '0-1',
  flexible: 0,
  request: {
    timeoutMs: 'int32 = 60000',
    allowReplicationFactorChange: 'bool 1+ = true',
    topics: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            replicas: '[]int32? = null',
          },
        ],
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    allowReplicationFactorChange: 'bool 1+ = true',
    errorCode: 'int16',
    errorMessage: 'string?',
    responses: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            errorCode: 'int16',
            errorMessage: 'string?',
          },
        ],
      },
    ],
  },
} as const

export const listPartitionReassignments = {
  key: 46,
  versions: '0',
  flexible: 0,
  request: {
    timeoutMs: 'int32 = 60000',
    topics: [
      '[]? = null',
      {
        name: 'string',
        partitionIndexes: '[]int32',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string?',
    topics: [
      '[]',
      {
        name: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            replicas: '[]int32',
            addingReplicas: '[]int32',
            removingReplicas: '[]int32',
          },
        ],
      },
    ],
  },
} as const

export const describeQuorum = {
  key: 55,
  versions: '0-2',
  flexible: 0,
  request: {
    topics: [
      '[]',
      {
        topicName: 'string',
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
    errorMessage: 'string? 2+',
    topics: [
      '[]',
      {
        topicName: 'string',
        partitions: [
          '[]',
          {
            partitionIndex: 'int32',
            errorCode: 'int16',
            errorMessage: 'string? 2+',
            leaderId: 'int32',
            leaderEpoch: 'int32',
            highWatermark: 'int64',
            currentVoters: [
              '[]',
              {
                replicaId: 'int32',
                replicaDirectoryId: 'uuid 2+',
                logEndOffset: 'int64',
                lastFetchTimestamp: 'int64 1+ = -1',
                lastCaughtUpTimestamp: 'int64 1+ = -1',
              },
            ],
            observers: [
              '[]',
              {
                replicaId: 'int32',
                replicaDirectoryId: 'uuid 2+',
                logEndOffset: 'int64',
                lastFetchTimestamp: 'int64 1+ = -1',
                lastCaughtUpTimestamp: 'int64 1+ = -1',
              },
            ],
          },
        ],
      },
    ],
    nodes: [
      '[] 2+',
      {
        nodeId: 'int32',
        listeners: [
          '[]',
          {
            name: 'string',
            host: 'string',
            port: 'uint16',
          },
        ],
      },
    ],
  },
} as const

export const updateFeatures = {
  key: 57,
  versions: '0-2',
  flexible: 0,
  request: {
    timeoutMs: 'int32 = 60000',
    featureUpdates: [
      '[]',
      {
        feature: 'string',
        maxVersionLevel: 'int16',
        allowDowngrade: 'bool 0',
        upgradeType: 'int8 1+ = 1',
      },
    ],
    validateOnly: 'bool 1+',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string?',
    results: [
      '[] 0-1',
      {
        feature: 'string',
        errorCode: 'int16',
        errorMessage: 'string?',
      },
    ],
  },
} as const
