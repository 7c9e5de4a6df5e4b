import type { Command } from 'commander'
import type { MessageJson } from '../../protocols/api/message-json.ts'
import { parseDestination } from '../address.ts'
import { CommandError } from '../failure.ts'
import { formatTime } from '../output/figures.ts'
import { printedMessage } from '../output/message.ts'
import { parseIndex } from '../quantities.ts'
import { outputOf, withBroker } from '../session.ts'

export function addMsg(program: Command): void {
  const msg = program.command('msg').description('Look at single messages')

  msg
    .command('get')
    .description('Show one message, with everything that is known of it')
    .argument('<destination>', 'queue:NAME or topic:NAME')
    .argument('<offset>', 'its offset', parseIndex)
    .option('--partition <n>', 'partition of a topic, or level of a queue with priorities', parseIndex, 0)
    .action(async (destination: string, offset: number, { partition }: { readonly partition: number }, command: Command) => {
      const { kind, name } = parseDestination(destination)
      const where = { partition, from: { offset }, max: 1 }
      const [message] = await withBroker(command, (client) =>
        kind === 'queue' ? client.queue(name).peek(where) : client.topic(name).peek(where),
      )
      if (message?.offset !== offset)
        throw new CommandError(
          'offset_out_of_range',
          `${destination} has no message ${offset}: it was settled, removed, or never there.`,
        )
      const shown = printedMessage(message)
      await outputOf(command).object(shown, fields(shown))
    })
}

function fields(message: MessageJson): (readonly [string, string])[] {
  const { partition, offset, timestampMs, key, keyBase64, headers, body, bodyBase64, death } = message
  return [
    ['partition', String(partition)],
    ['offset', String(offset)],
    ['time', formatTime(timestampMs)],
    ['key', key ?? keyBase64 ?? ''],
    ...Object.entries(headers).map(([name, value]) => [`header ${name}`, textOf(value)] as const),
    ...(death === undefined
      ? []
      : [
          [
            'died',
            `${formatTime(death.timeMs)} in ${death.source} after ${death.attempts} attempts: ${death.error ?? death.reason}`,
          ] as const,
        ]),
    ['body', bodyBase64 ?? textOf(body)],
  ]
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}
