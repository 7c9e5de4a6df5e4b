import type { TopicInfo, TopicSpec } from '@millrace/client'
import { Option } from 'commander'
import type { Command } from 'commander'
import { parseName } from '../address.ts'
import { formatBytes, formatCount, formatDuration } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { orNone, parseSize, parseCount, parseDurationMs } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'
import { addDedupOptions, dedupField, dedupPolicy } from './dedup-options.ts'
import type { DedupOptions } from './dedup-options.ts'
import { addRemovalOptions, confirmRemoval } from './removal.ts'
import type { RemovalOptions } from './removal.ts'

interface TopicOptions extends DedupOptions {
  readonly partitions?: number
  readonly retentionMs?: number | 'none'
  readonly retentionBytes?: number | 'none'
  readonly retentionRecords?: number | 'none'
  readonly cleanup?: 'delete' | 'compact' | 'compact,delete'
  readonly batchBytesMax?: number | 'none'
}

const columns: readonly Column<TopicInfo>[] = [
  { title: 'NAME', cell: (topic) => topic.name },
  { title: 'PARTITIONS', cell: (topic) => String(topic.partitions), align: 'right' },
  { title: 'RECORDS', cell: (topic) => formatCount(recordsOf(topic)), align: 'right' },
  { title: 'BYTES', cell: (topic) => formatBytes(bytesOf(topic)), align: 'right' },
  { title: 'CLEANUP', cell: (topic) => topic.cleanup },
  { title: 'RETENTION', cell: describeRetention },
  { title: 'SUBSCRIPTIONS', cell: (topic) => String(topic.subscriptions.length), align: 'right' },
]

export function addTopic(program: Command): void {
  const topic = program.command('topic').description('List, create, change and delete topics')

  topic
    .command('ls')
    .description('List all topics')
    .action(async (_options: unknown, command: Command) => {
      const topics = await withBroker(command, (client) => client.admin.topics())
      await outputOf(command).rows(topics, columns)
    })

  addTopicOptions(topic.command('create').description('Create a topic').argument('<name>')).action(
    async (name: string, options: TopicOptions, command: Command) => {
      const spec: TopicSpec = { name: parseName('topic', name), ...settings(options, {}), ...dedupPolicy(options) }
      await withBroker(command, (client) => client.admin.createTopic(spec))
      outputOf(command).note(`created topic:${spec.name}`)
    },
  )

  topic
    .command('get')
    .description('Show one topic')
    .argument('<name>')
    .action(async (name: string, _options: unknown, command: Command) => {
      const info = await withBroker(command, (client) => client.admin.topic(parseName('topic', name)))
      await outputOf(command).object(info, fields(info))
    })

  addTopicOptions(
    topic
      .command('update')
      .description('Change settings of a topic; partitions can only grow, `none` takes a retention limit away')
      .argument('<name>'),
  ).action(async (text: string, options: TopicOptions, command: Command) => {
    const name = parseName('topic', text)
    await withBroker(command, async ({ admin }) => {
      const { retention, dedup } = await admin.topic(name)
      await admin.updateTopic(name, { ...settings(options, retention), ...dedupPolicy(options, dedup) })
    })
    outputOf(command).note(`updated topic:${name}`)
  })

  addRemovalOptions(
    topic.command('rm').description('Delete a topic with its records and subscriptions').argument('<name>'),
  ).action(async (text: string, options: RemovalOptions, command: Command) => {
    const name = parseName('topic', text)
    await withBroker(command, async ({ admin }) => {
      const info = await admin.topic(name)
      const what = `topic:${name} with ${formatCount(recordsOf(info))} records and ${info.subscriptions.length} subscriptions`
      if (!(await confirmRemoval(what, options))) return
      await admin.deleteTopic(name)
      outputOf(command).note(`deleted topic:${name}`)
    })
  })
}

function addTopicOptions(command: Command): Command {
  return addDedupOptions(command)
    .option('--partitions <n>', 'number of partitions', parseCount)
    .option('--retention-ms <duration>', 'drop records that are older, like 7d', orNone(parseDurationMs))
    .option('--retention-bytes <size>', 'keep at most so much per partition, like 1GiB', orNone(parseSize))
    .option('--retention-records <n>', 'keep at most so many records per partition', orNone(parseCount))
    .addOption(
      new Option('--cleanup <policy>', 'delete old records, or compact to the last one per key, or both').choices([
        'delete',
        'compact',
        'compact,delete',
      ]),
    )
    .option('--batch-bytes-max <size>', 'largest record batch, and so the largest message', orNone(parseSize))
}

/** The options as settings; retention limits are laid over those that there are. */
function settings(options: TopicOptions, previous: NonNullable<TopicSpec['retention']>): Omit<TopicSpec, 'name'> {
  const retention: Record<string, number> = { ...previous }
  const limits = { ms: options.retentionMs, bytes: options.retentionBytes, records: options.retentionRecords }
  for (const [name, limit] of Object.entries(limits)) {
    if (limit === 'none') delete retention[name]
    else if (limit !== undefined) retention[name] = limit
  }
  const changed = Object.values(limits).some((limit) => limit !== undefined)
  return {
    ...(options.partitions === undefined ? {} : { partitions: options.partitions }),
    ...(options.cleanup === undefined ? {} : { cleanup: options.cleanup }),
    ...(options.batchBytesMax === undefined
      ? {}
      : { batchBytesMax: options.batchBytesMax === 'none' ? 0 : options.batchBytesMax }),
    ...(changed ? { retention } : {}),
  }
}

function fields(topic: TopicInfo): (readonly [string, string])[] {
  return [
    ['name', topic.name],
    ['cleanup', topic.cleanup],
    ['retention', describeRetention(topic)],
    ['largest batch', topic.batchBytesMax === undefined ? 'as the broker has it' : formatBytes(topic.batchBytesMax)],
    dedupField(topic.dedup),
    ['subscriptions', topic.subscriptions.join(', ') || 'none'],
    ['records', formatCount(recordsOf(topic))],
    ['bytes', formatBytes(bytesOf(topic))],
    ...topic.partitionInfo.map(
      ({ start, end, bytes }, n) => [`partition ${n}`, `offsets ${start} to ${end}, ${formatBytes(bytes)}`] as const,
    ),
  ]
}

function describeRetention({ retention }: TopicInfo): string {
  const limits = [
    retention.ms === undefined ? [] : [formatDuration(retention.ms)],
    retention.bytes === undefined ? [] : [formatBytes(retention.bytes)],
    retention.records === undefined ? [] : [`${formatCount(retention.records)} records`],
  ]
  return limits.flat().join(', ') || 'for ever'
}

function recordsOf(topic: TopicInfo): number {
  return topic.partitionInfo.reduce((sum, { start, end }) => sum + end - start, 0)
}

function bytesOf(topic: TopicInfo): number {
  return topic.partitionInfo.reduce((sum, { bytes }) => sum + bytes, 0)
}
