import { topicAddress } from '@millrace/wire'
import type { QueueInfo, StartPosition } from '@millrace/client'
import type { Command } from 'commander'
import type { MessageJson } from '../../protocols/api/message-json.ts'
import { parseName } from '../address.ts'
import { formatTime } from '../output/figures.ts'
import { printedMessage } from '../output/message.ts'
import type { Column } from '../output/table.ts'
import { parseCount, parseStartPosition } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'
import { deliveryColumns } from './delivery-options.ts'
import { addMoveOptions, type MoveFlags, moveMessages } from './move.ts'

/** A queue that takes dead letters, and from where. */
interface DeadLetterQueue extends QueueInfo {
  readonly sources: readonly string[]
}

interface InspectOptions {
  readonly max: number
  readonly from?: StartPosition
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
  addMoveOptions(
    dlq
      .command('redrive')
      .description('Move messages back to the queues where they died, or elsewhere')
      .argument('<queue>')
      .option('--to <destination>', 'queue:NAME or topic:NAME; needed for what died in a subscription')
      .option('--keep-headers', 'keep the headers that tell of the death'),
  ).action((text: string, flags: MoveFlags, command: Command) => moveMessages(parseName('queue', text), flags, command))
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
