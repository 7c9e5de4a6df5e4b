/** What operators change of a policy while the program runs, and what a crash left of that. */
import type { Broker } from '../../../src/core/broker.ts'
import { isSubscription, nameOf, policyOf, type Source } from './world.ts'

export function setPaused(broker: Broker, source: Source, isPaused: boolean): void {
  source.paused = isPaused
  update(broker, source)
  source.pausedIn = broker.ticket()
}

/** From now on one consumer gets all, or they share it. */
export function toggleSingle(broker: Broker, source: Source): void {
  source.single = !source.single
  update(broker, source)
  source.singleIn = broker.ticket()
}

/**
 * After a crash.
 * @throws Error when something is lost that was in a commit up to `committed`
 */
export function checkPolicy(broker: Broker, source: Source, committed: number): void {
  const { delivery } = isSubscription(source) ? broker.subscription('t', nameOf(source)) : broker.queue(nameOf(source))
  const paused = delivery.paused === true
  const single = delivery.consumers === 'single'
  if (paused !== source.paused && source.pausedIn <= committed) throw new Error(`paused: ${paused}`)
  if (single !== source.single && source.singleIn <= committed) throw new Error(`one consumer: ${single}`)
  source.paused = paused
  source.single = single
}

function update(broker: Broker, source: Source): void {
  const delivery = policyOf(source)
  if (isSubscription(source)) broker.updateSubscription('t', nameOf(source), { delivery })
  else broker.updateQueue(nameOf(source), { delivery })
}
