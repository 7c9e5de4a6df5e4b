import type { Broker } from '../core/broker.ts'

/** Whether whoever publishes should not be read from for now. What the disk has no room for is refused, which is for publishers to hear. */
export function holdsPublishers({ congested, shortages }: Broker): boolean {
  return congested || shortages.memory
}
