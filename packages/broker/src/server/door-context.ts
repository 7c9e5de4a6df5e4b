import type { Door, SessionContext } from '../protocols/session.ts'
import type { Config, ListenEntry } from './config/config.ts'
import type { HttpServices } from './http/services.ts'
import type { Listener } from './listeners/listener.ts'
import { openTcpListener } from './listeners/tcp-listener.ts'
import type { Log } from './log/log.ts'
import type { TlsFiles } from './tls/tls-files.ts'

/** What the doors of one broker are opened with. */
export interface DoorContext extends Pick<HttpServices, 'health' | 'metrics'> {
  readonly config: Config
  readonly session: SessionContext
  /** What WebSockets speak, by path. Complete once all doors are open. */
  readonly webSockets: Map<string, Door>
  /** Those that are open. */
  readonly listeners: () => readonly Listener[]
  readonly log: Log
}

/** @returns undefined when a default port is taken @throws MillraceError `address_in_use`, `bad_config` */
export type OpenListener = (entry: ListenEntry, tls: TlsFiles | undefined) => Promise<Listener | undefined>

/** Opens a door, with all that its listeners share. All doors are open before the first listener is. */
export type OpenDoor = (context: DoorContext) => Promise<OpenListener> | OpenListener

export function overTcp(door: Door, { session, config, log }: DoorContext): OpenListener {
  return (entry, tls) => openTcpListener(door, entry, session, config.limits, log, tls)
}
