import type { Message } from '@millrace/client'
import type { Command } from 'commander'
import { parsePublishTarget } from '../address.ts'
import { addHandlingOptions, handleMessages, type HandlingFlags, parseSource } from '../message-handling.ts'
import { collectHeader } from '../quantities.ts'
import { runForMessage } from '../shell-command.ts'

interface TransformFlags extends HandlingFlags {
  readonly exec: string
  readonly lines?: true
  readonly header?: Readonly<Record<string, string>>
}

export function addTransform(program: Command): void {
  addHandlingOptions(
    program
      .command('transform')
      .description('Consume messages, and publish what a command makes of each, with the ack in one transaction')
      .argument('<source>', 'queue:NAME or topic:NAME/SUBSCRIPTION')
      .argument('<destination...>', 'queue:NAME, topic:NAME or exchange:NAME[/KEY]; several get it all or none')
      .requiredOption('--exec <command>', 'a command of the shell, which has the body as its input and prints the new one')
      .option('--lines', 'each line that it prints is a message')
      .option('-H, --header <name=value>', 'add a header to those of the message; may be repeated', collectHeader),
  ).action(async (source: string, destinations: readonly string[], flags: TransformFlags, command: Command) => {
    parseSource(source)
    for (const destination of destinations) parsePublishTarget(destination)
    await handleMessages(command, source, flags, 'transformed', async (message) => {
      const bodies = bodiesOf(await runForMessage(flags.exec, message), flags.lines === true)
      const options = { headers: headersOf(message, flags), ...(message.key === null ? {} : { key: message.key }) }
      return (transaction) => {
        for (const body of bodies) transaction.multicast(destinations, body, options)
        transaction.ack(message)
      }
    })
  })
}

/** A command that prints nothing has nothing to say about the message: it is acked. */
function bodiesOf(printed: Buffer, lines: boolean): readonly (Buffer | string)[] {
  if (printed.length === 0) return []
  return lines ? printed.toString().split(/\r?\n/) : [printed]
}

function headersOf(message: Message, { header }: TransformFlags): Record<string, string | Uint8Array> {
  const headers: Record<string, string | Uint8Array> = {}
  for (const [name, value] of Object.entries(message.headers)) if (value !== null) headers[name] = value
  return { ...headers, ...header }
}
