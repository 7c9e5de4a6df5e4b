/** Offsets of a group that are committed with a transaction. */
import type { OffsetCommit, OffsetCommitter } from '../../../core/broker.ts'
import { permit } from '../access.ts'
import type { Decoded } from '../codec/notation.ts'
import { errors } from '../errors.ts'
import { offsetProblemCode, problemCode } from '../groups/group-errors.ts'
import { checkMayConsume } from '../groups/group-kind.ts'
import { instanceOf } from '../groups/membership.ts'
import { txnOffsetCommit } from '../messages/transactions.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { groupRefusal } from './adding.ts'
import { addingCodes, producerErrorCode } from './transaction-errors.ts'

type CommitRequest = Decoded<typeof txnOffsetCommit.request>

const KNOWS_ABORTABLE = 4
/** AddOffsetsToTxn is not sent before. */
const BEGINS = 5

export const txnOffsetCommitApi: ServedApi = serve(txnOffsetCommit, (request, version, client) => {
  const offsets: OffsetCommit[] = request.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => ({
      topic: name,
      partition: partitionIndex,
      offset: committedOffset,
      leaderEpoch: committedLeaderEpoch,
      metadata: committedMetadata ?? '',
    })),
  )
  const codes = add(client, request, version, offsets)
  let next = 0
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: codes[next++]! })),
  }))
  return new Durable(codes.includes(errors.NONE) ? client.broker.ticket() : 0, { topics })
})

function add(client: Client, request: CommitRequest, version: number, offsets: readonly OffsetCommit[]): readonly number[] {
  const { transactionalId, producerId, producerEpoch: epoch, groupId } = request
  const by = { transactionalId, producerId, epoch }
  const mode = version >= BEGINS ? 'begin' : 'enlisted'
  try {
    permit(client, 'publish', `transaction:${transactionalId}`)
    const refused = groupRefusal(client, groupId)
    if (refused !== undefined) return offsets.map(() => refused)
    checkMayConsume(client, groupId)
    const result = client.broker.producerTransactions.addOffsets(by, groupId, offsets, committerOf(request), mode)
    if (typeof result !== 'string') return result.map(offsetProblemCode)
    // What it is to be stale is not known here.
    const code = result === 'stale-epoch' ? errors.ILLEGAL_GENERATION : problemCode(result)
    return offsets.map(() => code)
  } catch (error) {
    const known = addingCodes(version >= BEGINS, version >= KNOWS_ABORTABLE, errors.COORDINATOR_NOT_AVAILABLE)
    const code = producerErrorCode(client, by, error, known)
    return offsets.map(() => code)
  }
}

function committerOf({ generationId, memberId, groupInstanceId }: CommitRequest): OffsetCommitter | undefined {
  if (generationId < 0 && memberId === '' && groupInstanceId === null) return undefined
  return { memberId, generation: generationId, ...instanceOf(groupInstanceId) }
}
