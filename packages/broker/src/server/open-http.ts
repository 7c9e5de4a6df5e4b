import { crc32c } from '../engines/disk/checksum.ts'
import type { ListenEntry } from './config/config.ts'
import type { DoorContext, OpenListener } from './door-context.ts'
import { createHttpApi } from './http/api.ts'
import { BodyReader } from './http/body.ts'
import type { BrowserRules } from './http/browser-rules.ts'
import { Leases } from './http/leases.ts'
import { HttpPublisher } from './http/publish.ts'
import { ReplyInbox } from './http/reply-inbox.ts'
import { httpRoutes } from './http/routes/index.ts'
import type { HttpServices } from './http/services.ts'
import { openHttpListener } from './listeners/http-listener.ts'
import type { Listener } from './listeners/listener.ts'
import { isLoopback } from './listeners/loopback.ts'
import { WebSocketDoor } from './listeners/web-socket-door.ts'
import type { TlsFiles } from './tls/tls-files.ts'

/** Loaded only when it is listened on. */
export function openHttp(context: DoorContext): OpenListener {
  const door = new HttpDoor(context)
  return (entry, tls) => door.open(entry, tls)
}

/** Its listeners share leases and limits of memory. */
class HttpDoor {
  readonly #context: DoorContext
  readonly #services: HttpServices
  readonly #leases: Leases

  constructor(context: DoorContext) {
    const { config, session, health, metrics } = context
    this.#context = context
    this.#leases = new Leases(session.broker, session.platform)
    this.#services = {
      session,
      bodies: new BodyReader(config.limits),
      leases: this.#leases,
      publisher: new HttpPublisher(session.broker, () => session.platform.clock.nowMs(), crc32c),
      inbox: new ReplyInbox(session.broker, session.platform),
      tails: new Set(),
      health,
      metrics,
    }
  }

  async open(entry: ListenEntry, tls: TlsFiles | undefined): Promise<Listener | undefined> {
    const { config, session, webSockets, log } = this.#context
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
    this.#services.inbox.close()
    for (const tail of this.#services.tails) tail.close()
  }
}
