/** Looks at all that can be seen of a broker at rest. */
import type { Message, TestBroker } from '../harness.ts'
import { must } from '../must.ts'
import type { Found, Oracle } from './oracle.ts'
import { deathIn } from './record-headers.ts'
import { type Source, TOPIC, type World } from './world.ts'

export interface Sight {
  /** Value to the places where it is, each as often as it is there. */
  readonly seen: Map<string, Found[]>
  /** What lies where something is consumed, partition by partition; of subscriptions what their topic has. */
  readonly lying: { readonly source: Source; readonly messages: readonly Message[] }[]
}

/**
 * @param redriven queues that redrives took something out of
 * @throws Error when figures do not add up, or something that is due is still scheduled
 */
export async function lookAround(test: TestBroker, world: World, oracle: Oracle, redriven: ReadonlySet<string>): Promise<Sight> {
  const seen: Sight['seen'] = new Map()
  const lying: Sight['lying'] = []
  const found = (value: string, place: string, source?: string): void =>
    void seen.set(value, [...(seen.get(value) ?? []), { place, source }])
  for (const source of world.queues) {
    const { address } = source
    const messages = await browse(test, address, 0)
    lying.push({ source, messages })
    for (const { value, record } of messages) found(value!, address, deathIn(record))
    checkFigures(test, address, messages.length, redriven.has(address))
  }
  for (let partition = 0; partition < world.partitions; partition++) {
    const messages = await browse(test, TOPIC, partition)
    for (const source of world.subscriptions) lying.push({ source, messages })
    for (const { value, record } of messages) found(value!, TOPIC, deathIn(record))
  }
  for (const { value, changes } of oracle.copies) {
    for (const { place } of changes) {
      if (!place.startsWith('later:') || test.broker.scheduled(Number(place.slice('later:'.length))) === undefined) continue
      found(value, place)
      must(oracle.later.get(place)!.dueMs > test.platform.clock.nowMs(), `${place} is published in time`)
    }
  }
  return { seen, lying }
}

async function browse(test: TestBroker, address: string, partition: number): Promise<readonly Message[]> {
  const reader = test.read(address, 'earliest', partition)
  await test.settle()
  must(reader.reader.atEnd, `all of ${address} can be read: ${reader.reason?.message}`)
  reader.reader.close()
  return reader.messages
}

function checkFigures({ broker }: TestBroker, address: string, shown: number, isRedriven: boolean): void {
  const { ready, inFlight, counters } = broker.queue(address.slice('queue:'.length))
  must(ready + inFlight === shown, `${address}: ${ready} and ${inFlight} wait, ${shown} are shown`)
  const out = counters.acked + counters.deadLettered + counters.dropped + shown
  const adds = isRedriven ? out <= counters.published : out === counters.published
  must(adds, `${address}: ${JSON.stringify(counters)} and ${shown} that wait`)
}
