import type { Broker } from '../core/broker.ts'
import { type AmqpAdministration, openAdministration } from '../protocols/amqp/administration.ts'
import { amqpDoor } from '../protocols/amqp/amqp-door.ts'
import type { Security } from '../protocols/security.ts'
import type { Door } from '../protocols/session.ts'
import type { Config } from './config/config.ts'

export interface OpenAmqp {
  /** One for its connections over TCP and over WebSockets. */
  readonly door: Door
  readonly administration: AmqpAdministration
}

/** The AMQP door. Loaded only when it is listened on. */
export function openAmqp({ amqp }: Config, broker: Broker, security: Security): OpenAmqp {
  const administration = openAdministration(broker, security)
  const { heartbeatMs, ...settings } = amqp
  return { administration, door: amqpDoor(administration, { ...settings, heartbeatSeconds: Math.ceil(heartbeatMs / 1000) }) }
}

/** Where clients look for it. */
export const AMQP_WEB_SOCKET_PATHS: readonly string[] = ['/amqp', '/ws/amqp', '/ws']
