import { consumerGroupHeartbeatApi } from './groups/consumer-heartbeat.ts'
import { consumerGroupDescribeApi, deleteGroupsApi, describeGroupsApi, listGroupsApi } from './groups/describing.ts'
import { heartbeatApi, joinGroupApi, leaveGroupApi, syncGroupApi } from './groups/membership.ts'
import { offsetCommitApi, offsetDeleteApi, offsetFetchApi } from './groups/offsets.ts'
import { apiVersionsApi } from './handlers/api-versions.ts'
import { describeClusterApi, describeLogDirsApi, describeTopicPartitionsApi, findCoordinatorApi } from './handlers/cluster.ts'
import { alterConfigsApi, describeConfigsApi, incrementalAlterConfigsApi, listConfigResourcesApi } from './handlers/configs.ts'
import { deleteRecordsApi } from './handlers/delete-records.ts'
import { updateFeaturesApi } from './handlers/features.ts'
import { fetchApi } from './handlers/fetch.ts'
import { listOffsetsApi, offsetForLeaderEpochApi } from './handlers/list-offsets.ts'
import { metadataApi } from './handlers/metadata.ts'
import { produceApi } from './handlers/produce.ts'
import {
  alterPartitionReassignmentsApi,
  alterReplicaLogDirsApi,
  describeQuorumApi,
  electLeadersApi,
  listPartitionReassignmentsApi,
} from './handlers/replicas.ts'
import { createPartitionsApi, createTopicsApi, deleteTopicsApi } from './handlers/topics.ts'
import { saslAuthenticateApi, saslHandshakeApi } from './login/sasl-apis.ts'
import { createAclsApi, deleteAclsApi, describeAclsApi } from './security/acl-apis.ts'
import { alterClientQuotasApi, describeClientQuotasApi } from './security/quota-apis.ts'
import { alterUserScramCredentialsApi, describeUserScramCredentialsApi } from './security/scram-apis.ts'
import type { ServedApi } from './served-api.ts'
import { shareAcknowledgeApi, shareFetchApi } from './shares/fetching.ts'
import { shareGroupDescribeApi, shareGroupHeartbeatApi } from './shares/membership.ts'
import { alterShareGroupOffsetsApi, deleteShareGroupOffsetsApi, describeShareGroupOffsetsApi } from './shares/offsets.ts'
import { addOffsetsToTxnApi, addPartitionsToTxnApi } from './transactions/adding.ts'
import { describeProducersApi, describeTransactionsApi, listTransactionsApi } from './transactions/describing.ts'
import { endTxnApi } from './transactions/end-txn.ts'
import { initProducerIdApi } from './transactions/init-producer-id.ts'
import { writeTxnMarkersApi } from './transactions/markers.ts'
import { txnOffsetCommitApi } from './transactions/offset-commit.ts'

/** Every API that is answered, by key. */
export function servedApis(): ReadonlyMap<number, ServedApi> {
  const apis = [
    produceApi,
    fetchApi,
    listOffsetsApi,
    metadataApi,
    findCoordinatorApi,
    createTopicsApi,
    deleteTopicsApi,
    deleteRecordsApi,
    offsetForLeaderEpochApi,
    describeConfigsApi,
    alterConfigsApi,
    describeLogDirsApi,
    alterReplicaLogDirsApi,
    updateFeaturesApi,
    createPartitionsApi,
    incrementalAlterConfigsApi,
    describeClusterApi,
    listConfigResourcesApi,
    describeTopicPartitionsApi,
    electLeadersApi,
    alterPartitionReassignmentsApi,
    listPartitionReassignmentsApi,
    describeQuorumApi,
    offsetCommitApi,
    offsetFetchApi,
    joinGroupApi,
    heartbeatApi,
    leaveGroupApi,
    syncGroupApi,
    describeGroupsApi,
    listGroupsApi,
    deleteGroupsApi,
    offsetDeleteApi,
    consumerGroupHeartbeatApi,
    consumerGroupDescribeApi,
    shareGroupHeartbeatApi,
    shareGroupDescribeApi,
    shareFetchApi,
    shareAcknowledgeApi,
    describeShareGroupOffsetsApi,
    alterShareGroupOffsetsApi,
    deleteShareGroupOffsetsApi,
    initProducerIdApi,
    addPartitionsToTxnApi,
    addOffsetsToTxnApi,
    endTxnApi,
    writeTxnMarkersApi,
    txnOffsetCommitApi,
    describeProducersApi,
    describeTransactionsApi,
    listTransactionsApi,
    saslHandshakeApi,
    saslAuthenticateApi,
    describeAclsApi,
    createAclsApi,
    deleteAclsApi,
    describeUserScramCredentialsApi,
    alterUserScramCredentialsApi,
    describeClientQuotasApi,
    alterClientQuotasApi,
  ]
  const byKey = new Map(apis.map((api) => [api.codec.key, api]))
  const versions = apiVersionsApi(() => byKey.values())
  return byKey.set(versions.codec.key, versions)
}
