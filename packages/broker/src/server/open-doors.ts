import { nativeDoor } from '../protocols/native/native-door.ts'
import type { Config } from './config/config.ts'
import { type DoorContext, type OpenDoor, type OpenListener, overTcp } from './door-context.ts'

/** By the names of config/doors.ts. What nobody listens on is not loaded. */
const doors: Readonly<Record<string, () => Promise<OpenDoor>>> = {
  native: () => Promise.resolve((context) => overTcp(nativeDoor, context)),
  http: async () => (await import('./open-http.ts')).openHttp,
  kafka: async () => (await import('./open-kafka.ts')).openKafka,
  amqp: async () => (await import('./open-amqp.ts')).openAmqp,
  management: async () => (await import('./management/open-management.ts')).openManagement,
}

/** Loads the code of the doors that are listened on. */
export async function loadDoors({ listen }: Config): Promise<ReadonlyMap<string, OpenDoor>> {
  const names = [...new Set(listen.map(({ door }) => door))]
  return new Map(await Promise.all(names.map(async (name) => [name, await doors[name]!()] as const)))
}

/** @param loaded by `loadDoors` @throws MillraceError `bad_config` */
export async function openDoors(
  loaded: ReadonlyMap<string, OpenDoor>,
  context: DoorContext,
): Promise<ReadonlyMap<string, OpenListener>> {
  const openers = new Map<string, OpenListener>()
  for (const [name, openDoor] of loaded) openers.set(name, await openDoor(context))
  return openers
}
