import type { AmqpAdministration } from '../../protocols/amqp/administration.ts'
import type { SessionContext } from '../../protocols/session.ts'
import type { Config, ListenEntry } from '../config/config.ts'
import type { HttpApp } from '../http/api.ts'
import type { BrowserRules } from '../http/browser-rules.ts'
import type { HttpServices } from '../http/services.ts'
import { openHttpListener } from '../listeners/http-listener.ts'
import type { Listener } from '../listeners/listener.ts'
import { isLoopback } from '../listeners/loopback.ts'
import { WebSocketDoor } from '../listeners/web-socket-door.ts'
import type { Log } from '../log/log.ts'
import type { TlsFiles } from '../tls/tls-files.ts'

export interface ManagementOptions extends Pick<HttpServices, 'health'> {
  readonly config: Config
  readonly session: SessionContext
  readonly administration: AmqpAdministration
  /** Those that are open. */
  readonly listeners: () => readonly Listener[]
  readonly log: Log
  readonly tls: TlsFiles | undefined
}

/**
 * The HTTP API that tools for RabbitMQ use, on a listener of its own. Its routes are loaded with the first request.
 * @returns undefined when the default port is taken @throws MillraceError `address_in_use`, `bad_config`
 */
export async function openManagementDoor(entry: ListenEntry, options: ManagementOptions): Promise<Listener | undefined> {
  const { config, session, log, tls } = options
  const rules: BrowserRules = { allowedOrigins: config.http.allowedOrigins, loopback: await isLoopback(entry.host) }
  let app: Promise<HttpApp> | undefined
  const load = async (): Promise<HttpApp> => {
    const { managementApi } = await import('./management-api.ts')
    return managementApi(options, rules, entry.login)
  }
  return openHttpListener(entry, {
    app: {
      fetch: async (request, bindings, execution) => {
        app ??= load()
        return (await app).fetch(request, bindings, execution)
      },
    },
    webSockets: new WebSocketDoor(new Map(), session, config.limits, rules, log, entry.login),
    endOpenAnswers: () => {},
    limits: config.limits,
    log,
    tls,
  })
}
