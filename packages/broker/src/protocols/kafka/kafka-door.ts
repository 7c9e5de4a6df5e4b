import type { Connection, Door, Session, SessionContext } from '../session.ts'
import { KafkaSession } from './kafka-session.ts'
import type { HostPort } from './served-api.ts'
import { servedApis } from './served-apis.ts'

export interface KafkaSettings {
  /** How long a login counts; 0, like the default: as long as the connection. */
  readonly sessionLifetimeMs?: number
}

/** In a process of its own a connection has an address. */
const NOWHERE: HostPort = { host: 'localhost', port: 9092 }

export function kafkaDoor({ sessionLifetimeMs = 0 }: KafkaSettings = {}): Door {
  const apis = servedApis()
  const lifetimeMs = sessionLifetimeMs === 0 ? Infinity : sessionLifetimeMs
  return {
    name: 'kafka',
    accept: (connection: Connection, context: SessionContext): Session =>
      new KafkaSession(connection, context, apis, connection.peer.reached ?? NOWHERE, lifetimeMs),
  }
}
