/** Acquiring records of share groups, and telling what became of them. */
import type { Delivery } from '../../../core/broker.ts'
import type { Encodable } from '../codec/notation.ts'
import { errors, failure, KafkaError } from '../errors.ts'
import { asSent } from '../fetch/fetch-round.ts'
import { groupErrorCode, mayUseGroup } from '../groups/group-errors.ts'
import { checkMayShare } from '../groups/group-kind.ts'
import { shareAcknowledge, shareFetch } from '../messages/shares.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { throttled } from '../throttling.ts'
import type { Acquired } from './acquisition.ts'
import { shareGroupsOf } from './share-groups.ts'
import { sharePolicy } from './share-policy.ts'
import type { PartitionFailure, ShareFetchRequest, ShareSession } from './share-session.ts'

type FetchResponse = Encodable<typeof shareFetch.response>
type FetchedPartition = FetchResponse['responses'][number]['partitions'][number]
type AcknowledgeResponse = Encodable<typeof shareAcknowledge.response>

const FIRST_EPOCH = 0
const FINAL_EPOCH = -1
/** A way to acquire. */
const RECORD_LIMIT = 1
const DELIVERY_COUNT_MAX = 32_767
const NO_LEADER = { leaderId: 0, leaderEpoch: 0 }
const NO_RECORDS: readonly Uint8Array[] = []

/** Names a session. */
interface SessionRequest {
  readonly groupId: string | null
  readonly memberId: string | null
  readonly shareSessionEpoch: number
}

export const shareFetchApi: ServedApi = serve(shareFetch, (request, _, client) => {
  try {
    checkFetch(request)
    const session = request.shareSessionEpoch === FIRST_EPOCH ? openSession(client, request) : currentSession(client, request)
    const acknowledged = session.acknowledge(request)
    const { ticket } = session
    if (request.shareSessionEpoch === FINAL_EPOCH) {
      session.close()
      return new Durable(session.ticket, fetchResponse(session, [], acknowledged))
    }
    session.update(request)
    const { failures, isNews } = session.join()
    const { maxRecords, maxBytes } = request
    const { broker, principal } = client
    const isOnlyTold = maxRecords <= 0 || maxBytes <= 0
    if (isOnlyTold) return new Durable(ticket, fetchResponse(session, failures, acknowledged))
    const terms = {
      recordsMax: maxRecords,
      bytesMax: Math.min(maxBytes, broker.quotas.burstBytes(principal.user, principal.clientId ?? '', 'consume')),
      // What goes wrong is told at once, and after that with what else there is to tell.
      bytesMin: isNews ? 0 : Math.max(1, request.minBytes),
      waitMs: request.maxWaitMs,
    }
    return session.acquire(terms).then((acquired) => {
      const throttleTimeMs = throttled(client, 'consume', acquired.bytes)
      const found = { acquired, batchSize: batchSizeOf(request) }
      return new Durable(ticket, { ...fetchResponse(session, failures, acknowledged, found), throttleTimeMs })
    })
  } catch (error) {
    return { ...requestFailure(error), acquisitionLockTimeoutMs: 0, responses: [], nodeEndpoints: [] }
  }
})

export const shareAcknowledgeApi: ServedApi = serve(shareAcknowledge, (request, _, client) => {
  try {
    if (request.shareSessionEpoch === FIRST_EPOCH) {
      throw new KafkaError(errors.INVALID_SHARE_SESSION_EPOCH, 'a share session begins with a fetch')
    }
    const session = currentSession(client, request)
    const acknowledged = session.acknowledge(request)
    const acquisitionLockTimeoutMs = leaseMsOf(session)
    if (request.shareSessionEpoch === FINAL_EPOCH) session.close()
    const responses: AcknowledgeResponse['responses'][number][] = []
    for (const { topicId, partition, errorCode, errorMessage } of acknowledged) {
      const answer = { partitionIndex: partition, errorCode, errorMessage, currentLeader: NO_LEADER }
      partitionsOf(responses, topicId).push(answer)
    }
    return new Durable(session.ticket, {
      errorCode: errors.NONE,
      acquisitionLockTimeoutMs,
      responses,
      nodeEndpoints: [],
    })
  } catch (error) {
    return { ...requestFailure(error), acquisitionLockTimeoutMs: 0, responses: [], nodeEndpoints: [] }
  }
})

function requestFailure(error: unknown): { errorCode: number; errorMessage: string | null } {
  return { errorCode: groupErrorCode(error), errorMessage: failure(error).errorMessage }
}

/** @throws KafkaError INVALID_REQUEST */
function checkFetch({ shareSessionEpoch, topics, isRenewAck, maxRecords, maxBytes }: ShareFetchRequest): void {
  const isAcknowledging = topics.some(({ partitions }) =>
    partitions.some(({ acknowledgementBatches }) => acknowledgementBatches.length > 0),
  )
  if (shareSessionEpoch === FIRST_EPOCH && isAcknowledging) {
    throw new KafkaError(errors.INVALID_REQUEST, 'with the first fetch of a share session nothing can be acknowledged')
  }
  if (isRenewAck && (maxRecords > 0 || maxBytes > 0)) {
    throw new KafkaError(errors.INVALID_REQUEST, 'a fetch that renews fetches nothing')
  }
}

/** @throws KafkaError, MillraceError */
function openSession(client: Client, request: SessionRequest): ShareSession {
  const { groupId, memberId } = named(request)
  mayUseGroup(client, 'consume', groupId)
  checkMayShare(client, groupId)
  return shareGroupsOf(client).openSession(client, groupId, memberId)
}

/** @throws KafkaError, MillraceError */
function currentSession(client: Client, request: SessionRequest): ShareSession {
  const { groupId, memberId } = named(request)
  mayUseGroup(client, 'consume', groupId)
  const session = shareGroupsOf(client).session(groupId, memberId)
  if (request.shareSessionEpoch !== FINAL_EPOCH) session.checkEpoch(request.shareSessionEpoch)
  session.endWait()
  return session
}

function named({ groupId, memberId }: SessionRequest): { groupId: string; memberId: string } {
  if (groupId !== null && groupId !== '' && memberId !== null && memberId !== '') return { groupId, memberId }
  throw new KafkaError(errors.INVALID_REQUEST, 'a share session is that of a member of a group')
}

function leaseMsOf(session: ShareSession): number {
  return session.leaseMs ?? sharePolicy.leaseMs ?? 0
}

// ---- responses ------------------------------------------------------------------------------------------------------

function fetchResponse(
  session: ShareSession,
  failures: readonly PartitionFailure[],
  acknowledged: readonly PartitionFailure[],
  found?: { readonly acquired: Acquired; readonly batchSize: number },
): FetchResponse {
  const responses: { topicId: string; partitions: FetchedPartition[] }[] = []
  const answers = new Map<string, FetchedPartition>()
  const answer = (topicId: string, index: number, about: Partial<FetchedPartition>): void => {
    const key = `${topicId}/${index}`
    const known = answers.get(key)
    if (known !== undefined) return void Object.assign(known, about)
    const made = { ...emptyPartition(index), ...about }
    answers.set(key, made)
    partitionsOf(responses, topicId).push(made)
  }
  for (const { topicId, partition, errorCode, errorMessage } of acknowledged) {
    answer(topicId, partition, { acknowledgeErrorCode: errorCode, acknowledgeErrorMessage: errorMessage })
  }
  for (const { topicId, partition, errorCode, errorMessage } of failures) {
    answer(topicId, partition, { errorCode, errorMessage })
  }
  for (const [topic, partitions] of found?.acquired.topics ?? []) {
    for (const [index, deliveries] of partitions) answer(topic.id, index, acquiredFrom(deliveries, found!.batchSize))
  }
  return { errorCode: errors.NONE, acquisitionLockTimeoutMs: leaseMsOf(session), responses, nodeEndpoints: [] }
}

function emptyPartition(partitionIndex: number): FetchedPartition {
  return {
    partitionIndex,
    errorCode: errors.NONE,
    acknowledgeErrorCode: errors.NONE,
    currentLeader: NO_LEADER,
    records: NO_RECORDS,
    acquiredRecords: [],
  }
}

/** So many records at a time the client wants to acknowledge; by the limit of records alone, it does not say. */
function batchSizeOf({ shareAcquireMode, batchSize }: ShareFetchRequest): number {
  return shareAcquireMode === RECORD_LIMIT ? Infinity : batchSize
}

/**
 * Whole batches, each once, and which of their records are acquired: in runs that end with a batch once they have `batchSize` records, so that what is
 * acknowledged as one is not much more than that.
 */
function acquiredFrom(deliveries: readonly Delivery[], batchSize: number): Partial<FetchedPartition> {
  const inOrder = deliveries.toSorted((a, b) => a.first - b.first)
  const batches: { baseOffset: number; bytes: Uint8Array }[] = []
  const acquiredRecords: { firstOffset: number; lastOffset: number; deliveryCount: number }[] = []
  for (const { baseOffset, batch, first, last, attempt } of inOrder) {
    const isNewBatch = batches.at(-1)?.baseOffset !== baseOffset
    if (isNewBatch) batches.push({ baseOffset, bytes: batch })
    const deliveryCount = Math.min(attempt, DELIVERY_COUNT_MAX)
    const before = acquiredRecords.at(-1)
    const isNext = before?.lastOffset === first - 1 && before.deliveryCount === deliveryCount
    const isFull = isNewBatch && before !== undefined && first - before.firstOffset >= batchSize
    if (isNext && !isFull) before.lastOffset = last
    else acquiredRecords.push({ firstOffset: first, lastOffset: last, deliveryCount })
  }
  return { records: asSent(batches, batches.length), acquiredRecords }
}

/** Those of a topic, which is added where it is missing. */
function partitionsOf<P>(topics: { topicId: string; partitions: readonly P[] }[], topicId: string): P[] {
  let topic = topics.findLast((each) => each.topicId === topicId)
  if (topic === undefined) topics.push((topic = { topicId, partitions: [] }))
  return topic.partitions as P[]
}
