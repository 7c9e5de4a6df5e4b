// hot path
import type { Delivery } from '../../../core/broker.ts'
import type { Timer } from '../../../ports/platform.ts'
import { limits } from '../limits.ts'
import type { Client, Wait } from '../served-api.ts'
import type { SharedTopic } from './shared-topic.ts'

/** What a share fetch is content with. */
export interface AcquisitionTerms {
  readonly recordsMax: number
  readonly bytesMin: number
  readonly bytesMax: number
  readonly waitMs: number
}

export interface Acquired {
  /** By topic and partition, in the order in which it came. */
  readonly topics: ReadonlyMap<SharedTopic, ReadonlyMap<number, readonly Delivery[]>>
  /** Of the batches, about. */
  readonly bytes: number
}

/**
 * Acquires records for one share fetch: the topics' consumers get credit, until there are enough records or bytes, or time is over. Nothing is
 * delivered to them outside of it.
 */
export class Acquisition implements Wait {
  readonly #client: Client
  readonly #topics: readonly SharedTopic[]
  readonly #terms: AcquisitionTerms
  readonly #done: (acquired: Acquired) => void
  readonly #acquired = new Map<SharedTopic, Map<number, Delivery[]>>()
  readonly #timer: Timer
  #records = 0
  #bytes = 0
  #isEnding = false
  #isOver = false

  constructor(client: Client, topics: readonly SharedTopic[], terms: AcquisitionTerms, done: (acquired: Acquired) => void) {
    this.#client = client
    this.#topics = topics
    this.#terms = terms
    this.#done = done
    const waitMs = Math.min(Math.max(terms.waitMs, limits.shareWaitMsMin), limits.fetchWaitMsMax)
    this.#timer = client.context.platform.scheduler.after(waitMs, () => this.end())
  }

  start(): void {
    this.#client.waits.add(this)
    for (const topic of this.#topics) topic.acquisition = this
    for (const topic of this.#topics) topic.allow(this.#left)
    if (this.#terms.bytesMin <= 0) this.#endSoon()
  }

  /** Called from within the broker. */
  take(topic: SharedTopic, delivery: Delivery): void {
    let partitions = this.#acquired.get(topic)
    if (partitions === undefined) this.#acquired.set(topic, (partitions = new Map()))
    const deliveries = partitions.get(delivery.partition)
    // Runs of one batch follow each other.
    const isSame = deliveries?.at(-1)?.baseOffset === delivery.baseOffset
    if (deliveries === undefined) partitions.set(delivery.partition, [delivery])
    else deliveries.push(delivery)
    if (!isSame) this.#bytes += delivery.batch.length
    this.#records += delivery.last - delivery.first + 1
    const left = this.#left
    // Its own credit is less by what it got.
    for (const each of this.#topics) if (left === 0 || each !== topic) each.allow(left)
    if (left === 0 || this.#bytes >= this.#terms.bytesMin) this.#endSoon()
  }

  /** A topic is gone, or its subscription: the next fetch tells. */
  lost(): void {
    this.#endSoon()
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timer.cancel()
    this.#client.waits.delete(this)
    for (const topic of this.#topics) {
      topic.allow(0)
      topic.acquisition = undefined
    }
    this.#done({ topics: this.#acquired, bytes: this.#bytes })
  }

  get #left(): number {
    if (this.#isOver || this.#bytes >= Math.min(this.#terms.bytesMax, limits.fetchBytesMax)) return 0
    return Math.max(0, Math.min(this.#terms.recordsMax, limits.acquiredRecordsMax) - this.#records)
  }

  /** What else comes in this turn goes along. */
  #endSoon(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#client.context.platform.scheduler.endOfTurn(() => this.end())
  }
}
