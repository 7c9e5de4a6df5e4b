import { type AmqpAdministration, openAdministration } from '../protocols/amqp/administration.ts'
import { importDefinitions } from '../protocols/amqp/transfer/import-definitions.ts'
import { MillraceError } from '../base/errors.ts'
import { readFileSync } from 'node:fs'
import { amqpDoor } from '../protocols/amqp/amqp-door.ts'
import type { Door } from '../protocols/session.ts'
import { type DoorContext, type OpenListener, overTcp } from './door-context.ts'

interface Amqp {
  /** One for its connections over TCP and over WebSockets. */
  readonly door: Door
  readonly administration: AmqpAdministration
}

/** Where clients look for it. */
const WEB_SOCKET_PATHS = ['/amqp', '/ws/amqp', '/ws']
const opened = new WeakMap<DoorContext, Promise<Amqp>>()

/** Loaded only when it, or its management, is listened on. @throws MillraceError `bad_config` for definitions that cannot be imported */
export async function openAmqp(context: DoorContext): Promise<OpenListener> {
  return overTcp((await amqpOf(context)).door, context)
}

/** One for AMQP and its management. @throws MillraceError `bad_config` for definitions that cannot be imported */
export function amqpOf(context: DoorContext): Promise<Amqp> {
  let amqp = opened.get(context)
  if (amqp === undefined) opened.set(context, (amqp = open(context)))
  return amqp
}

async function open({ config, session, webSockets }: DoorContext): Promise<Amqp> {
  const administration = openAdministration(session.broker, session.security)
  const { heartbeatMs, definitions, ...settings } = config.amqp
  if (definitions !== null) await importFile(administration, definitions)
  const door = amqpDoor(administration, { ...settings, heartbeatSeconds: Math.ceil(heartbeatMs / 1000) })
  for (const path of WEB_SOCKET_PATHS) webSockets.set(path, door)
  return { door, administration }
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
