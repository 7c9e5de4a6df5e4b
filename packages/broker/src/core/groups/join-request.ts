import type { GroupProblem, JoinRequest } from './consumer-groups.ts'
import { type GroupSettings, MEMBER_BYTES_MAX, PROTOCOLS_MAX, REBALANCE_TIMEOUT_MS_MAX } from './limits.ts'

/** What of a join can be judged without the group. */
export function checkJoin(request: JoinRequest, settings: GroupSettings): GroupProblem | undefined {
  const { sessionTimeoutMs, rebalanceTimeoutMs, protocols } = request
  if (!isWithin(sessionTimeoutMs, settings.sessionTimeoutMsMin, settings.sessionTimeoutMsMax)) return 'bad-session-timeout'
  if (!isWithin(rebalanceTimeoutMs, 0, REBALANCE_TIMEOUT_MS_MAX)) return 'bad-request'
  if (protocols.length > PROTOCOLS_MAX || bytesOf(request) > MEMBER_BYTES_MAX) return 'bad-request'
  return undefined
}

function bytesOf({ clientId, clientHost, instanceId = '', protocolType, protocols }: JoinRequest): number {
  const names = clientId.length + clientHost.length + instanceId.length + protocolType.length
  return protocols.reduce((bytes, { name, metadata }) => bytes + 3 * name.length + metadata.length, 3 * names)
}

function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max
}
