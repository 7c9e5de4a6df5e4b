import type { RedriveInfo, RedriveOptions } from '@millrace/client'
import type { Command } from 'commander'
import { parseName } from '../address.ts'
import { CommandError } from '../failure.ts'
import { formatCount } from '../output/figures.ts'
import type { Column } from '../output/table.ts'
import { parseCount, parseIndex, parseRate } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'

/** What is moved out of a queue, and how fast: `dlq redrive` and `queue move`. */
export interface MoveFlags extends Omit<RedriveOptions, 'ratePerSecond' | 'signal' | 'onProgress'> {
  readonly rate?: number
}

const groupColumns: readonly Column<RedriveInfo['groups'][number]>[] = [
  { title: 'FROM', cell: (group) => group.origin },
  { title: 'REASON', cell: (group) => group.reason },
  { title: 'MOVED', cell: (group) => formatCount(group.moved), align: 'right' },
  { title: 'LEFT', cell: (group) => formatCount(group.left), align: 'right' },
]

/** `queue move`: what is in a queue, whatever brought it there, goes to another place. Dead letters stay dead letters. */
export function addMove(queue: Command): void {
  addMoveOptions(
    queue
      .command('move')
      .description('Move the messages that no consumer holds to another queue or topic')
      .argument('<name>')
      .argument('<destination>', 'queue:NAME or topic:NAME'),
  ).action((text: string, to: string, flags: MoveFlags, command: Command) =>
    moveMessages(parseName('queue', text), { ...flags, to, keepHeaders: true }, command),
  )
}

export function addMoveOptions(command: Command): Command {
  return command
    .option('--offset <n>', 'only the message with this offset', parseIndex)
    .option('--partition <n>', 'of that message: its level, in a queue with priorities', parseIndex)
    .option('--max <n>', 'at most so many messages', parseCount)
    .option('--filter <selector>', `only what matches, like "\\"millrace-dead-reason\\" = 'expired'"`)
    .option('--rate <n>', 'at most so many messages per second', parseRate)
    .option('--dry-run', 'say what would be moved, and move nothing')
}

export async function moveMessages(queue: string, flags: MoveFlags, command: Command): Promise<void> {
  const output = outputOf(command)
  const info = await withBroker(command, ({ admin }) =>
    admin.redrive(queue, {
      ...redriveOptions(flags),
      onProgress: ({ moved }) => output.note(`moved ${formatCount(moved)} so far`),
    }),
  )
  if (output.format === 'table') await output.rows(info.groups, groupColumns)
  else await output.object(info, [])
  if (info.state !== 'done')
    throw new CommandError(undefined, `Moving was ${info.state}: ${info.error ?? 'somebody asked for it'}.`)
  output.note(`${info.dryRun ? 'would move' : 'moved'} ${formatCount(info.moved)} of ${formatCount(info.scanned)} messages`)
  if (info.left > 0)
    output.note(`${formatCount(info.left)} stay: their origin is gone or a subscription. Say where to with --to.`)
}

function redriveOptions({ rate, ...flags }: MoveFlags): RedriveOptions {
  return { ...flags, ...(rate === undefined ? {} : { ratePerSecond: rate }) }
}
