import type { Consumer } from '../../core/broker.ts'
import type { Peer } from '../session.ts'
import type { ArgumentsJson } from './definitions/arguments.ts'

/**
 * What is open in the door right now: for those who look at it, and for limits. Sessions register themselves; what they show is asked for when
 * somebody looks, and costs nothing otherwise.
 */
export class AmqpDirectory {
  readonly #connections = new Set<AmqpConnection>()

  /** Once it is open. @returns a function for its end */
  register(connection: AmqpConnection): () => void {
    this.#connections.add(connection)
    return () => void this.#connections.delete(connection)
  }

  connections(): readonly AmqpConnection[] {
    return [...this.#connections]
  }

  /** How many fulfil what is asked for. */
  count(where: (connection: AmqpConnection) => boolean): number {
    let count = 0
    for (const connection of this.#connections) if (where(connection)) count++
    return count
  }

  /** @param reason the client is told it with 320 CONNECTION_FORCED @returns how many were there */
  close(where: (connection: AmqpConnection) => boolean, reason: string): number {
    const meant = this.connections().filter(where)
    for (const connection of meant) connection.close(reason)
    return meant.length
  }
}

/** One connection. All of it is as of now. */
export interface AmqpConnection {
  /** As RabbitMQ names them: `127.0.0.1:5000 -> 127.0.0.1:5672`. */
  readonly name: string
  readonly peer: Peer
  /** Its user, by which limits count. */
  readonly user: string
  /** The name that it gave, also where nobody checks names. */
  readonly userName: string
  readonly vhost: string
  readonly mechanism: string
  readonly connectedAtMs: number
  readonly channelsMax: number
  readonly frameBytesMax: number
  readonly heartbeatSeconds: number
  /** As JSON: product, version, capabilities, connection_name and whatever else it said. */
  readonly clientProperties: ArgumentsJson
  /** `blocked`: it was told to stop publishing. */
  readonly state: 'running' | 'blocked' | 'closing'
  readonly bytesIn: number
  readonly bytesOut: number
  channels(): readonly AmqpChannel[]
  close(reason: string): void
}

export interface AmqpChannel {
  readonly number: number
  readonly isConfirming: boolean
  readonly isTransactional: boolean
  /** Of consumers that begin now; 0: no limit. */
  readonly prefetch: number
  /** Of all consumers together; 0: no limit. */
  readonly globalPrefetch: number
  /** Deliveries that are not settled. */
  readonly unacked: number
  /** Publishes that are not confirmed. */
  readonly unconfirmed: number
  readonly counters: AmqpChannelCounters
  consumers(): readonly AmqpConsumer[]
}

/** Messages since the channel was opened. */
export interface AmqpChannelCounters {
  readonly published: number
  readonly confirmed: number
  readonly returned: number
  readonly delivered: number
  readonly redelivered: number
  readonly got: number
  readonly acked: number
}

export interface AmqpConsumer {
  readonly tag: string
  /** As its clients call it. */
  readonly queue: string
  readonly needsAck: boolean
  readonly isExclusive: boolean
  readonly prefetch: number
  /** Whether it gets messages now; a second one of a queue with a single active consumer waits. */
  readonly turn: Consumer['turn']
  readonly arguments: ArgumentsJson
}
