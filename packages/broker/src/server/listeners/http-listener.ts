import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { getRequestListener } from '@hono/node-server'
import { AssertionError } from '../../base/assert.ts'
import { MillraceError } from '../../base/errors.ts'
import type { ListenEntry } from '../config/config.ts'
import type { HttpApp } from '../http/api.ts'
import { problemResponse } from '../http/problem.ts'
import type { Log } from '../log/log.ts'
import type { TlsFiles } from '../tls/tls-files.ts'
import { bind } from './bind.ts'
import type { Listener, ListenerLimits } from './listener.ts'
import type { WebSocketDoor } from './web-socket-door.ts'

const HEADERS_TIMEOUT_MS = 10_000
/** For a whole request with its body. Answers may take as long as they like. */
const REQUEST_TIMEOUT_MS = 120_000
/** Longer than that of common proxies, so that they are the ones who close idle connections. */
const KEEP_ALIVE_MS = 75_000
const HEADER_BYTES_MAX = 16 * 1024
const IDLE_CHECK_MS = 20

export interface HttpListenerOptions {
  readonly app: Pick<HttpApp, 'fetch'>
  readonly webSockets: WebSocketDoor
  /** Ends answers that would go on for ever: streams, long polls. */
  readonly endOpenAnswers: () => void
  readonly limits: ListenerLimits
  readonly log: Log
  readonly tls: TlsFiles | undefined
}

/** @returns undefined when a default port is taken @throws MillraceError `address_in_use`, `bad_config` */
export async function openHttpListener(entry: ListenEntry, options: HttpListenerOptions): Promise<Listener | undefined> {
  const { app, webSockets, limits, log } = options
  const handle = getRequestListener((request, bindings) => app.fetch(request, bindings), {
    errorHandler: (error) => unexpected(error, log),
  })
  const settings = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
    noDelay: true,
  }
  const server = serverOf(settings, (request, response) => void handle(request, response), options)
  server.maxConnections = limits.connectionsMax
  let connections = 0
  let accepted = 0
  server.on('connection', (socket) => {
    connections++
    accepted++
    socket.once('close', () => connections--)
  })
  server.on('drop', () =>
    log.warn(
      'connection.refused',
      `A connection to the listener ${entry.name} was refused: ${limits.connectionsMax} are open (limits.connectionsMax).`,
      { listener: entry.name },
    ),
  )
  server.on('upgrade', (request, socket, head) => webSockets.upgrade(request, socket, head))
  const address = await bind(server, entry, log)
  if (address === undefined) return undefined
  return {
    door: entry.door,
    name: entry.name,
    address,
    get connections() {
      return connections
    },
    get accepted() {
      return accepted
    },
    close: (timeoutMs) => drain(server, options, timeoutMs),
  }
}

function serverOf(settings: ServerOptions, onRequest: RequestListener, { tls, log }: HttpListenerOptions): Server {
  if (tls === undefined) return createServer(settings, onRequest)
  const server = createTlsServer({ ...settings, ...tls.serverOptions }, onRequest)
  server.on('tlsClientError', (error) => log.debug('connection.refused', `A TLS handshake failed: ${error.message}`))
  tls.keepUpToDate(server)
  return server
}

async function drain(server: Server, { webSockets, endOpenAnswers }: HttpListenerOptions, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  endOpenAnswers()
  // Connections become idle one by one, as their answers end.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
  const cut = setTimeout(() => server.closeAllConnections(), timeoutMs)
  await webSockets.drain(timeoutMs)
  await closed
  clearInterval(idle)
  clearTimeout(cut)
}

/** A broken invariant stops the process; any other surprise costs the request only, and a line in the log. */
function unexpected(error: unknown, log: Log): Response {
  if (error instanceof AssertionError) {
    process.nextTick(() => {
      throw error
    })
  }
  if (error instanceof Error && error.name === 'RequestError') {
    return problemResponse(new MillraceError('bad_request', `The request cannot be understood: ${error.message}`))
  }
  log.error('http.failed', 'A request met a failure in the broker.', { error })
  return problemResponse(
    new MillraceError('outcome_unknown', 'The broker failed while it handled this request; its log says how.'),
  )
}
