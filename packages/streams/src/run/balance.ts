import type { Application } from './application.ts'
import type { Lane } from './lane.ts'

/**
 * Shares lanes between instances, without their knowing each other: every instance is a consumer of every lane's queue, so that the number of
 * consumers is the number of instances. Whoever has more than its share, rounded up, gives one up at a time; those that have least come first
 * in line.
 */
export async function balance(application: Application, lanes: readonly Lane[]): Promise<void> {
  const { settings, topology } = application
  const here = lanes.filter(({ state }) => state === 'running' || state === 'restoring')
  const waiting = lanes.filter(({ state }) => state === 'waiting')
  // The priority with which a lane waits counts when its holder leaves.
  await Promise.all(waiting.map((lane) => lane.standAgain(-here.length)))
  if (here.length === 0) return
  const { consumers } = await settings.client.admin.queue(topology.laneQueue(here[0]!.number))
  if (here.length <= Math.ceil(lanes.length / Math.max(1, consumers))) return
  const last = here.at(-1)!
  last.priority = -here.length
  last.leave()
}
