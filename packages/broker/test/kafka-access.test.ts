import { encodeBatch } from '@millrace/wire'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ApiDefinition } from '../src/protocols/kafka/codec/notation.ts'
import { parseVersions } from '../src/protocols/kafka/codec/notation.ts'
import { errors } from '../src/protocols/kafka/errors.ts'
import * as cluster from '../src/protocols/kafka/messages/cluster.ts'
import * as groups from '../src/protocols/kafka/messages/groups.ts'
import * as replicas from '../src/protocols/kafka/messages/replicas.ts'
import * as records from '../src/protocols/kafka/messages/records.ts'
import * as security from '../src/protocols/kafka/messages/security.ts'
import * as shares from '../src/protocols/kafka/messages/shares.ts'
import * as topics from '../src/protocols/kafka/messages/topics.ts'
import * as transactions from '../src/protocols/kafka/messages/transactions.ts'
import { servedApis } from '../src/protocols/kafka/served-apis.ts'
import { type KafkaPeer } from './kafka/kafka-peer.ts'
import { openSecureKafkaBroker, type SecureKafkaBroker } from './kafka/secure-kafka-broker.ts'

/** Who may do nothing does nothing: every API of the Kafka door is listed here, and refused. */

interface Refused {
  readonly api: ApiDefinition
  readonly version: number
  readonly request: object
}

/** What is not given is zero or empty. @param version of those that name topics instead of their ids; by default the newest */
function refused(api: ApiDefinition, request: object, version = parseVersions(api.versions).max): Refused {
  return { api, version, request }
}

const batch = encodeBatch([{ timestampMs: 1, value: new Uint8Array(1) }])
const anyAcl = { resourceNameFilter: null, principalFilter: null, hostFilter: null }
const partition = { partitionIndex: 0 }

const all: readonly Refused[] = [
  refused(
    records.produce,
    { acks: -1, timeoutMs: 1, topicData: [{ name: 't', partitionData: [{ index: 0, records: batch }] }] },
    9,
  ),
  refused(records.fetch, { topics: [{ topic: 't', partitions: [{ partition: 0, partitionMaxBytes: 1 }] }] }, 11),
  refused(records.listOffsets, { topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1 }] }] }),
  refused(records.offsetForLeaderEpoch, { topics: [{ topic: 't', partitions: [{ partition: 0 }] }] }),
  refused(records.deleteRecords, { topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 0 }] }] }),
  refused(cluster.metadata, { topics: [{ name: 't' }, { name: 'missing' }], allowAutoTopicCreation: true }),
  refused(cluster.findCoordinator, { keyType: 0, coordinatorKeys: ['g'] }),
  refused(cluster.describeTopicPartitions, { topics: [{ name: 't' }], responsePartitionLimit: 1, cursor: null }),
  refused(cluster.describeLogDirs, { topics: null }),
  refused(topics.createTopics, { topics: [{ name: 'u', numPartitions: 1, replicationFactor: 1 }] }),
  refused(topics.deleteTopics, { topics: [{ name: 't' }] }),
  refused(topics.createPartitions, { topics: [{ name: 't', count: 2, assignments: null }] }),
  refused(topics.describeConfigs, {
    resources: [2, 4].map((resourceType) => ({ resourceType, resourceName: 't', configurationKeys: null })),
  }),
  refused(topics.alterConfigs, { resources: [2, 4].map((resourceType) => ({ resourceType, resourceName: 't' })) }),
  refused(topics.incrementalAlterConfigs, { resources: [2, 4].map((resourceType) => ({ resourceType, resourceName: 't' })) }),
  refused(topics.listConfigResources, { resourceTypes: [] }),
  refused(transactions.initProducerId, { transactionalId: null }),
  refused(transactions.addPartitionsToTxn, {
    transactions: [false, true].map((verifyOnly) => ({
      transactionalId: 'x',
      verifyOnly,
      topics: [{ name: 't', partitions: [0] }],
    })),
  }),
  refused(transactions.writeTxnMarkers, { markers: [{ topics: [{ name: 't', partitionIndexes: [0] }] }] }),
  refused(transactions.addOffsetsToTxn, { transactionalId: 'x', groupId: 'g' }),
  refused(transactions.endTxn, { transactionalId: 'x', committed: true }),
  refused(transactions.txnOffsetCommit, { transactionalId: 'x', groupId: 'g', topics: [{ name: 't', partitions: [partition] }] }),
  refused(transactions.describeProducers, { topics: [{ name: 't', partitionIndexes: [0] }] }),
  refused(transactions.describeTransactions, { transactionalIds: ['x'] }),
  refused(replicas.alterReplicaLogDirs, { dirs: [{ path: 'millrace', topics: [{ name: 't', partitions: [0] }] }] }),
  refused(replicas.updateFeatures, { featureUpdates: [{ feature: 'share.version', maxVersionLevel: 2 }] }),
  refused(replicas.electLeaders, { topicPartitions: null }),
  refused(replicas.alterPartitionReassignments, { topics: [] }),
  refused(replicas.listPartitionReassignments, { topics: null }),
  refused(replicas.describeQuorum, { topics: [] }),
  refused(groups.joinGroup, { groupId: 'g', sessionTimeoutMs: 10_000, protocolType: 'consumer', protocols: [] }),
  refused(groups.syncGroup, { groupId: 'g' }),
  refused(groups.heartbeat, { groupId: 'g' }),
  refused(groups.leaveGroup, { groupId: 'g' }),
  refused(groups.offsetCommit, { groupId: 'g', topics: [{ name: 't', partitions: [partition] }] }, 9),
  refused(groups.offsetFetch, { groups: [{ groupId: 'g', topics: [{ name: 't', partitionIndexes: [0] }] }] }, 9),
  refused(groups.offsetDelete, { groupId: 'g', topics: [{ name: 't', partitions: [partition] }] }),
  refused(groups.describeGroups, { groups: ['g'] }),
  refused(groups.deleteGroups, { groupsNames: ['g'] }),
  refused(groups.consumerGroupHeartbeat, { groupId: 'g' }),
  refused(groups.consumerGroupDescribe, { groupIds: ['g'] }),
  refused(shares.shareGroupHeartbeat, { groupId: 'g', memberId: 'm', subscribedTopicNames: ['t'] }),
  refused(shares.shareGroupDescribe, { groupIds: ['g'] }),
  refused(shares.shareFetch, { groupId: 'g', memberId: 'm' }),
  refused(shares.shareAcknowledge, { groupId: 'g', memberId: 'm', shareSessionEpoch: 1 }),
  refused(shares.describeShareGroupOffsets, { groups: [{ groupId: 'g', topics: null }] }),
  refused(shares.alterShareGroupOffsets, { groupId: 'g', topics: [{ topicName: 't' }] }),
  refused(shares.deleteShareGroupOffsets, { groupId: 'g', topics: [{ topicName: 't' }] }),
  refused(security.describeAcls, { resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1, ...anyAcl }),
  refused(security.createAcls, {
    creations: [{ resourceType: 2, resourceName: 't', principal: 'User:nobody', host: '*', operation: 2, permissionType: 3 }],
  }),
  refused(security.deleteAcls, {
    filters: [{ resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1, ...anyAcl }],
  }),
  refused(security.describeClientQuotas, { components: [], strict: false }),
  refused(security.alterClientQuotas, { entries: [{ entity: [{ entityType: 'user', entityName: 'x' }], ops: [] }] }),
  refused(security.describeUserScramCredentials, { users: null }),
  refused(security.alterUserScramCredentials, { deletions: [{ name: 'root', mechanism: 1 }], upsertions: [] }),
]

/** The same in versions that are of another form. */
const older: readonly Refused[] = [
  refused(
    transactions.addPartitionsToTxn,
    {
      v3AndBelowTransactionalId: 'x',
      v3AndBelowTopics: [{ name: 't', partitions: [0] }],
    },
    3,
  ),
]

/** What leaves out all that the client may not know of. */
const empty: readonly Refused[] = [refused(groups.listGroups, {}), refused(transactions.listTransactions, {})]

/** What says nothing of what is on the broker. */
const open: readonly ApiDefinition[] = [
  cluster.apiVersions,
  cluster.describeCluster,
  security.saslHandshake,
  security.saslAuthenticate,
]

const codes: ReadonlySet<number> = new Set([
  errors.TOPIC_AUTHORIZATION_FAILED,
  errors.GROUP_AUTHORIZATION_FAILED,
  errors.CLUSTER_AUTHORIZATION_FAILED,
  errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
])

let broker: SecureKafkaBroker

beforeAll(async () => {
  const nobody = { name: 'nobody', password: 'nothing' }
  broker = await openSecureKafkaBroker([nobody, { name: 'anonymous' }])
  broker.broker.core.broker.createTopic({ name: 't' })
  await broker.broker.core.settle()
})

/** All error codes of a response that say something, wherever they are. */
function errorCodesIn(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(errorCodesIn)
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return []
  return Object.entries(value).flatMap(([name, each]) =>
    (name === 'errorCode' || name === 'partitionErrorCode') && each !== 0 ? [each as number] : errorCodesIn(each),
  )
}

const ask = (peer: KafkaPeer, { api, version, request }: Refused): Promise<unknown> => peer.ask(api, version, request as never)
const named = (list: readonly Refused[]): (readonly [number, Refused])[] => list.map((each) => [each.api.key, each] as const)

test('every API is listed', () => {
  const listed = [...all, ...empty].map(({ api }) => api.key).concat(open.map(({ key }) => key))
  expect(listed.toSorted((a, b) => a - b)).toEqual([...servedApis().keys()].toSorted((a, b) => a - b))
})

describe('who may do nothing', () => {
  test.each(named([...all, ...older]))('is refused by API %i', async (_, api) => {
    const found = errorCodesIn(await ask(broker.broker.connect(), api))
    expect(found.length).toBeGreaterThan(0)
    expect(found.filter((code) => !codes.has(code))).toEqual([])
  })

  test.each(named(empty))('is shown nothing by API %i', async (_, api) => {
    expect(JSON.stringify(await ask(broker.broker.connect(), api))).not.toMatch(/"(t|g)"/)
  })

  test('sees no topic', async () => {
    const { topics: seen } = await broker.broker.connect().ask(cluster.metadata, 12, { topics: null })
    expect(seen).toEqual([])
  })
})

test('what a client may do is told', async () => {
  const { broker: kafka, users } = broker
  users.update('anonymous', { rules: ['allow publish,read topic:t', 'allow consume group:g', 'allow describe broker'] })
  const peer = kafka.connect()
  const wanted = { includeTopicAuthorizedOperations: true, includeClusterAuthorizedOperations: true }
  const { topics: seen, clusterAuthorizedOperations } = await peer.ask(cluster.metadata, 10, { topics: null, ...wanted })
  // READ, WRITE and DESCRIBE; DESCRIBE, DESCRIBE_CONFIGS and IDEMPOTENT_WRITE
  expect(seen[0]!.topicAuthorizedOperations).toBe((1 << 3) | (1 << 4) | (1 << 8))
  expect(clusterAuthorizedOperations).toBe((1 << 8) | (1 << 10) | (1 << 12))
  users.update('anonymous', { rules: [] })
})
