import type { Peer } from '../session.ts'
import type { Channels } from './channels.ts'
import type { AmqpChannel, AmqpConnection } from './directory.ts'
import { type ArgumentsJson, tableJson } from './definitions/arguments.ts'
import type { Opened } from './handshake.ts'

/** What only the session knows. */
export interface ShownConnection {
  readonly bytesIn: number
  readonly bytesOut: number
  readonly shownState: AmqpConnection['state']
  close(reason: string): void
}

/** A connection, for those who look at it. */
export class ConnectionView implements AmqpConnection {
  readonly name: string
  readonly peer: Peer
  readonly user: string
  readonly userName: string
  readonly vhost: string
  readonly mechanism: string
  readonly connectedAtMs: number
  readonly channelsMax: number
  readonly frameBytesMax: number
  readonly heartbeatSeconds: number
  readonly #opened: Opened
  readonly #channels: Channels
  readonly #session: ShownConnection

  constructor(opened: Opened, peer: Peer, connectedAtMs: number, channels: Channels, session: ShownConnection) {
    const { reached } = peer
    this.name = reached === undefined ? peer.address : `${peer.address} -> ${reached.host}:${reached.port}`
    this.peer = peer
    this.user = opened.principal.user
    this.userName = opened.userName
    this.vhost = opened.vhost
    this.mechanism = opened.mechanism
    this.connectedAtMs = connectedAtMs
    this.channelsMax = opened.channelsMax
    this.frameBytesMax = opened.frameBytesMax
    this.heartbeatSeconds = opened.heartbeatSeconds
    this.#opened = opened
    this.#channels = channels
    this.#session = session
  }

  get clientProperties(): ArgumentsJson {
    return tableJson(this.#opened.properties)
  }

  get state(): AmqpConnection['state'] {
    return this.#session.shownState
  }

  get bytesIn(): number {
    return this.#session.bytesIn
  }

  get bytesOut(): number {
    return this.#session.bytesOut
  }

  channels(): readonly AmqpChannel[] {
    return [...this.#channels.all()].map((channel) => channel.view())
  }

  close(reason: string): void {
    this.#session.close(reason)
  }
}
