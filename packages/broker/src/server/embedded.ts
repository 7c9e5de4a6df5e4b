import { type ConnectOptions, connectInProcess, type Millrace } from '@millrace/client'
import { crc32c } from '../engines/disk/checksum.ts'
import { nativeDoor } from '../protocols/native/native-door.ts'
import { loadConfig } from './config/load.ts'
import type { Config } from './config/config.ts'
import { silentLog } from './log/log.ts'
import { nodePlatform } from './node-platform.ts'
import { openCore } from './open-core.ts'
import { sessionContext } from './session-context.ts'

export interface EmbeddedOptions {
  /** Directory that holds the messages; without it they are kept in memory and are gone at the end. */
  readonly data?: string
  /** Default `fsync`. */
  readonly durability?: Config['durability']
  /** Whether publishing to a queue or topic that does not exist creates it. Default true. */
  readonly autoCreate?: boolean
  /** As in the configuration file: numbers, or sizes such as '64MiB'. */
  readonly limits?: { readonly [K in keyof Config['limits']]?: number | string }
  readonly client?: Omit<ConnectOptions, 'WebSocket' | 'user' | 'password'>
  /** What an operator should look at. */
  readonly onWarning?: (message: string) => void
}

export interface EmbeddedBroker extends AsyncDisposable {
  readonly client: Millrace
  /** Another client of the same broker. */
  connect(options?: EmbeddedOptions['client']): Promise<Millrace>
  /** Resolves, with the cause, when the journal failed: nothing is confirmed any more. Open the broker again to recover. */
  readonly failed: Promise<Error>
  /** Closes the clients that it made, commits, and releases the data directory. Idempotent. */
  close(): Promise<void>
}

/**
 * A broker inside this process, with the client's API and no sockets.
 * @throws MillraceError `bad_config`, `data_in_use`, `data_unusable`, `data_corrupt`
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedBroker> {
  const startedMs = performance.now()
  const config = await loadConfig({ flags: settingsOf(options) })
  const platform = nodePlatform()
  const warn = options.onWarning
  const log = warn === undefined ? silentLog : { ...silentLog, warn: (_event: string, message: string) => warn(message) }
  const core = await openCore(config, platform, log)
  const context = sessionContext(core, platform, config, startedMs, () => ({}))
  const clients = new Set<Millrace>()
  const connect = async (clientOptions: EmbeddedOptions['client'] = {}): Promise<Millrace> => {
    const client = await connectInProcess((connection) => nativeDoor.accept(connection, context), { crc32c, ...clientOptions })
    clients.add(client)
    return client
  }
  const stop = async (): Promise<void> => {
    await Promise.all([...clients].map((client) => client.close()))
    await core.close()
  }
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= stop())
  try {
    const client = await connect(options.client)
    return { client, connect, failed: core.failed, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

function settingsOf({ data, durability, autoCreate, limits = {} }: EmbeddedOptions): Record<string, unknown> {
  const settings: Record<string, unknown> = {
    engine: data === undefined ? 'memory' : 'disk',
    data,
    durability,
    autoCreate,
    listen: 'none',
  }
  for (const [name, value] of Object.entries(limits)) settings[`limits.${name}`] = value
  return settings
}
