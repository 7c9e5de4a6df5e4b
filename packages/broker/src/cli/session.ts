import { readFileSync } from 'node:fs'
import type { Millrace, SecurityOptions } from '@millrace/client'
import type { Command } from 'commander'
import { CommandError, errorCodeOf, usageError } from './failure.ts'
import { createOutput } from './output/output.ts'
import type { Output } from './output/output.ts'
import type { Format } from './output/format.ts'

const CONNECT_TIMEOUT_MS = 3_000
/** Only who accepted a connection can reset it; what does not understand a `hello` may well do so. */
const hangUpCodes = new Set(['ECONNRESET', 'EPIPE'])
const unreachableCodes = new Set([
  ...hangUpCodes,
  'timeout',
  'closed',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ENOTFOUND',
])

export interface Login {
  readonly user?: string | undefined
  readonly ca?: string | undefined
}

interface GlobalOptions {
  readonly url: string
  readonly output: Format
  readonly quiet?: boolean
  readonly user?: string
  readonly ca?: string
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
  const { url, user, ca } = globalOptions(command)
  const client = await connectTo(url, { user, ca })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

/** Notes when the broker is gone and when it is back. @returns what ends that */
export function noteConnection(client: Millrace, output: Output): () => void {
  return client.on('state', (state) => {
    if (state === 'connecting') output.note('the broker is gone; waiting for it to come back')
    if (state === 'connected') output.note('the broker is back')
  })
}

/** Secrets come from the environment: arguments are seen by everybody on the machine. @throws CommandError */
function securityOf({ user, ca }: Login): SecurityOptions {
  const { MILLRACE_PASSWORD: password, MILLRACE_TOKEN: token } = process.env
  if (user !== undefined && password === undefined)
    throw usageError(`The password of ${user} is missing: set MILLRACE_PASSWORD. Or set MILLRACE_TOKEN, without a user.`)
  return {
    ...(user === undefined ? {} : { user, password: password! }),
    ...(user === undefined && token !== undefined ? { token } : {}),
    ...(ca === undefined ? {} : { tls: { ca: readCa(ca) } }),
  }
}

function readCa(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw usageError(`The file ${path} cannot be read: ${(error as Error).message}`)
  }
}

/** @throws CommandError that names the address when no broker answers there */
export async function connectTo(url: string, login: Login): Promise<Millrace> {
  const [{ connect }, { crc32c }] = await Promise.all([import('@millrace/client'), import('../server/native-checksum.ts')])
  const security = securityOf(login)
  try {
    return await connect(url, {
      ...security,
      clientId: `millrace-cli-${process.pid}`,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      crc32c,
    })
  } catch (error) {
    const code = errorCodeOf(error)
    if (code !== undefined && !unreachableCodes.has(code)) throw error
    throw new CommandError('closed', whyNoBroker(error, withoutSecrets(url)), { cause: error })
  }
}

function whyNoBroker(error: unknown, url: string): string {
  let root = error
  while (root instanceof Error && root.cause !== undefined) root = root.cause
  const code = errorCodeOf(root)
  const isOther = root instanceof Error && (root.name === 'ProtocolError' || code === undefined || hangUpCodes.has(code))
  return isOther
    ? `What answers at ${url} does not speak the native protocol of Millrace. Is that the port of another door? Native is 6455 by default.`
    : `No broker answers at ${url}. Start one with \`npm start\`, or name another with --url or MILLRACE_URL.`
}

/** A URL as it may be shown. */
export function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//')
}
