import type { PeekOptions, StartPosition } from '@millrace/client'
import type { Command } from 'commander'
import { parseDestination } from '../address.ts'
import { untilInterrupted } from '../interruption.ts'
import { messageColumns, printedMessage } from '../output/message.ts'
import { parseCount, parseDurationMs, parseIndex, parseStartPosition } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'

interface Options {
  readonly max: number
  readonly from?: StartPosition
  readonly partition?: number
  readonly filter?: string
  readonly timeout?: number
}

export function addPeek(program: Command): void {
  program
    .command('peek')
    .description('Look at messages without consuming them')
    .argument('<destination>', 'queue:NAME or topic:NAME')
    .option('--max <n>', 'show at most so many messages', parseCount, 10)
    .option('--from <position>', 'earliest, latest, offset:N or time:ISO (default: earliest)', parseStartPosition)
    .option(
      '--partition <n>',
      'partition of a topic (default: 0), or level of a queue with priorities (default: all)',
      parseIndex,
    )
    .option('--filter <selector>', 'only messages that match, like "region = \'de\'"')
    .option('--timeout <duration>', 'look for so long at most (default: until --max are found, or the end)', parseDurationMs)
    .action(async (destination: string, options: Options, command: Command) => {
      const { kind, name } = parseDestination(destination)
      const { max, filter, timeout } = options
      const where: PeekOptions = {
        max,
        ...(filter === undefined ? {} : { filter }),
        ...(timeout === undefined ? {} : { waitMs: timeout }),
        ...(options.from === undefined ? {} : { from: options.from }),
        ...(options.partition === undefined ? {} : { partition: options.partition }),
      }
      const messages = await withBroker(command, (client) =>
        untilInterrupted((signal) => (kind === 'queue' ? client.queue(name) : client.topic(name)).peek({ ...where, signal })),
      )
      const output = outputOf(command)
      if (output.format === 'table') await output.rows(messages, messageColumns)
      else await output.rows(messages.map(printedMessage), [])
      const { next } = messages
      if (typeof next === 'object' && 'offset' in next) output.note(`there may be more: --from offset:${next.offset}`)
    })
}
