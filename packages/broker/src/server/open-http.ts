import type { Door, SessionContext } from '../protocols/session.ts'
import { crc32c } from '../engines/disk/checksum.ts'
import type { Config, ListenEntry } from './config/config.ts'
import { createHttpApi } from './http/api.ts'
import { BodyReader } from './http/body.ts'
import type { BrowserRules } from './http/browser-rules.ts'
import { Leases } from './http/leases.ts'
import { HttpPublisher } from './http/publish.ts'
import { httpRoutes } from './http/routes/index.ts'
import type { HttpServices } from './http/services.ts'
import { openHttpListener } from './listeners/http-listener.ts'
import type { Listener } from './listeners/listener.ts'
import { isLoopback } from './listeners/loopback.ts'
import { WebSocketDoor } from './listeners/web-socket-door.ts'
import type { Log } from './log/log.ts'
import type { TlsFiles } from './tls/tls-files.ts'

export interface HttpDoorOptions extends Pick<HttpServices, 'health' | 'metrics'> {
  readonly config: Config
  readonly session: SessionContext
  /** What WebSockets speak, by path. */
  readonly webSockets: ReadonlyMap<string, Door>
  readonly log: Log
  readonly tls: TlsFiles | undefined
}

/**
 * The HTTP door with all that belongs to it. Loaded only when it is listened on.
 * @returns undefined when a default port is taken @throws MillraceError `address_in_use`, `bad_config`
 */
export async function openHttpDoor(entry: ListenEntry, options: HttpDoorOptions): Promise<Listener | undefined> {
  const { config, session, log } = options
  const leases = new Leases(session.broker, session.platform)
  const services: HttpServices = {
    session,
    bodies: new BodyReader(config.limits),
    leases,
    publisher: new HttpPublisher(session.broker, () => session.platform.clock.nowMs(), crc32c),
    tails: new Set(),
    health: options.health,
    metrics: options.metrics,
  }
  const rules: BrowserRules = { allowedOrigins: config.http.allowedOrigins, loopback: await isLoopback(entry.host) }
  return openHttpListener(entry, {
    app: createHttpApi(httpRoutes(services), rules, session.security, log),
    webSockets: new WebSocketDoor(options.webSockets, session, config.limits, rules, log),
    endOpenAnswers: () => {
      leases.close()
      for (const tail of services.tails) tail.close()
    },
    limits: config.limits,
    log,
    tls: options.tls,
  })
}
