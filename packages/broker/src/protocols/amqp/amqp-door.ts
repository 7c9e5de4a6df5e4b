import type { Connection, Door, Session, SessionContext } from '../session.ts'
import type { AmqpAdministration } from './administration.ts'
import { AmqpSession } from './amqp-session.ts'
import { DoorState } from './door-state.ts'
import { type AmqpSettings, defaultSettings } from './settings.ts'

export type { AmqpSettings } from './settings.ts'

export function amqpDoor(administration: AmqpAdministration, settings: Partial<AmqpSettings> = {}): Door {
  const state = new DoorState({ ...defaultSettings, ...settings }, administration)
  return {
    name: 'amqp',
    accept: (connection: Connection, context: SessionContext): Session => new AmqpSession(connection, context, state),
  }
}
