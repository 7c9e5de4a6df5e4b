import { setTimeout as sleep } from 'node:timers/promises'
import { connect, MESSAGE_ID_HEADER, type Millrace } from '@millrace/client'
import { expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { freePort } from '../../../bench/src/free-port.ts'
import { directoryPerTest } from './harness/directory-per-test.ts'
import { runSeed, SeededRandom } from './harness/seeded-random.ts'

const KILLS = 25
const PUBLISHERS = 8
const KEYS = 20
const DELAY_MS_MAX = 400
const MAX_ATTEMPTS = 3
const QUIET_MS = 2000

const inDirectory = directoryPerTest()

/**
 * Messages with ids, some of them delayed, go through a queue with dedup, order by key and retries. A transaction takes each and puts its
 * result into another queue; every tenth fails for good. Whatever is killed when, each message has its one effect in the end.
 */
test(
  `${KILLS} kills: through dedup, delay, retry and transactions each message has one effect`,
  { timeout: 180_000 },
  async () => {
    const random = new SeededRandom(runSeed('effects crash loop'))
    const options = { data: inDirectory('data'), ports: { native: await freePort(), http: await freePort() } }
    let broker = await BrokerProcess.start(options)
    const client = await connect(broker.url, { reconnectDelayMs: { min: 5, max: 50 } })
    await client.admin.createQueue({ name: 'dead' })
    await client.admin.createQueue({ name: 'done' })
    await client.admin.createQueue({
      name: 'work',
      dedup: { windowMs: 3_600_000 },
      delivery: {
        order: 'key',
        maxAttempts: MAX_ATTEMPTS,
        backoff: { kind: 'exponential', initialMs: 10, maxMs: 50 },
        deadLetter: 'queue:dead',
      },
    })
    const work = new Work(client, random)
    for (let kills = 0; kills < KILLS; kills++) {
      await sleep(random.between(50, 400))
      await broker.kill()
      broker = await BrokerProcess.start(options)
    }
    await work.stopPublishing()
    const done = await taken(client, 'done')
    const dead = await taken(client, 'dead')
    await work.stop()
    const left = await client.admin.queue('work')
    await client.close()
    expect(await broker.stop()).toMatchObject({ code: 0 })

    expect(left).toMatchObject({ ready: 0, inFlight: 0 })
    expect(work.confirmed.length).toBeGreaterThan(KILLS * 10)
    const failing = work.confirmed.filter(fails)
    // A handler that a crash cut off counts as an attempt, so others may die too, but never twice, and never beside being done.
    expect([...done, ...dead].toSorted((a, b) => a - b)).toEqual(work.confirmed.toSorted((a, b) => a - b))
    expect(new Set(dead)).toEqual(new Set([...failing, ...dead]))
    process.stderr.write(
      `effects crash loop: ${JSON.stringify({ done: done.length, dead: dead.length, failing: failing.length })}\n`,
    )
  },
)

function fails(number: number): boolean {
  return number % 10 === 9
}

class Work {
  readonly confirmed: number[] = []
  readonly #client: Millrace
  readonly #random: SeededRandom
  readonly #stop = new AbortController()
  readonly #publishers: Promise<void>[]
  readonly #consumption: ReturnType<ReturnType<Millrace['queue']>['consume']>
  #next = 0

  constructor(client: Millrace, random: SeededRandom) {
    this.#client = client
    this.#random = random
    this.#publishers = Array.from({ length: PUBLISHERS }, () => this.#publish())
    this.#consumption = client.queue('work').consume(
      (message, tx) => {
        const number = Number(message.text())
        if (fails(number)) throw new Error('it always fails')
        tx.publish('queue:done', message.text())
      },
      { transactional: true, concurrency: 8, prefetch: 64 },
    )
  }

  async stopPublishing(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#publishers)
  }

  async stop(): Promise<void> {
    await this.#consumption.stop()
  }

  async #publish(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const number = this.#next++
      const delayMs = this.#random.next() < 0.3 ? this.#random.between(1, DELAY_MS_MAX) : undefined
      // Sent again by the client until it is confirmed, with the same id.
      await this.#client.queue('work').publish(String(number), {
        key: `key-${number % KEYS}`,
        headers: { [MESSAGE_ID_HEADER]: `id-${number}` },
        ...(delayMs === undefined ? {} : { delayMs }),
      })
      this.confirmed.push(number)
    }
  }
}

/** All that comes until nothing has come for a while. */
async function taken(client: Millrace, queue: string): Promise<number[]> {
  const numbers: number[] = []
  for (;;) {
    const messages = await client.queue(queue).pull({ max: 1000, waitMs: QUIET_MS })
    if (messages.length === 0) return numbers
    for (const message of messages) numbers.push(Number(message.text()))
    await Promise.all(messages.map((message) => message.ack()))
  }
}
