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
}

/** The HTTP door with all that belongs to it, loaded only when it is listened on. Its listeners share leases and limits of memory. */
export class HttpDoor {
  readonly #options: HttpDoorOptions
  readonly #services: HttpServices
  readonly #leases: Leases

  constructor(options: HttpDoorOptions) {
    const { config, session } = options
    this.#options = options
    this.#leases = new Leases(session.broker, session.platform)
    this.#services = {
      session,
      bodies: new BodyReader(config.limits),
      leases: this.#leases,
      publisher: new HttpPublisher(session.broker, () => session.platform.clock.nowMs(), crc32c),
      tails: new Set(),
      health: options.health,
      metrics: options.metrics,
    }
  }

  /** @returns undefined when a default port is taken @throws MillraceError `address_in_use`, `bad_config` */
  async open(entry: ListenEntry, tls: TlsFiles | undefined): Promise<Listener | undefined> {
    const { config, session, webSockets, log } = this.#options
    const rules: BrowserRules = { allowedOrigins: config.http.allowedOrigins, loopback: await isLoopback(entry.host) }
    return openHttpListener(entry, {
      app: createHttpApi(httpRoutes(this.#services), rules, session.security, log, entry.login),
      webSockets: new WebSocketDoor(webSockets, session, config.limits, rules, log, entry.login),
      endOpenAnswers: () => this.#endOpenAnswers(),
      limits: config.limits,
      log,
      tls,
    })
  }

  /** Listeners are closed together. */
  #endOpenAnswers(): void {
    this.#leases.close()
    for (const tail of this.#services.tails) tail.close()
  }
}
