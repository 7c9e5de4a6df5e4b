import type { Millrace } from '@millrace/client'
import type { Command } from 'commander'
import { CommandError, errorCodeOf, EXIT } from './failure.ts'
import { createOutput } from './output/output.ts'
import type { Output } from './output/output.ts'
import type { Format } from './output/format.ts'

const CONNECT_TIMEOUT_MS = 3_000
const unreachableCodes = new Set([
  'timeout',
  'closed',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ENOTFOUND',
])

interface GlobalOptions {
  readonly url: string
  readonly output: Format
  readonly quiet?: boolean
}

/** The options that every command has. */
export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals()
}

export function outputOf(command: Command): Output {
  const { output, quiet } = globalOptions(command)
  return createOutput(output, quiet === true)
}

/**
 * Runs `work` with a connected client, and disconnects when it is done.
 * The client library is loaded here, so that `--help` and usage errors do not pay for it.
 */
export async function withBroker<Result>(command: Command, work: (client: Millrace) => Promise<Result>): Promise<Result> {
  const { url } = globalOptions(command)
  const client = await connectTo(url)
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

/** @throws CommandError that names the address when no broker answers there */
export async function connectTo(url: string): Promise<Millrace> {
  const [{ connect }, { crc32c }] = await Promise.all([import('@millrace/client'), import('../server/native-checksum.ts')])
  try {
    return await connect(url, { clientId: `millrace-cli-${process.pid}`, connectTimeoutMs: CONNECT_TIMEOUT_MS, crc32c })
  } catch (error) {
    const code = errorCodeOf(error)
    if (code !== undefined && !unreachableCodes.has(code)) throw error
    throw new CommandError(
      EXIT.error,
      `No broker answers at ${url}. Start one with \`npm start\`, or name another with --url or MILLRACE_URL.`,
      { cause: error },
    )
  }
}
