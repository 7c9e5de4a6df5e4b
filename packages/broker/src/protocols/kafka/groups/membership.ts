/** Members of groups that agree among themselves. */
import type { GroupMember, JoinResult, SyncResult } from '../../../core/broker.ts'
import type { Encodable } from '../codec/notation.ts'
import { errors } from '../errors.ts'
import { heartbeat, joinGroup, leaveGroup, syncGroup } from '../messages/groups.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'
import { groupErrorCode, mayUseGroup, problemCode } from './group-errors.ts'
import { isShareGroup } from './group-kind.ts'

type JoinAnswer = Encodable<typeof joinGroup.response>
type SyncAnswer = Encodable<typeof syncGroup.response>

const NO_BYTES: Uint8Array = new Uint8Array(0)
/** From here on, a new member is given its id before it joins. */
const REQUIRES_MEMBER_ID = 4
const KNOWS_SKIPPED_ASSIGNMENT = 9

export const joinGroupApi: ServedApi = serve(joinGroup, (request, version, client) => {
  const { groupId, memberId, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols } = request
  try {
    mayUseGroup(client, 'consume', groupId)
    if (isShareGroup(client, groupId)) return refusedJoin(errors.INCONSISTENT_GROUP_PROTOCOL, memberId, version)
    return new Promise<JoinAnswer>((resolve) => {
      client.broker.groups.join(
        {
          group: groupId,
          memberId,
          ...instanceOf(groupInstanceId),
          ...whoIs(client),
          sessionTimeoutMs,
          // The first version has one time for both.
          rebalanceTimeoutMs: version === 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
          protocolType,
          protocols,
          requireMemberId: version >= REQUIRES_MEMBER_ID,
          canSkipAssignment: version >= KNOWS_SKIPPED_ASSIGNMENT,
        },
        (result) => resolve(joinAnswer(result, version)),
      )
    })
  } catch (error) {
    return refusedJoin(groupErrorCode(error), memberId, version)
  }
})

function joinAnswer(result: JoinResult, version: number): JoinAnswer {
  if (result.problem !== undefined) return refusedJoin(problemCode(result.problem), result.memberId, version)
  const { memberId, generation, protocolType, protocol, leader, members, skipAssignment } = result
  return {
    errorCode: errors.NONE,
    generationId: generation,
    protocolType,
    protocolName: protocol,
    leader,
    skipAssignment,
    memberId,
    members: members.map(({ memberId: id, instanceId, metadata }) => ({
      memberId: id,
      groupInstanceId: instanceId ?? null,
      metadata,
    })),
  }
}

function refusedJoin(errorCode: number, memberId: string, version: number): JoinAnswer {
  // It may be null since version 7 only.
  return { errorCode, protocolName: version >= 7 ? null : '', leader: '', memberId, members: [] }
}

export const syncGroupApi: ServedApi = serve(syncGroup, (request, _, client) => {
  const { protocolType, protocolName, assignments } = request
  try {
    mayUseGroup(client, 'consume', request.groupId)
    return new Promise<SyncAnswer>((resolve) => {
      client.broker.groups.sync(
        {
          ...memberOf(request),
          ...(protocolType === null ? {} : { protocolType }),
          ...(protocolName === null ? {} : { protocol: protocolName }),
          assignments,
        },
        (result) => resolve(syncAnswer(result)),
      )
    })
  } catch (error) {
    return { errorCode: groupErrorCode(error), assignment: NO_BYTES }
  }
})

function syncAnswer(result: SyncResult): SyncAnswer {
  if (result.problem !== undefined) return { errorCode: problemCode(result.problem), assignment: NO_BYTES }
  const { protocolType, protocol, assignment } = result
  return { errorCode: errors.NONE, protocolType, protocolName: protocol, assignment }
}

export const heartbeatApi: ServedApi = serve(heartbeat, (request, _, client) => {
  try {
    mayUseGroup(client, 'consume', request.groupId)
    return { errorCode: problemCode(client.broker.groups.heartbeat(memberOf(request))) }
  } catch (error) {
    return { errorCode: groupErrorCode(error) }
  }
})

export const leaveGroupApi: ServedApi = serve(leaveGroup, (request, version, client) => {
  const { groupId, memberId } = request
  const members = version >= 3 ? request.members : [{ memberId, groupInstanceId: null }]
  try {
    mayUseGroup(client, 'consume', groupId)
    const leaving = members.map(({ memberId: id, groupInstanceId }) => ({ memberId: id, ...instanceOf(groupInstanceId) }))
    const left = client.broker.groups.leave(groupId, leaving)
    if (typeof left === 'string') return { errorCode: problemCode(left) }
    if (version < 3) return { errorCode: problemCode(left[0]) }
    const answers = members.map((member, n) => ({ ...member, errorCode: problemCode(left[n]) }))
    return { errorCode: errors.NONE, members: answers }
  } catch (error) {
    return { errorCode: groupErrorCode(error) }
  }
})

function memberOf(request: {
  readonly groupId: string
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
}): GroupMember {
  const { groupId, memberId, groupInstanceId, generationId } = request
  return { group: groupId, memberId, generation: generationId, ...instanceOf(groupInstanceId) }
}

export function instanceOf(instanceId: string | null): { instanceId?: string } {
  return instanceId === null ? {} : { instanceId }
}

/** How members are described to people. */
export function whoIs({ principal }: Client): { clientId: string; clientHost: string } {
  const { address } = principal.peer
  return { clientId: principal.clientId ?? '', clientHost: `/${address.replace(/:\d+$/, '')}` }
}
