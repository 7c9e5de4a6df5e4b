/** Users, what they may do and how much. Notation: `../codec/notation.ts`. */

export const saslHandshake = {
  key: 17,
  versions: '0-1',
  request: {
    mechanism: 'string',
  },
  response: {
    errorCode: 'int16',
    mechanisms: '[]string',
  },
} as const

export const saslAuthenticate = {
  key: 36,
  versions: '0-2',
  flexible: 2,
  request: {
    authBytes: 'bytes',
  },
  response: {
    errorCode: 'int16',
    errorMessage: 'string?',
    authBytes: 'bytes',
    sessionLifetimeMs: 'int64 1+',
  },
} as const

export const describeAcls = {
  key: 29,
  versions: '1-3',
  flexible: 2,
  request: {
    resourceTypeFilter: 'int8',
    resourceNameFilter: 'string?',
    patternTypeFilter: 'int8 1+ = 3',
    principalFilter: 'string?',
    hostFilter: 'string?',
    operation: 'int8',
    permissionType: 'int8',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string?',
    resources: [
      '[]',
      {
        resourceType: 'int8',
        resourceName: 'string',
        patternType: 'int8 1+ = 3',
        acls: [
          '[]',
          {
            principal: 'string',
            host: 'string',
            operation: 'int8',
            permissionType: 'int8',
          },
        ],
      },
    ],
  },
} as const

export const createAcls = {
  key: 30,
  versions: '1-3',
  flexible: 2,
  request: {
    creations: [
      '[]',
      {
        resourceType: 'int8',
        resourceName: 'string',
        resourcePatternType: 'int8 1+ = 3',
        principal: 'string',
        host: 'string',
        operation: 'int8',
        permissionType: 'int8',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    results: [
      '[]',
      {
        errorCode: 'int16',
        errorMessage: 'string?',
      },
    ],
  },
} as const

export const deleteAcls = {
  key: 31,
  versions: '1-3',
  flexible: 2,
  request: {
    filters: [
      '[]',
      {
        resourceTypeFilter: 'int8',
        resourceNameFilter: 'string?',
        patternTypeFilter: 'int8 1+ = 3',
        principalFilter: 'string?',
        hostFilter: 'string?',
        operation: 'int8',
        permissionType: 'int8',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    filterResults: [
      '[]',
      {
        errorCode: 'int16',
        errorMessage: 'string?',
        matchingAcls: [
          '[]',
          {
            errorCode: 'int16',
            errorMessage: 'string?',
            resourceType: 'int8',
            resourceName: 'string',
            patternType: 'int8 1+ = 3',
            principal: 'string',
            host: 'string',
            operation: 'int8',
            permissionType: 'int8',
          },
        ],
      },
    ],
  },
} as const

export const describeClientQuotas = {
  key: 48,
  versions: '0-1',
  flexible: 1,
  request: {
    components: [
      '[]',
      {
        entityType: 'string',
        matchType: 'int8',
        match: 'string?',
      },
    ],
    strict: 'bool',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string?',
    entries: [
      '[]?',
      {
        entity: [
          '[]',
          {
            entityType: 'string',
            entityName: 'string?',
          },
        ],
        values: [
          '[]',
          {
            key: 'string',
            value: 'float64',
          },
        ],
      },
    ],
  },
} as const

export const alterClientQuotas = {
  key: 49,
  versions: '0-1',
  flexible: 1,
  request: {
    entries: [
      '[]',
      {
        entity: [
          '[]',
          {
            entityType: 'string',
            entityName: 'string?',
          },
        ],
        ops: [
          '[]',
          {
            key: 'string',
            value: 'float64',
            remove: 'bool',
          },
        ],
      },
    ],
    validateOnly: 'bool',
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    entries: [
      '[]',
      {
        errorCode: 'int16',
        errorMessage: 'string?',
        entity: [
          '[]',
          {
            entityType: 'string',
            entityName: 'string?',
          },
        ],
      },
    ],
  },
} as const

export const describeUserScramCredentials = {
  key: 50,
  versions: '0',
  flexible: 0,
  request: {
    users: [
      '[]?',
      {
        name: 'string',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    errorCode: 'int16',
    errorMessage: 'string?',
    results: [
      '[]',
      {
        user: 'string',
        errorCode: 'int16',
        errorMessage: 'string?',
        credentialInfos: [
          '[]',
          {
            mechanism: 'int8',
            iterations: 'int32',
          },
        ],
      },
    ],
  },
} as const

export const alterUserScramCredentials = {
  key: 51,
  versions: '0',
  flexible: 0,
  request: {
    deletions: [
      '[]',
      {
        name: 'string',
        mechanism: 'int8',
      },
    ],
    upsertions: [
      '[]',
      {
        name: 'string',
        mechanism: 'int8',
        iterations: 'int32',
        salt: 'bytes',
        saltedPassword: 'bytes',
      },
    ],
  },
  response: {
    throttleTimeMs: 'int32 = 0',
    results: [
      '[]',
      {
        user: 'string',
        errorCode: 'int16',
        errorMessage: 'string?',
      },
    ],
  },
} as const
