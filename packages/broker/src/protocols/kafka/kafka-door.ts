import type { Connection, Door, Session, SessionContext } from '../session.ts'
import { KafkaSession } from './kafka-session.ts'
import type { HostPort } from './served-api.ts'
import { servedApis } from './served-apis.ts'

export interface KafkaSettings {
  /** Where clients are told to connect to; without it, the address at which they reached this broker. */
  readonly advertised: HostPort | null
}

/** In a process of its own a connection has an address. */
const NOWHERE: HostPort = { host: 'localhost', port: 9092 }

export function kafkaDoor({ advertised }: KafkaSettings): Door {
  const apis = servedApis()
  return {
    name: 'kafka',
    accept: (connection: Connection, context: SessionContext): Session =>
      new KafkaSession(connection, context, apis, advertised ?? connection.peer.reached ?? NOWHERE),
  }
}
