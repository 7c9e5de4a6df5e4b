import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@millrace/client'
import type { Millrace } from '@millrace/client'
import { expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { freePort } from '../../../bench/src/free-port.ts'
import { directoryPerTest } from './harness/directory-per-test.ts'
import { Ledger } from './harness/ledger.ts'
import { numberedBody } from './harness/numbered-body.ts'
import { runSeed, SeededRandom } from './harness/seeded-random.ts'

const KILLS = 60
const QUEUES = ['mail', 'orders']
const TOPIC = 'events'
const PARTITIONS = 3
const PUBLISHERS_PER_DESTINATION = 4
const IDLE_MS = 1_000

const inDirectory = directoryPerTest()

test(`${KILLS} kills under load: nothing confirmed is lost, nothing acked comes back`, { timeout: 240_000 }, async () => {
  const random = new SeededRandom(runSeed('crash loop'))
  const options = { data: inDirectory('data'), ports: { native: await freePort(), http: await freePort() } }
  let broker = await BrokerProcess.start(options)
  const client = await connect(broker.url, { reconnectDelayMs: { min: 5, max: 50 } })
  await client.admin.createTopic({ name: TOPIC, partitions: PARTITIONS })
  const run = new LoadedRun(client)
  run.start()

  for (let kills = 0; kills < KILLS; kills++) {
    await sleep(random.between(50, 500))
    await run.throughCrash(() => broker.kill())
    // A crash while it recovers from a crash.
    for (; random.next() < 0.3 && kills < KILLS - 1; kills++) {
      await run.throughCrash(() => BrokerProcess.startAndKill(options, random.between(20, 300)))
    }
    broker = await BrokerProcess.start(options)
  }
  await sleep(500)
  await run.stop()
  await run.drain()
  await client.close()
  expect(await broker.stop()).toMatchObject({ code: 0 })

  for (const [name, ledger] of [...run.queues, [TOPIC, run.topic] as const]) {
    const { confirmed, failedPublishes, duplicates, acked, deliveries, redeliveries } = ledger
    process.stderr.write(
      `crash loop, ${name}: ${JSON.stringify({ confirmed, failedPublishes, duplicates, acked, deliveries, redeliveries })}\n`,
    )
    expect(ledger.verdict()).toEqual([])
    // Otherwise the run proved nothing.
    expect(confirmed).toBeGreaterThan(KILLS)
  }
  for (const ledger of run.queues.values()) expect(ledger.acked).toBeGreaterThan(KILLS)
})

/** Publishers and consumers that live through all the crashes. */
class LoadedRun {
  readonly queues: ReadonlyMap<string, Ledger> = new Map(QUEUES.map((name) => [name, new Ledger()]))
  readonly topic: Ledger = new Ledger()
  readonly #client: Millrace
  readonly #stop = new AbortController()
  readonly #loops: Promise<void>[] = []
  #next = 0
  #crashes = 0

  constructor(client: Millrace) {
    this.#client = client
  }

  start(): void {
    for (const [name, ledger] of this.queues) {
      const queue = this.#client.queue(name)
      for (let n = 0; n < PUBLISHERS_PER_DESTINATION; n++) this.#loops.push(this.#publish(queue, ledger))
      this.#loops.push(this.#consume(name, ledger))
    }
    for (let n = 0; n < PUBLISHERS_PER_DESTINATION; n++) this.#loops.push(this.#publish(this.#client.topic(TOPIC), this.topic))
  }

  /** What is under way before or during a crash may meet its consequences. */
  async throughCrash(crash: () => Promise<unknown>): Promise<void> {
    this.#crashes++
    await crash()
    this.#crashes++
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
  }

  /** Takes everything that is left. */
  async drain(): Promise<void> {
    for (const [name, ledger] of this.queues) {
      const queue = this.#client.queue(name)
      for (;;) {
        const messages = await queue.pull({ max: 1000, waitMs: IDLE_MS })
        if (messages.length === 0) break
        for (const message of messages) ledger.delivered(message)
        await Promise.all(messages.map((message) => message.ack()))
        for (const message of messages) ledger.ackConfirmed(message)
      }
    }
    for await (const message of this.#client.topic(TOPIC).read({ from: 'earliest', untilEnd: true })) this.topic.read(message)
  }

  async #publish(destination: Pick<ReturnType<Millrace['topic']>, 'publish'>, ledger: Ledger): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const number = this.#next++
      const crashes = this.#crashes
      try {
        const receipt = await destination.publish(numberedBody(number), { key: String(number) })
        ledger.published(number, receipt, crashes !== this.#crashes)
      } catch {
        ledger.failedPublishes++
        await sleep(5)
      }
    }
  }

  async #consume(name: string, ledger: Ledger): Promise<void> {
    const acks = new Set<Promise<void>>()
    for await (const message of this.#client.queue(name).messages({ prefetch: 64, signal: this.#stop.signal })) {
      ledger.delivered(message)
      const ack: Promise<void> = message
        .ack()
        .then(
          () => ledger.ackConfirmed(message),
          () => undefined, // whether it arrived is unknown: the message may come again
        )
        .finally(() => acks.delete(ack))
      acks.add(ack)
    }
    await Promise.all(acks)
  }
}
