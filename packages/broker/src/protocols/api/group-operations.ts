/** Operations on consumer groups. */
import { MillraceError } from '../../base/errors.ts'
import type { Broker } from '../../core/broker.ts'
import type { MemberDescription, PartitionLag } from '../../core/groups/consumer-groups.ts'
import * as schemas from './group-schemas.ts'
import { define, type Operation } from './operation.ts'
import { page } from './page.ts'
import { listParams, nothing } from './schemas.ts'

export type GroupOperation = 'group.list' | 'group.get' | 'group.delete' | 'group.reset'

export const groupOperations: Readonly<Record<GroupOperation, Operation>> = {
  'group.list': define({
    summary: 'List consumer groups with their lag',
    action: 'describe',
    params: listParams,
    result: schemas.groupList,
    resource: () => 'broker',
    run({ broker }, params) {
      const { items, ...rest } = page(broker.groups.list(), ({ name }) => name, params)
      return { items: items.map((group) => ({ ...group, lag: total(broker.groups.lag(group.name) ?? []) })), ...rest }
    },
  }),
  'group.get': define({
    summary: 'Describe a consumer group: its members, and how far it is in each partition',
    action: 'describe',
    params: schemas.groupNamed,
    result: schemas.groupInfo,
    resource: ({ name }) => `group:${name}`,
    run: ({ broker }, { name }) => describe(broker, name),
  }),
  'group.delete': define({
    summary: 'Delete a consumer group without members, with its offsets',
    action: 'delete',
    params: schemas.groupNamed,
    result: nothing,
    resource: ({ name }) => `group:${name}`,
    async run({ broker }, { name }) {
      const problem = broker.groups.deleteGroup(name)
      if (problem === 'not-empty') {
        throw new MillraceError(
          'in_use',
          `the group ${JSON.stringify(name)} has members: stop them first, or wait for the end of their sessions`,
        )
      }
      if (problem !== undefined) throw unknown(name)
      await broker.whenCommitted(broker.ticket())
      return {}
    },
  }),
  'group.reset': define({
    summary: 'Move a consumer group without members to another place of a topic',
    action: 'define',
    params: schemas.groupResetParams,
    result: schemas.groupPartitions,
    resource: ({ name }) => `group:${name}`,
    run: async ({ broker }, { name, ...reset }) => ({ partitions: await broker.groups.resetOffsets(name, reset) }),
  }),
}

function describe({ groups }: Broker, name: string): object {
  const group = groups.describe(name)
  if (group === undefined) throw unknown(name)
  const partitions = groups.lag(name) ?? []
  const { type, state, protocolType, protocol, generation, members } = group
  return {
    name,
    type,
    state,
    protocolType,
    protocol,
    generation,
    lag: total(partitions),
    members: members.map(memberJson),
    partitions,
  }
}

function memberJson({ memberId, instanceId, clientId, clientHost, consumer }: MemberDescription): object {
  return {
    memberId,
    ...(instanceId === undefined ? {} : { instanceId }),
    clientId,
    clientHost,
    ...(consumer === undefined ? {} : { assigned: consumer.assigned }),
  }
}

function total(partitions: readonly PartitionLag[]): number {
  return partitions.reduce((sum, { lag }) => sum + lag, 0)
}

function unknown(name: string): MillraceError {
  return new MillraceError(
    'not_found',
    `there is no group ${JSON.stringify(name)}: \`millrace group ls\` shows those that there are`,
  )
}
