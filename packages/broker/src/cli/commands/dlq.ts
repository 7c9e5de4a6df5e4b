import { topicAddress } from '@millrace/wire'
import type { QueueInfo, RedriveInfo, RedriveOptions, StartPosition } from '@millrace/client'
import type { Command } from 'commander'
import type { MessageJson } from '../../protocols/api/message-json.ts'
import { parseName } from '../address.ts'
import { CommandError, EXIT } from '../failure.ts'
import { formatCount, formatTime } from '../output/figures.ts'
import { printedMessage } from '../output/message.ts'
import type { Column } from '../output/table.ts'
import { parseCount, parseIndex, parseRate, parseStartPosition } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'
import { deliveryColumns } from './delivery-options.ts'

/** A queue that takes dead letters, and from where. */
interface DeadLetterQueue extends QueueInfo {
  readonly sources: readonly string[]
}

interface InspectOptions {
  readonly max: number
  readonly from?: StartPosition
}

interface RedriveFlags {
  readonly to?: string
  readonly offset?: number
  readonly partition?: number
  readonly max?: number
  readonly filter?: string
  readonly dryRun?: boolean
  readonly rate?: number
  readonly keepHeaders?: boolean
}

const queueColumns: readonly Column<DeadLetterQueue>[] = [
  { title: 'NAME', cell: (queue) => queue.name },
  ...deliveryColumns,
  { title: 'FROM', cell: (queue) => queue.sources.join(', ') },
]

const letterColumns: readonly Column<MessageJson>[] = [
  { title: 'OFFSET', cell: (message) => String(message.offset), align: 'right' },
  { title: 'DIED', cell: ({ death }) => (death === undefined ? '-' : formatTime(death.timeMs)) },
  { title: 'FROM', cell: ({ death }) => death?.source ?? '-' },
  { title: 'REASON', cell: ({ death }) => death?.reason ?? '-' },
  { title: 'ATTEMPTS', cell: ({ death }) => String(death?.attempts ?? '-'), align: 'right' },
  { title: 'ERROR', cell: ({ death }) => oneLine(death?.error ?? '') },
  { title: 'BODY', cell: (message) => oneLine(bodyText(message)) },
]

const groupColumns: readonly Column<RedriveInfo['groups'][number]>[] = [
  { title: 'FROM', cell: (group) => group.origin },
  { title: 'REASON', cell: (group) => group.reason },
  { title: 'MOVED', cell: (group) => formatCount(group.moved), align: 'right' },
  { title: 'LEFT', cell: (group) => formatCount(group.left), align: 'right' },
]

export function addDlq(program: Command): void {
  const dlq = program.command('dlq').description('Look at dead letters, and move them back')
  addList(dlq)
  addInspect(dlq)
  addRedrive(dlq)
}

function addList(dlq: Command): void {
  dlq
    .command('ls')
    .description('List the queues that take dead letters, and from where')
    .action(async (_options: unknown, command: Command) => {
      const queues = await withBroker(command, async ({ admin }) => {
        const [all, subscriptions] = await Promise.all([admin.queues(), admin.subscriptions()])
        const sources = new Map<string, string[]>()
        const note = (target: string | undefined, source: string): void => {
          if (target !== undefined) sources.set(target, [...(sources.get(target) ?? []), source])
        }
        for (const queue of all) note(queue.delivery.deadLetter, `queue:${queue.name}`)
        for (const { topic, name, delivery } of subscriptions) note(delivery.deadLetter, topicAddress(topic, name))
        return all.flatMap((queue) => {
          const from = sources.get(`queue:${queue.name}`)
          return from === undefined ? [] : [{ ...queue, sources: from }]
        })
      })
      await outputOf(command).rows(queues, queueColumns)
    })
}

function addInspect(dlq: Command): void {
  dlq
    .command('inspect')
    .description('Show dead letters with the story of their death')
    .argument('<queue>')
    .option('--max <n>', 'show at most so many messages', parseCount, 10)
    .option('--from <position>', 'earliest, latest, offset:N or time:ISO (default: earliest)', parseStartPosition)
    .action(async (text: string, { max, from }: InspectOptions, command: Command) => {
      const name = parseName('queue', text)
      const messages = await withBroker(command, (client) =>
        client.queue(name).peek({ max, ...(from === undefined ? {} : { from }) }),
      )
      await outputOf(command).rows(messages.map(printedMessage), letterColumns)
    })
}

function addRedrive(dlq: Command): void {
  dlq
    .command('redrive')
    .description('Move messages back to the queues where they died, or elsewhere')
    .argument('<queue>')
    .option('--to <destination>', 'queue:NAME or topic:NAME; needed for what died in a subscription')
    .option('--offset <n>', 'only the message with this offset', parseIndex)
    .option('--partition <n>', 'of that message: its level, in a queue with priorities', parseIndex)
    .option('--max <n>', 'at most so many messages', parseCount)
    .option('--filter <selector>', `only what matches, like "\\"millrace-dead-reason\\" = 'expired'"`)
    .option('--rate <n>', 'at most so many messages per second', parseRate)
    .option('--keep-headers', 'keep the headers that tell of the death')
    .option('--dry-run', 'say what would be moved, and move nothing')
    .action(async (text: string, flags: RedriveFlags, command: Command) => {
      const name = parseName('queue', text)
      const output = outputOf(command)
      const info = await withBroker(command, ({ admin }) =>
        admin.redrive(name, {
          ...redriveOptions(flags),
          onProgress: ({ moved }) => output.note(`moved ${formatCount(moved)} so far`),
        }),
      )
      if (output.format === 'table') await output.rows(info.groups, groupColumns)
      else await output.object(info, [])
      if (info.state !== 'done')
        throw new CommandError(EXIT.error, `The redrive was ${info.state}: ${info.error ?? 'somebody asked for it'}.`)
      output.note(`${info.dryRun ? 'would move' : 'moved'} ${formatCount(info.moved)} of ${formatCount(info.scanned)} messages`)
      if (info.left > 0)
        output.note(`${formatCount(info.left)} stay: their origin is gone or a subscription. Say where to with --to.`)
    })
}

function redriveOptions({ rate, ...flags }: RedriveFlags): RedriveOptions {
  return { ...flags, ...(rate === undefined ? {} : { ratePerSecond: rate }) }
}

function bodyText({ body, bodyBase64 }: MessageJson): string {
  if (bodyBase64 !== undefined) return bodyBase64
  return typeof body === 'string' ? body : JSON.stringify(body ?? null)
}

const PREVIEW_CHARACTERS = 60

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > PREVIEW_CHARACTERS ? `${line.slice(0, PREVIEW_CHARACTERS - 3)}...` : line
}
