/** What of a request can be judged without the group. */
import { assignors } from './assignor.ts'
import type { ConsumerHeartbeat, GroupProblem, JoinRequest } from './consumer-groups.ts'
import {
  type GroupSettings,
  MEMBER_BYTES_MAX,
  PATTERN_LENGTH_MAX,
  PROTOCOLS_MAX,
  REBALANCE_TIMEOUT_MS_MAX,
  SUBSCRIBED_TOPICS_MAX,
} from './limits.ts'

export function checkJoin(request: JoinRequest, settings: GroupSettings): GroupProblem | undefined {
  const { sessionTimeoutMs, rebalanceTimeoutMs, protocols } = request
  if (!isWithin(sessionTimeoutMs, settings.sessionTimeoutMsMin, settings.sessionTimeoutMsMax)) return 'bad-session-timeout'
  if (!isWithin(rebalanceTimeoutMs, 0, REBALANCE_TIMEOUT_MS_MAX)) return 'bad-request'
  if (protocols.length > PROTOCOLS_MAX || bytesOf(request) > MEMBER_BYTES_MAX) return 'bad-request'
  return undefined
}

export function checkConsumerHeartbeat(heartbeat: ConsumerHeartbeat): GroupProblem | undefined {
  const {
    memberId,
    epoch,
    instanceId = '',
    clientId,
    clientHost,
    rebalanceTimeoutMs,
    topics,
    pattern,
    assignor,
    owned,
  } = heartbeat
  if (!Number.isInteger(epoch) || epoch < -2) return 'bad-request'
  if (epoch === -2 && instanceId === '') return 'bad-request'
  if (memberId.length + instanceId.length + clientId.length + clientHost.length > MEMBER_BYTES_MAX / 3) return 'bad-request'
  if (epoch === 0 && (rebalanceTimeoutMs === undefined || owned?.length !== 0)) return 'bad-request'
  if (epoch === 0 && topics === undefined && (pattern ?? undefined) === undefined) return 'bad-request'
  if (rebalanceTimeoutMs !== undefined && !isWithin(rebalanceTimeoutMs, 1, REBALANCE_TIMEOUT_MS_MAX)) return 'bad-request'
  if (topics !== undefined && topics.length > SUBSCRIBED_TOPICS_MAX) return 'bad-request'
  if ((pattern?.source.length ?? 0) > PATTERN_LENGTH_MAX) return 'bad-request'
  return assignor === undefined || Object.hasOwn(assignors, assignor) ? undefined : 'unsupported-assignor'
}

function bytesOf({ clientId, clientHost, instanceId = '', protocolType, protocols }: JoinRequest): number {
  const names = clientId.length + clientHost.length + instanceId.length + protocolType.length
  return protocols.reduce((bytes, { name, metadata }) => bytes + 3 * name.length + metadata.length, 3 * names)
}

function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max
}
