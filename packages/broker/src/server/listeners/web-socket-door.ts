import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { STATUS_CODES } from 'node:http'
import type { WebSocket, WebSocketServer } from 'ws'
import type { Door, LoginRule, SessionContext } from '../../protocols/session.ts'
import { type BrowserRules, refuseForeignWebSocket } from '../http/browser-rules.ts'
import type { Log } from '../log/log.ts'
import type { ListenerLimits } from './listener.ts'
import { peerOf } from './peer.ts'
import { PipedConnection } from './piped-connection.ts'
import { SessionRegistry } from './session-registry.ts'
import { WebSocketPipe } from './web-socket-pipe.ts'

/** What a message may hold beyond the largest batch. */
const MESSAGE_OVERHEAD_BYTES = 2 * 1024 * 1024

/** Protocols in WebSocket messages, on the HTTP listener. */
export class WebSocketDoor {
  readonly #doors: ReadonlyMap<string, Door>
  readonly #context: SessionContext
  readonly #limits: ListenerLimits
  readonly #rules: BrowserRules
  readonly #login: LoginRule | undefined
  readonly #log: Log
  readonly #sessions: SessionRegistry
  #server: Promise<WebSocketServer> | undefined
  #draining = false

  /** @param doors by the path at which they are @param login of the listener that it is on */
  constructor(
    doors: ReadonlyMap<string, Door>,
    context: SessionContext,
    limits: ListenerLimits,
    rules: BrowserRules,
    log: Log,
    login?: LoginRule,
  ) {
    this.#doors = doors
    this.#context = context
    this.#limits = limits
    this.#rules = rules
    this.#login = login
    this.#log = log
    this.#sessions = new SessionRegistry('websocket', limits, log)
  }

  get connections(): number {
    return this.#sessions.size
  }

  /** Takes over a connection that asked to be upgraded. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refuse = (status: number, detail: string): void => {
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(detail)}\r\n\r\n${detail}`,
      )
    }
    socket.on('error', () => socket.destroy())
    const path = (request.url ?? '').split('?')[0]!
    const door = this.#doors.get(path)
    if (door === undefined) {
      return refuse(404, `There is no WebSocket at ${path}; there is one at ${[...this.#doors.keys()].join(', ')}.\n`)
    }
    if (this.#draining) return refuse(503, 'The broker is shutting down.\n')
    const foreign = refuseForeignWebSocket(request.headers.origin, request.headers.host ?? '', this.#rules)
    if (foreign !== undefined) return refuse(403, `Refused: ${foreign}.\n`)
    if (!this.#sessions.admits(request.socket.remoteAddress ?? '')) return refuse(503, 'A limit on connections is reached.\n')
    // The first one pays for loading the library; brokers that are not used from browsers never do.
    this.#server ??= this.#load()
    void this.#server.then((server) =>
      server.handleUpgrade(request, socket, head, (webSocket) => this.#accept(door, webSocket, request)),
    )
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true
    await this.#sessions.drain(timeoutMs)
  }

  async #load(): Promise<WebSocketServer> {
    const { WebSocketServer: Server } = await import('ws')
    return new Server({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: this.#context.broker.limits.batchBytesMax + MESSAGE_OVERHEAD_BYTES,
    })
  }

  #accept(door: Door, webSocket: WebSocket, request: IncomingMessage): void {
    const peer = peerOf(request.socket, 'websocket', this.#login)
    const { remoteAddress = 'unknown' } = request.socket
    const connection = new PipedConnection(new WebSocketPipe(webSocket), peer, this.#limits.outputBytesMax)
    const session = door.accept(connection, this.#context)
    connection.attach(session)
    const remove = this.#sessions.add(session, remoteAddress, () => connection.cut())
    const details = { listener: 'websocket', peer: peer.address }
    this.#log.debug('connection.open', `${peer.address} connected by WebSocket.`, details)
    webSocket.binaryType = 'nodebuffer'
    webSocket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) connection.received(data)
      else webSocket.close(1003, 'The protocol is binary.')
    })
    // Always followed by `close`.
    webSocket.on('error', (error) => this.#log.debug('connection.closed', `${peer.address} failed: ${error.message}`, details))
    webSocket.once('close', () => {
      connection.gone()
      remove()
      this.#log.debug('connection.closed', `${peer.address} left.`, details)
    })
  }
}
