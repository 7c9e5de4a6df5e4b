import type { GroupInfo, GroupPartition, GroupSummary, StartPosition } from '@millrace/client'
import type { Command } from 'commander'
import { parseName } from '../address.ts'
import { formatCount } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { parseIndex, parseStartPosition } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'
import { addRemovalOptions, confirmRemoval } from './removal.ts'
import type { RemovalOptions } from './removal.ts'

interface ResetOptions {
  readonly to: StartPosition
  readonly partition?: readonly number[]
}

const columns: readonly Column<GroupSummary>[] = [
  { title: 'NAME', cell: (group) => group.name },
  { title: 'TYPE', cell: (group) => group.type },
  { title: 'STATE', cell: (group) => group.state },
  { title: 'MEMBERS', cell: (group) => formatCount(group.members), align: 'right' },
  { title: 'LAG', cell: (group) => formatCount(group.lag), align: 'right' },
]

const partitionColumns: readonly Column<GroupPartition & { readonly reader?: string }>[] = [
  { title: 'TOPIC', cell: (at) => at.topic },
  { title: 'PARTITION', cell: (at) => String(at.partition), align: 'right' },
  { title: 'OFFSET', cell: (at) => String(at.offset), align: 'right' },
  { title: 'END', cell: (at) => String(at.end), align: 'right' },
  { title: 'LAG', cell: (at) => formatCount(at.lag), align: 'right' },
  { title: 'MEMBER', cell: (at) => at.reader ?? '-' },
]

export function addGroup(program: Command): void {
  const group = program.command('group').description('List, inspect, reset and delete consumer groups')
  group
    .command('ls')
    .description('List all consumer groups')
    .action(async (_options: unknown, command: Command) => {
      const groups = await withBroker(command, ({ admin }) => admin.groups())
      await outputOf(command).rows(groups, columns)
    })
  addGet(group)
  addReset(group)
  addRemoval(group)
}

function addGet(group: Command): void {
  group
    .command('get')
    .description('Show how far a group is in each partition, and who is in it')
    .argument('<group>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const info = await withBroker(command, ({ admin }) => admin.group(name))
      const output = outputOf(command)
      if (output.format !== 'table') {
        await output.object(info, [])
        return
      }
      await output.rows(withReaders(info), partitionColumns)
      const members = `${formatCount(info.members.length)} ${info.members.length === 1 ? 'member' : 'members'}`
      output.note(`${info.type} group, ${info.state}, ${members}, lag ${formatCount(info.lag)}`)
      for (const { memberId, clientId, clientHost } of info.members) output.note(`${memberId} is ${clientId} at ${clientHost}`)
    })
}

/** Who reads what is known where the broker assigns it. */
function withReaders({ members, partitions }: GroupInfo): (GroupPartition & { readonly reader?: string })[] {
  const readers = new Map<string, string>()
  for (const { memberId, assigned = [] } of members) {
    for (const each of assigned) for (const partition of each.partitions) readers.set(`${each.topic}/${partition}`, memberId)
  }
  return partitions.map((at) => {
    const reader = readers.get(`${at.topic}/${at.partition}`)
    return reader === undefined ? at : { ...at, reader }
  })
}

function addReset(group: Command): void {
  group
    .command('reset')
    .description('Move a group that has no members to another place of a topic')
    .argument('<group>')
    .argument('<topic>')
    .requiredOption('--to <position>', 'earliest, latest, offset:N or time:ISO', parseStartPosition)
    .option('--partition <n...>', 'only these partitions', gathered)
    .action(async (name: string, topicName: string, { to, partition }: ResetOptions, command: Command) => {
      const topic = parseName('topic', topicName)
      const reset = { topic, to, ...(partition === undefined ? {} : { partitions: partition }) }
      const partitions = await withBroker(command, ({ admin }) => admin.resetGroup(name, reset))
      await outputOf(command).rows(partitions, partitionColumns)
    })
}

function gathered(text: string, before: readonly number[] | undefined): readonly number[] {
  return [...(before ?? []), parseIndex(text)]
}

function addRemoval(group: Command): void {
  addRemovalOptions(
    group.command('rm').description('Delete a group that has no members, with its offsets').argument('<group>'),
  ).action(async (name: string, options: RemovalOptions, command: Command) => {
    await withBroker(command, async ({ admin }) => {
      const { partitions } = await admin.group(name)
      const what = `group ${name} with its offsets of ${formatCount(partitions.length)} partitions`
      if (!(await confirmRemoval(what, options))) return
      await admin.deleteGroup(name)
      outputOf(command).note(`deleted group ${name}`)
    })
  })
}
