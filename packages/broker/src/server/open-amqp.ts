import type { Broker } from '../core/broker.ts'
import { amqpDoor } from '../protocols/amqp/amqp-door.ts'
import { makePrebuiltExchanges } from '../protocols/amqp/prebuilt-exchanges.ts'
import type { Door } from '../protocols/session.ts'
import { DEFAULT_VHOST } from '../base/scoped-names.ts'
import type { Config } from './config/config.ts'

/** The AMQP door: one for its connections over TCP and over WebSockets. Loaded only when it is listened on. */
export function openAmqpDoor({ amqp }: Config, broker: Broker): Door {
  makePrebuiltExchanges(broker, DEFAULT_VHOST)
  const { heartbeatMs, ...settings } = amqp
  return amqpDoor({ ...settings, heartbeatSeconds: Math.ceil(heartbeatMs / 1000) })
}

/** Where clients look for it. */
export const AMQP_WEB_SOCKET_PATHS: readonly string[] = ['/amqp', '/ws/amqp', '/ws']
