import type { Millrace, RequestOptions } from '@millrace/client'
import type { Command } from 'commander'
import { parsePublishTarget } from '../address.ts'
import { CommandError, usageError } from '../failure.ts'
import { untilInterrupted } from '../interruption.ts'
import { printMessage } from '../output/print-message.ts'
import type { Output } from '../output/output.ts'
import { collectHeader, parseCount, parseDurationMs, parsePriority } from '../quantities.ts'
import { readBody } from '../read-body.ts'
import { outputOf, withBroker } from '../session.ts'

const TIMEOUT_MS = 30_000

interface RequestFlags {
  readonly replies?: number
  readonly timeout?: number
  readonly file?: string
  readonly key?: string
  readonly header?: Readonly<Record<string, string>>
  readonly ttl?: number
  readonly priority?: number
  readonly raw?: true
}

export function addRequest(program: Command): void {
  program
    .command('request')
    .description('Publish a message, and print what is replied to it')
    .argument('<destination>', 'queue:NAME, topic:NAME or exchange:NAME[/KEY]')
    .argument('[body]', "the message's body; - reads it from standard input, and so does nothing at all when input is piped")
    .option('--replies <n>', 'print so many replies, or those that came in time (default: the first one)', parseCount)
    .option('--timeout <duration>', 'how long to wait for replies (default: 30s)', parseDurationMs)
    .option('--file <file>', 'read the body from a file')
    .option('--key <key>', 'key of the message: decides the partition of a topic, and where an exchange sends it')
    .option('-H, --header <name=value>', 'add a header; may be repeated', collectHeader)
    .option('--ttl <duration>', 'do not deliver it any more after so long: 90s, 10m, 2d', parseDurationMs)
    .option('--priority <n>', '0 to 255: queues with priorities deliver higher ones first', parsePriority)
    .option('--raw', "print the replies' bytes only, without line ends")
    .action(async (destination: string, body: string | undefined, flags: RequestFlags, command: Command) => {
      const address = requestAddress(destination, flags.key)
      if (flags.file !== undefined && body !== undefined) throw usageError('Give either a body or --file, not both.')
      const question = await readBody(body, flags.file)
      const output = outputOf(command)
      await withBroker(command, (client) => untilInterrupted((signal) => ask(client, address, question, flags, output, signal)))
    })
}

async function ask(
  client: Millrace,
  destination: string,
  body: string | Uint8Array,
  flags: RequestFlags,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { replies = 1, timeout: timeoutMs = TIMEOUT_MS } = flags
  const options = { ...requestOptions(flags), timeoutMs, signal }
  let came = 0
  try {
    for await (const reply of client.request(destination, body, { ...options, answers: 'until-timeout' })) {
      await printMessage(output, reply, flags.raw === true)
      if (++came === replies) break
    }
  } catch (error) {
    if (!signal.aborted) throw error
    if (came === 0) throw new CommandError(undefined, `Interrupted before a reply came from ${destination}.`)
  }
  if (came === 0) throw new CommandError('timeout', `Nobody answered from ${destination} within ${timeoutMs} ms.`)
}

/** An exchange sends it by the key of the address, or of the message. @throws CommandError */
function requestAddress(text: string, key: string | undefined): string {
  const target = parsePublishTarget(text)
  if (target.kind === 'exchange' && target.key !== undefined && key !== undefined)
    throw usageError(`'${text}' has a key already: leave --key out.`)
  return text
}

function requestOptions({ key, header, ttl, priority }: RequestFlags): RequestOptions {
  return {
    ...(key === undefined ? {} : { key }),
    ...(header === undefined ? {} : { headers: header }),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
    ...(priority === undefined ? {} : { priority }),
  }
}
