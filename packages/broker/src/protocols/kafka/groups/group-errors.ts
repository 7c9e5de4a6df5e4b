import { MillraceError } from '../../../base/errors.ts'
import type { GroupProblem, OffsetProblem } from '../../../core/broker.ts'
import { permit, permitSeeingGroup } from '../access.ts'
import { errorCodeOf, errors } from '../errors.ts'
import type { Client } from '../served-api.ts'

const problems: Readonly<Record<GroupProblem, number>> = {
  'unknown-member': errors.UNKNOWN_MEMBER_ID,
  'illegal-generation': errors.ILLEGAL_GENERATION,
  rebalancing: errors.REBALANCE_IN_PROGRESS,
  'fenced-instance': errors.FENCED_INSTANCE_ID,
  'member-id-required': errors.MEMBER_ID_REQUIRED,
  'inconsistent-protocol': errors.INCONSISTENT_GROUP_PROTOCOL,
  'group-full': errors.GROUP_MAX_SIZE_REACHED,
  'bad-session-timeout': errors.INVALID_SESSION_TIMEOUT,
  'not-empty': errors.NON_EMPTY_GROUP,
  'not-found': errors.GROUP_ID_NOT_FOUND,
  'bad-group': errors.INVALID_GROUP_ID,
  'bad-request': errors.INVALID_REQUEST,
  'fenced-epoch': errors.FENCED_MEMBER_EPOCH,
  'stale-epoch': errors.STALE_MEMBER_EPOCH,
  'unreleased-instance': errors.UNRELEASED_INSTANCE_ID,
  'unsupported-assignor': errors.UNSUPPORTED_ASSIGNOR,
  'too-many-groups': errors.POLICY_VIOLATION,
  unavailable: errors.COORDINATOR_NOT_AVAILABLE,
}

const offsetProblems: Readonly<Record<OffsetProblem, number>> = {
  'unknown-partition': errors.UNKNOWN_TOPIC_OR_PARTITION,
  'metadata-too-large': errors.OFFSET_METADATA_TOO_LARGE,
  'bad-offset': errors.INVALID_REQUEST,
}

export function problemCode(problem: GroupProblem | undefined): number {
  return problem === undefined ? errors.NONE : problems[problem]
}

export function offsetProblemCode(problem: OffsetProblem | undefined): number {
  return problem === undefined ? errors.NONE : offsetProblems[problem]
}

/** What stands for a failure where a group is asked. @throws what is no expected failure */
export function groupErrorCode(error: unknown): number {
  if (!(error instanceof MillraceError)) return errorCodeOf(error)
  // Clients look for the coordinator again.
  return error.code === 'draining' ? errors.COORDINATOR_NOT_AVAILABLE : errorCodeOf(error)
}

/** @throws KafkaError GROUP_AUTHORIZATION_FAILED */
export function mayUseGroup(client: Client, action: 'consume' | 'describe' | 'delete', group: string): void {
  if (action === 'describe') permitSeeingGroup(client, group)
  else permit(client, action, `group:${group}`)
}
