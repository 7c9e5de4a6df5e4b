import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { freePort } from '../../../bench/src/free-port.ts'
import { AmqpLedger } from './amqp/amqp-ledger.ts'
import { AmqpSocket } from './amqp/amqp-socket.ts'
import {
  acknowledgeNumbers,
  Confirmed,
  Connections,
  consumption,
  declaration,
  type Life,
  publishNumbers,
} from './amqp/crash-load.ts'
import { directoryPerTest } from './harness/directory-per-test.ts'
import { numberedBody } from './harness/numbered-body.ts'
import { runSeed, SeededRandom } from './harness/seeded-random.ts'

const KILLS = 25
const PUBLISHERS_PER_QUEUE = 2
const UNCONFIRMED_MAX = 200
const PREFETCH = 64
const IDLE_MS = 500
/** Where a consumer publishes so that a confirm tells it that its acknowledgements are durable. */
const MARKS = 'marks'

/** How a consumer learns that its acknowledgements are durable: AMQP confirms none. */
type Proof = 'tx.commit-ok' | 'confirm'

const QUEUES: readonly { readonly name: string; readonly proof: Proof }[] = [
  { name: 'mail', proof: 'tx.commit-ok' },
  { name: 'orders', proof: 'confirm' },
]

const inDirectory = directoryPerTest()

test(
  `${KILLS} kills under load over AMQP: nothing confirmed is lost, nothing durably acked comes back`,
  { timeout: 240_000 },
  async () => {
    const random = new SeededRandom(runSeed('AMQP crash loop'))
    const address = `127.0.0.1:${await freePort()}`
    const options = { data: inDirectory('data'), arguments: [`--listen=amqp=${address}`] }
    let broker = await BrokerProcess.start(options)
    const run = new LoadedRun(address)
    await run.start()

    for (let kills = 0; kills < KILLS; kills++) {
      await sleep(random.between(100, 500))
      await broker.kill()
      // A crash while it recovers from a crash.
      for (; random.next() < 0.3 && kills < KILLS - 1; kills++) await BrokerProcess.startAndKill(options, random.between(20, 300))
      broker = await BrokerProcess.start(options)
    }
    await sleep(500)
    await run.stop()
    await run.drain()
    expect(await broker.stop()).toMatchObject({ code: 0 })

    for (const [name, ledger] of run.ledgers) {
      const { confirmed, acked, deliveries, redeliveries } = ledger
      const figures = { confirmed: confirmed.size, acked: acked.size, deliveries, redeliveries }
      process.stderr.write(`AMQP crash loop, ${name}: ${JSON.stringify(figures)}\n`)
      expect(ledger.verdict()).toEqual([])
      // Otherwise the run proved nothing.
      expect(confirmed.size).toBeGreaterThan(KILLS)
      expect(acked.size).toBeGreaterThan(KILLS)
      expect(redeliveries).toBeGreaterThan(0)
    }
  },
)

/** Publishers and consumers that live through all the crashes. */
class LoadedRun {
  readonly ledgers: ReadonlyMap<string, AmqpLedger> = new Map(QUEUES.map(({ name }) => [name, new AmqpLedger()]))
  readonly #address: string
  readonly #loops: Promise<void>[] = []
  readonly #connections: Connections
  #next = 0

  constructor(address: string) {
    this.#address = address
    this.#connections = new Connections(address)
  }

  async start(): Promise<void> {
    const declaring = await AmqpSocket.connect(this.#address)
    for (const queue of [...this.ledgers.keys(), MARKS]) await declaring.call(1, 'queue.declare', declaration(queue))
    declaring.destroy()
    for (const { name, proof } of QUEUES) {
      const ledger = this.ledgers.get(name)!
      const connections = this.#connections
      for (let n = 0; n < PUBLISHERS_PER_QUEUE; n++)
        this.#loops.push(connections.each((client) => this.#publish({ client, connections, ledger }, name)))
      this.#loops.push(connections.each((client) => this.#consume({ client, connections, ledger }, name, proof)))
    }
  }

  async stop(): Promise<void> {
    this.#connections.isOver = true
    await Promise.all(this.#loops)
  }

  /** Takes everything that is left. */
  async drain(): Promise<void> {
    for (const [queue, ledger] of this.ledgers) {
      const client = await AmqpSocket.connect(this.#address)
      let last = performance.now()
      client.onDelivery = ({ body, redelivered }) => {
        ledger.delivered(body, redelivered)
        last = performance.now()
      }
      await client.call(1, 'basic.consume', consumption(queue, true))
      while (performance.now() - last < IDLE_MS) await sleep(20)
      const left = await client.call(1, 'queue.declare', { ...declaration(queue), passive: true })
      if ('messageCount' in left && left.messageCount > 0) ledger.violations.push(`${left.messageCount} messages do not come`)
      client.destroy()
    }
  }

  #publish(life: Life, queue: string): Promise<void> {
    return publishNumbers(life, UNCONFIRMED_MAX, () => {
      const number = this.#next++
      return { number, bytes: life.client.messageBytes(queue, numberedBody(number)) }
    })
  }

  async #consume(life: Life, queue: string, proof: Proof): Promise<void> {
    const { client } = life
    const confirms = proof === 'confirm' ? await Confirmed.of(client) : undefined
    if (confirms === undefined) await client.call(1, 'tx.select', {})
    const settled = (): Promise<unknown> => (confirms === undefined ? client.call(1, 'tx.commit', {}) : mark(client, confirms))
    await acknowledgeNumbers(life, queue, PREFETCH, settled)
  }
}

/** An answer tells that the acknowledgements before it took effect; what is published after that is durable no sooner than they are. */
async function mark(client: AmqpSocket, confirms: Confirmed): Promise<void> {
  await client.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: PREFETCH, global: false })
  confirms.sent(() => {})
  await client.write(client.messageBytes(MARKS, ''))
  await confirms.all()
}
