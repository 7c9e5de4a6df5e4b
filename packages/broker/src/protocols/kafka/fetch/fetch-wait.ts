import { MillraceError } from '../../../base/errors.ts'
import type { Timer } from '../../../ports/platform.ts'
import { KafkaError } from '../errors.ts'
import { topicOf } from '../handlers/topic-lookup.ts'
import type { Client, Wait } from '../served-api.ts'
import { FetchRound } from './fetch-round.ts'
import type { WantedPartition } from './fetch-session.ts'
import type { FetchTerms } from './fetch-terms.ts'

/** @param done gets the last round: one that found enough, or the one when time was over */
export function waitForMore(
  client: Client,
  wanted: readonly WantedPartition[],
  terms: FetchTerms,
  done: (round: FetchRound) => void,
): void {
  new FetchWait(client, wanted, terms, done).start()
}

/** A fetch that found less than its minimum: reads again when something was committed, until its time is over. */
class FetchWait implements Wait {
  readonly #client: Client
  readonly #wanted: readonly WantedPartition[]
  readonly #terms: FetchTerms
  readonly #done: (round: FetchRound) => void
  readonly #stops: (() => void)[] = []
  readonly #timer: Timer
  #isOver = false
  #reading = false
  #news = false

  constructor(client: Client, wanted: readonly WantedPartition[], terms: FetchTerms, done: (round: FetchRound) => void) {
    this.#client = client
    this.#wanted = wanted
    this.#terms = terms
    this.#done = done
    this.#timer = client.context.platform.scheduler.after(terms.waitMs, () => this.end())
  }

  start(): void {
    this.#client.waits.add(this)
    for (const { topic, topicId, index } of this.#wanted) {
      try {
        const stop = topicOf(this.#client.broker, topic, topicId).partitions[index]?.watch(() => this.#told())
        if (stop !== undefined) this.#stops.push(stop)
      } catch (error) {
        // It was deleted just now: the next round tells.
        if (!(error instanceof MillraceError || error instanceof KafkaError)) throw error
        this.#told()
      }
    }
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timer.cancel()
    this.#client.waits.delete(this)
    for (const stop of this.#stops) stop()
    if (!this.#reading) void this.#read()
  }

  #told(): void {
    if (this.#news || this.#isOver) return
    this.#news = true
    // Once for all that one commit tells of.
    queueMicrotask(() => {
      this.#news = false
      if (!this.#isOver && !this.#reading) void this.#read()
    })
  }

  async #read(): Promise<void> {
    this.#reading = true
    const round = new FetchRound(this.#client, this.#wanted, this.#terms)
    const running = round.run()
    if (running !== undefined) await running
    this.#reading = false
    if (!this.#isOver && (round.failed || round.bytes >= this.#terms.bytesMin)) {
      this.#reading = true
      this.end()
    }
    if (this.#isOver) this.#done(round)
    else round.lease.release()
  }
}
