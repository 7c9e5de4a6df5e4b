import type { ConnectOptions, Millrace } from './api.ts'
import { openMillrace } from './open-millrace.ts'
import { type ClientPlatform, systemPlatform } from './client-platform.ts'
import type { Dial, Transport, TransportEvents } from './transport.ts'

/** The broker's side of an in-process pair: what its session gets (`Connection` in protocols/session.ts). */
export interface InProcessConnection {
  readonly peer: { readonly address: string; readonly transport: 'in-process'; readonly secure: boolean }
  write(chunks: readonly Uint8Array[], done?: () => void): void
  close(): void
  pause(): void
  resume(): void
  readonly backlogBytes: number
  readonly backlogLowBytes: number
}

/** The broker's session (`Session` in protocols/session.ts). */
export interface InProcessSession {
  receive(bytes: Uint8Array): void
  tick(monotonicMs: number): void
  writable(): void
  connectionClosed(): void
}

export type InProcessAccept = (connection: InProcessConnection) => InProcessSession

const BACKLOG_LOW_BYTES = 262_144
const TICK_MS = 1000

/**
 * The same client without sockets: `accept` makes the broker's session for each connection, and bytes are handed over at the end
 * of the turn, without a copy. A paused broker side lets bytes wait, as a socket does.
 */
export function connectInProcess(
  accept: InProcessAccept,
  options: Omit<ConnectOptions, 'WebSocket'> = {},
  platform: ClientPlatform = systemPlatform,
): Promise<Millrace> {
  return openMillrace(inProcessDial(accept, platform), 'the embedded broker', options, platform)
}

export function inProcessDial(accept: InProcessAccept, platform: ClientPlatform = systemPlatform): Dial {
  return (events) => Promise.resolve(new Pair(accept, events, platform))
}

class Pair implements Transport {
  /** Bytes on their way to the client. */
  backlogBytes = 0
  readonly #session: InProcessSession
  readonly #client: TransportEvents
  /** Keeps the process running while the connection is open, as a socket does. */
  readonly #stopTicks: () => void
  readonly #platform: ClientPlatform
  #toBroker: Uint8Array[] = []
  #toClient: Uint8Array[] = []
  #paused = false
  #scheduled = false
  /** A side said its last; the pair ends once what was said before has arrived. */
  #closing = false
  #closed = false

  constructor(accept: InProcessAccept, client: TransportEvents, platform: ClientPlatform) {
    this.#platform = platform
    this.#client = client
    this.#session = accept(new BrokerEnd(this))
    this.#stopTicks = platform.keepAlive(TICK_MS, () => this.#session.tick(platform.monotonicMs()))
  }

  // ---- the client's end -----------------------------------------------------------------------------------------------

  write(chunks: readonly Uint8Array[]): void {
    if (this.#closing) return
    for (const chunk of chunks) this.#toBroker.push(chunk)
    this.#schedule()
  }

  close(): void {
    this.#closing = true
    this.#schedule()
  }

  destroy(): void {
    this.#toBroker = []
    this.#toClient = []
    this.close()
  }

  // ---- the broker's end -----------------------------------------------------------------------------------------------

  writeToClient(chunks: readonly Uint8Array[]): void {
    if (this.#closing) return
    for (const chunk of chunks) {
      this.#toClient.push(chunk)
      this.backlogBytes += chunk.length
    }
    this.#schedule()
  }

  setPaused(paused: boolean): void {
    this.#paused = paused
    if (!paused) this.#schedule()
  }

  // ---- hand-over ------------------------------------------------------------------------------------------------------

  #schedule(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    this.#platform.endOfTurn(this.#handOver)
  }

  readonly #handOver = (): void => {
    this.#scheduled = false
    this.#handToBroker()
    this.#handToClient()
    if (!this.#closing || this.#closed) return
    this.#closed = true
    this.#stopTicks()
    this.#session.connectionClosed()
    this.#client.closed()
  }

  #handToBroker(): void {
    if (this.#toBroker.length === 0 || (this.#paused && !this.#closing)) return
    const chunks = this.#toBroker
    this.#toBroker = []
    for (let n = 0; n < chunks.length; n++) {
      // As with a socket, what was not read yet waits.
      if (this.#paused && !this.#closing) {
        this.#toBroker = chunks.slice(n).concat(this.#toBroker)
        return
      }
      this.#session.receive(chunks[n]!)
    }
  }

  #handToClient(): void {
    if (this.#toClient.length === 0) return
    const chunks = this.#toClient
    const wasHigh = this.backlogBytes > BACKLOG_LOW_BYTES
    this.#toClient = []
    this.backlogBytes = 0
    for (const chunk of chunks) this.#client.data(chunk)
    if (wasHigh && !this.#closing) this.#session.writable()
  }
}

class BrokerEnd implements InProcessConnection {
  readonly peer = { address: 'in-process', transport: 'in-process', secure: true } as const
  readonly backlogLowBytes = BACKLOG_LOW_BYTES
  readonly #pair: Pair

  constructor(pair: Pair) {
    this.#pair = pair
  }

  get backlogBytes(): number {
    return this.#pair.backlogBytes
  }

  /** The client may keep what it gets: what is only lent is copied. */
  write(chunks: readonly Uint8Array[], done?: () => void): void {
    this.#pair.writeToClient(done === undefined ? chunks : chunks.map((chunk) => new Uint8Array(chunk)))
    done?.()
  }

  close(): void {
    this.#pair.close()
  }

  pause(): void {
    this.#pair.setPaused(true)
  }

  resume(): void {
    this.#pair.setPaused(false)
  }
}
