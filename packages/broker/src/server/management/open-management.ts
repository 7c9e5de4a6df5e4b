import type { AmqpAdministration } from '../../protocols/amqp/administration.ts'
import type { ListenEntry } from '../config/config.ts'
import type { DoorContext, OpenListener } from '../door-context.ts'
import type { HttpApp } from '../http/api.ts'
import type { BrowserRules } from '../http/browser-rules.ts'
import { openHttpListener } from '../listeners/http-listener.ts'
import type { Listener } from '../listeners/listener.ts'
import { isLoopback } from '../listeners/loopback.ts'
import { WebSocketDoor } from '../listeners/web-socket-door.ts'
import { amqpOf } from '../open-amqp.ts'
import type { TlsFiles } from '../tls/tls-files.ts'

export interface ManagementOptions extends DoorContext {
  readonly administration: AmqpAdministration
}

/** The HTTP API that tools for RabbitMQ use, on listeners of its own. */
export async function openManagement(context: DoorContext): Promise<OpenListener> {
  const { administration } = await amqpOf(context)
  return (entry, tls) => openListener(entry, tls, { ...context, administration })
}

/** Its routes are loaded with the first request. */
async function openListener(
  entry: ListenEntry,
  tls: TlsFiles | undefined,
  options: ManagementOptions,
): Promise<Listener | undefined> {
  const { config, session, log } = options
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
