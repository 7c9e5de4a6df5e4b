import type { Broker } from '../core/broker.ts'
import { type AmqpAdministration, openAdministration } from '../protocols/amqp/administration.ts'
import { importDefinitions } from '../protocols/amqp/transfer/import-definitions.ts'
import { MillraceError } from '../base/errors.ts'
import { readFileSync } from 'node:fs'
import { amqpDoor } from '../protocols/amqp/amqp-door.ts'
import type { Security } from '../protocols/security.ts'
import type { Door } from '../protocols/session.ts'
import type { Config } from './config/config.ts'

export interface OpenAmqp {
  /** One for its connections over TCP and over WebSockets. */
  readonly door: Door
  readonly administration: AmqpAdministration
  /** Where clients look for it. */
  readonly webSocketPaths: readonly string[]
}

/** The AMQP door. Loaded only when it is listened on. @throws MillraceError `bad_config` for definitions that cannot be imported */
export async function openAmqp({ amqp }: Config, broker: Broker, security: Security): Promise<OpenAmqp> {
  const administration = openAdministration(broker, security)
  const { heartbeatMs, definitions, ...settings } = amqp
  if (definitions !== null) await importFile(administration, definitions)
  const webSocketPaths = ['/amqp', '/ws/amqp', '/ws']
  return {
    administration,
    webSocketPaths,
    door: amqpDoor(administration, { ...settings, heartbeatSeconds: Math.ceil(heartbeatMs / 1000) }),
  }
}

async function importFile(administration: AmqpAdministration, path: string): Promise<void> {
  try {
    const ticket = importDefinitions(administration, JSON.parse(readFileSync(path, 'utf8')))
    await administration.broker.whenCommitted(ticket)
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'outcome_unknown') throw error
    throw new MillraceError('bad_config', `The definitions in ${path} cannot be imported: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
