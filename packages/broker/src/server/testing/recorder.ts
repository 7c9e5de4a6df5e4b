import { RecordedMessages } from './message-log.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What can happen to a message, as far as a test can watch it. */
export type SpiedEvent = 'published' | 'consumed' | 'acked' | 'nacked' | 'rejected' | 'deadLettered'

const TITLES: Readonly<Record<SpiedEvent, string>> = {
  published: 'published to',
  consumed: 'delivered to consumers of',
  acked: 'acked by consumers of',
  nacked: 'nacked by consumers of',
  rejected: 'rejected by consumers of',
  deadLettered: 'dead-lettered from',
}

/** All logs of a test broker: one per event and place. */
export class Recorder {
  readonly #time: VirtualTime
  readonly #logs = new Map<string, RecordedMessages>()

  constructor(time: VirtualTime) {
    this.#time = time
  }

  get nowMs(): number {
    return this.#time.nowMs
  }

  /** @param place a destination, or for what consumers do a source: `topic:NAME/SUBSCRIPTION` */
  log(event: SpiedEvent, place: string): RecordedMessages {
    const name = `${event} ${place}`
    let log = this.#logs.get(name)
    if (log === undefined) this.#logs.set(name, (log = new RecordedMessages(`${TITLES[event]} ${place}`, this.#time)))
    return log
  }

  end(): void {
    for (const log of this.#logs.values()) log.end()
  }
}
