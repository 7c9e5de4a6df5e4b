/** The broker, its topics and where they are. Notation: `../codec/notation.ts`. */

export const apiVersions = {
  key: 18,
  versions: '0-4',
  flexible: 3,
  request: {
    clientSoftwareName: 'string 3+',
    clientSoftwareVersion: 'string 3+',
  },
  response: {
    errorCode: 'int16',
    apiKeys: [
      '[]',
      {
        apiKey: 'int16',
        minVersion: 'int16',
        maxVersion: 'int16',
      },
    ],
    throttleTimeMs: 'int32 1+',
    supportedFeatures: [
      '[] 3+ tag 0',
      {
        name: 'string',
        minVersion: 'int16',
        maxVersion: 'int16',
      },
    ],
    finalizedFeaturesEpoch: 'int64 3+ tag 1 = -1',
    finalizedFeatures: [
      '[] 3+ tag 2',
      {
        name: 'string',
        maxVersionLevel: 'int16',
        minVersionLevel: 'int16',
      },
    ],
    zkMigrationReady: 'bool 3+ tag 3',
  },
} as const

export const metadata = {
  key: 3,
  versions: '0-13',
  flexible: 9,
  request: {
    topics: [
      '[]?',
      {
        topicId: 'uuid 10+',
        name: 'string?',
      },
    ],
    allowAutoTopicCreation: 'bool 4+ = true',
    includeClusterAuthorizedOperations: 'bool 8-10',
    includeTopicAuthorizedOperations: 'bool 8+',
  },
  response: {
    throttleTimeMs: 'int32 3+',
    brokers: [
      '[]',
      {
        nodeId: 'int32',
        host: 'string',
        port: 'int32',
        rack: 'string? 1+ = null',
      },
    ],
    clusterId: 'string? 2+ = null',
    controllerId: 'int32 1+ = -1',
    topics: [
      '[]',
      {
        errorCode: 'int16',
        name: 'string?',
        topicId: 'uuid 10+',
        isInternal: 'bool 1+',
        partitions: [
          '[]',
          {
            errorCode: 'int16',
            partitionIndex: 'int32',
            leaderId: 'int32',
            leaderEpoch: 'int32 7+ = -1',
            replicaNodes: '[]int32',
            isrNodes: '[]int32',
            offlineReplicas: '[]int32 5+',
          },
        ],
        topicAuthorizedOperations: 'int32 8+ = -2147483648',
      },
    ],
    clusterAuthorizedOperations: 'int32 8-10 = -2147483648',
    errorCode: 'int16 13+',
  },
} as const

export const findCoordinator = {
  key: 10,
  versions: '0-6',
  flexible: 3,
  request: {
    key: 'string 0-3',
    keyType: 'int8 1+',
    coordinatorKeys: '[]string 4+',
  },
  response: {
    throttleTimeMs: 'int32 1+',
    errorCode: 'int16 0-3',
    errorMessage: 'string? 1-3',
    nodeId: 'int32 0-3',
    host: 'string 0-3',
    port: 'int32 0-3',
    coordinators: [
      '[] 4+',
      {
        key: 'string',
        nodeId: 'int32',
        host: 'string',
        port: 'int32',
        errorCode: 'int16',
        errorMessage: 'string?',
      },
    ],
  },
} as const

export const describeCluster = {
  key: 60,
  versions: '0-2',
  flexible: 0,
  request: {
    includeClusterAuthorizedOperations: 'bool',
    endpointType: 'int8 1+ = 1',
    includeFencedBrokers: 'bool 2+',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string? = null',
    endpointType: 'int8 1+ = 1',
    clusterId: 'string',
    controllerId: 'int32 = -1',
    brokers: [
      '[]',
      {
        brokerId: 'int32',
        host: 'string',
        port: 'int32',
        rack: 'string? = null',
        isFenced: 'bool 2+',
      },
    ],
    clusterAuthorizedOperations: 'int32 = -2147483648',
  },
} as const

export const describeTopicPartitions = {
  key: 75,
  versions: '0',
  flexible: 0,
  request: {
    topics: [
      '[]',
      {
        name: 'string',
      },
    ],
    responsePartitionLimit: 'int32 = 2000',
    cursor: [
      'struct? = null',
      {
        topicName: 'string',
        partitionIndex: 'int32',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    topics: [
      '[]',
      {
        errorCode: 'int16',
        name: 'string?',
        topicId: 'uuid',
        isInternal: 'bool',
        partitions: [
          '[]',
          {
            errorCode: 'int16',
            partitionIndex: 'int32',
            leaderId: 'int32',
            leaderEpoch: 'int32 = -1',
            replicaNodes: '[]int32',
            isrNodes: '[]int32',
            eligibleLeaderReplicas: '[]int32? = null',
            lastKnownElr: '[]int32? = null',
            offlineReplicas: '[]int32',
          },
        ],
        topicAuthorizedOperations: 'int32 = -2147483648',
      },
    ],
    nextCursor: [
      'struct? = null',
      {
        topicName: 'string',
        partitionIndex: 'int32',
      },
    ],
  },
} as const

export const describeLogDirs = {
  key: 35,
  versions: '1-5',
  flexible: 2,
  request: {
    topics: [
      '[]?',
      {
        topic: 'string',
        partitions: '[]int32',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16 3+',
    results: [
      '[]',
      {
        errorCode: 'int16',
        logDir: 'string',
        topics: [
          '[]',
          {
            name: 'string',
            partitions: [
              '[]',
              {
                partitionIndex: 'int32',
                partitionSize: 'int64',
                offsetLag: 'int64',
                isFutureKey: 'bool',
              },
            ],
          },
        ],
        totalBytes: 'int64 4+ = -1',
        usableBytes: 'int64 4+ = -1',
        isCordoned: 'bool 5+',
      },
    ],
  },
} as const
