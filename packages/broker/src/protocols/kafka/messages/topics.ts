/** Topics and their configuration. Notation: `../codec/notation.ts`. */

export const createTopics = {
  key: 19,
  versions: '2-7',
  flexible: 5,
  request: {
    topics: [
      '[]',
      {
        name: 'string',
        numPartitions: 'int32',
        replicationFactor: 'int16',
        assignments: [
          '[]',
          {
            partitionIndex: 'int32',
            brokerIds: '[]int32',
          },
        ],
        configs: [
          '[]',
          {
            name: 'string',
            value: 'string?',
          },
        ],
      },
    ],
    timeoutMs: 'int32 = 60000',
    validateOnly: 'bool 1+',
  },
  response: {
    throttleTimeMs: 'int32 2+',
    topics: [
      '[]',
      {
        name: 'string',
        topicId: 'uuid 7+',
        errorCode: 'int16',
        errorMessage: 'string? 1+',
        topicConfigErrorCode: 'int16 5+ tag 0',
        numPartitions: 'int32 5+ = -1',
        replicationFactor: 'int16 5+ = -1',
        configs: [
          '[]? 5+',
          {
            name: 'string',
            value: 'string?',
            readOnly: 'bool',
            configSource: 'int8 = -1',
            isSensitive: 'bool',
          },
        ],
      },
    ],
  },
} as const

export const deleteTopics = {
  key: 20,
  versions: '1-6',
  flexible: 4,
  request: {
    topics: [
      '[] 6+',
      {
        name: 'string? = null',
        topicId: 'uuid',
      },
    ],
    topicNames: '[]string 0-5',
    timeoutMs: 'int32',
  },
  response: {
    throttleTimeMs: 'int32 1+',
    responses: [
      '[]',
      {
        name: 'string?',
        topicId: 'uuid 6+',
        errorCode: 'int16',
        errorMessage: 'string? 5+ = null',
      },
    ],
  },
} as const

export const createPartitions = {
  key: 37,
  versions: '0-3',
  flexible: 2,
  request: {
    topics: [
      '[]',
      {
        name: 'string',
        count: 'int32',
        assignments: [
          '[]?',
          {
            brokerIds: '[]int32',
          },
        ],
      },
    ],
    timeoutMs: 'int32',
    validateOnly: 'bool',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    results: [
      '[]',
      {
        name: 'string',
        errorCode: 'int16',
        errorMessage: 'string? = null',
      },
    ],
  },
} as const

export const describeConfigs = {
  key: 32,
  versions: '1-4',
  flexible: 4,
  request: {
    resources: [
      '[]',
      {
        resourceType: 'int8',
        resourceName: 'string',
        configurationKeys: '[]string?',
      },
    ],
    includeSynonyms: 'bool 1+',
    includeDocumentation: 'bool 3+',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    results: [
      '[]',
      {
        errorCode: 'int16',
        errorMessage: 'string?',
        resourceType: 'int8',
        resourceName: 'string',
        configs: [
          '[]',
          {
            name: 'string',
            value: 'string?',
            readOnly: 'bool',
            configSource: 'int8 1+ = -1',
            isDefault: 'bool 0',
            isSensitive: 'bool',
            synonyms: [
              '[] 1+',
              {
                name: 'string',
                value: 'string?',
                source: 'int8',
              },
            ],
            configType: 'int8 3+',
            documentation: 'string? 3+',
          },
        ],
      },
    ],
  },
} as const

export const alterConfigs = {
  key: 33,
  versions: '0-2',
  flexible: 2,
  request: {
    resources: [
      '[]',
      {
        resourceType: 'int8',
        resourceName: 'string',
        configs: [
          '[]',
          {
            name: 'string',
            value: 'string?',
          },
        ],
      },
    ],
    validateOnly: 'bool',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    responses: [
      '[]',
      {
        errorCode: 'int16',
        errorMessage: 'string?',
        resourceType: 'int8',
        resourceName: 'string',
      },
    ],
  },
} as const

export const incrementalAlterConfigs = {
  key: 44,
  versions: '0-1',
  flexible: 1,
  request: {
    resources: [
      '[]',
      {
        resourceType: 'int8',
        resourceName: 'string',
        configs: [
          '[]',
          {
            name: 'string',
            configOperation: 'int8',
            value: 'string?',
          },
        ],
      },
    ],
    validateOnly: 'bool',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    responses: [
      '[]',
      {
        errorCode: 'int16',
        errorMessage: 'string?',
        resourceType: 'int8',
        resourceName: 'string',
      },
    ],
  },
} as const

export const listConfigResources = {
  key: 74,
  versions: '0-1',
  flexible: 0,
  request: {
    resourceTypes: '[]int8 1+',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    configResources: [
      '[]',
      {
        resourceName: 'string',
        resourceType: 'int8 1+ = 16',
      },
    ],
  },
} as const
