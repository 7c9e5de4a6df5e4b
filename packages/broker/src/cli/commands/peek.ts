import type { PeekOptions, StartPosition } from '@millrace/client'
import type { Command } from 'commander'
import { parseDestination } from '../address.ts'
import { messageColumns, printedMessage } from '../output/message.ts'
import { parseCount, parseIndex, parseStartPosition } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'

interface Options {
  readonly max: number
  readonly from?: StartPosition
  readonly partition?: number
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
    .action(async (destination: string, options: Options, command: Command) => {
      const { kind, name } = parseDestination(destination)
      const where: PeekOptions = {
        max: options.max,
        ...(options.from === undefined ? {} : { from: options.from }),
        ...(options.partition === undefined ? {} : { partition: options.partition }),
      }
      const messages = await withBroker(command, (client) =>
        kind === 'queue' ? client.queue(name).peek(where) : client.topic(name).peek(where),
      )
      const output = outputOf(command)
      if (output.format === 'table') await output.rows(messages, messageColumns)
      else await output.rows(messages.map(printedMessage), [])
    })
}
