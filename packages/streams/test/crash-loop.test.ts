import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect, type Millrace, queue, topic } from '@millrace/client'
import { streams, type Streams } from '@millrace/streams'
import { expect, test } from 'vitest'
import { BrokerProcess, cleanEnvironment } from '../../../bench/src/broker-process.ts'
import { freePort } from '../../../bench/src/free-port.ts'
import { directoryPerTest } from '../../broker/test/harness/directory-per-test.ts'
import { runSeed, SeededRandom } from '../../broker/test/harness/seeded-random.ts'
import { anything } from './anything.ts'

const program = fileURLToPath(new URL('bank.mjs', import.meta.url))
const KILLS = 20
const ACCOUNTS = 12
const PARTITIONS = 3

interface Transfer {
  readonly number: number
  readonly from: string
  readonly to: string
  readonly amount: number
}

interface Booking {
  readonly account: string
  readonly amount: number
}

const transfers = topic('transfers', { schema: anything<Transfer>(), partitions: PARTITIONS, dedup: { windowMs: 3_600_000 } })
const balances = queue('balances', { schema: anything<{ account: string; bookings: number; balance: number }>() })

const inDirectory = directoryPerTest()

/**
 * Each transfer becomes two bookings, which meet at their accounts by way of a topic of the application. Whatever is killed when,
 * broker or instance, each booking counts once: the sums are those of the transfers, and every change of a balance is told once.
 */
test(`${KILLS} kills of the broker and of instances: every record has its effect once`, { timeout: 180_000 }, async () => {
  const random = new SeededRandom(runSeed('streams crash loop'))
  const options = { data: inDirectory('data'), ports: { native: await freePort(), http: await freePort() } }
  let broker = await BrokerProcess.start(options)
  const client = await connect(broker.url, { reconnectDelayMs: { min: 5, max: 50 } })
  await transfers.declare(client)
  const publishing = new Publishing(client, random)
  const instances = [await Instance.start(broker.url), await Instance.start(broker.url)]
  for (let kills = 0; kills < KILLS; kills++) {
    await sleep(random.between(50, 400))
    if (random.next() < 0.6) {
      await broker.kill()
      broker = await BrokerProcess.start(options)
    } else {
      const which = random.between(0, 1)
      await instances[which]!.kill()
      instances[which] = await Instance.start(broker.url)
    }
  }
  await publishing.stop()
  for (const instance of instances) await instance.kill()
  const app = streams(client, 'bank')
  const table = define(app)
  await app.start()
  while (app.info().lanes.some(({ state: its }) => its !== 'running')) await sleep(5)
  await app.caughtUp()
  const state = Object.fromEntries(table.entries())
  await app.stop()
  const told: { readonly account: string; readonly bookings: number }[] = []
  for await (const each of drained(client)) told.push(each)
  await client.close()
  expect(await broker.stop()).toMatchObject({ code: 0 })

  expect(publishing.sent.length).toBeGreaterThan(KILLS * 10)
  const expected: Record<string, { bookings: number; balance: number }> = {}
  for (const { from, to, amount } of publishing.sent) {
    for (const [account, change] of [
      [from, -amount],
      [to, amount],
    ] as const) {
      // prettier-ignore
      const before = expected[account] ?? { bookings: 0, balance: 0 }
      expected[account] = { bookings: before.bookings + 1, balance: before.balance + change }
    }
  }
  expect(state).toEqual(expected)
  expect(Object.values(state).reduce((sum, { balance }) => sum + balance, 0)).toBe(0)
  const bookings: Record<string, number> = {}
  for (const { account, bookings: number } of told) {
    expect(number).toBe((bookings[account] ?? 0) + 1)
    bookings[account] = number
  }
  expect(bookings).toEqual(Object.fromEntries(Object.entries(expected).map(([account, each]) => [account, each.bookings])))
  process.stderr.write(`streams crash loop: ${JSON.stringify({ transfers: publishing.sent.length, told: told.length })}\n`)
})

/** The application in a process of its own. */
class Instance {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  private constructor(url: string) {
    this.#child = spawn(process.execPath, [program, url], { stdio: ['ignore', 'pipe', 'inherit'], env: cleanEnvironment() })
    this.#exited = once(this.#child, 'exit')
  }

  static async start(url: string): Promise<Instance> {
    const instance = new Instance(url)
    await Promise.race([once(instance.#child.stdout!, 'data'), instance.#exited])
    return instance
  }

  /** In the middle of whatever it does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null) throw new Error(`the instance ended by itself, with ${this.#child.exitCode}`)
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}

function define(app: Streams) {
  const table = app
    .from(transfers)
    .flatMap(({ from, to, amount }): Booking[] => [
      { account: from, amount: -amount },
      { account: to, amount },
    ])
    .key('account', ({ account }) => account)
    .aggregate('balances', {
      initial: () => ({ bookings: 0, balance: 0 }),
      add: ({ bookings, balance }, { amount }) => ({ bookings: bookings + 1, balance: balance + amount }),
    })
  table
    .changes()
    .map(({ key, value }) => ({ account: key, ...value! }))
    .to(balances)
  return table
}

class Publishing {
  readonly sent: Transfer[] = []
  readonly #stop = new AbortController()
  readonly #done: Promise<unknown>

  constructor(client: Millrace, random: SeededRandom) {
    const account = (): string => `account-${random.between(0, ACCOUNTS - 1)}`
    let next = 0
    const publish = async (): Promise<void> => {
      while (!this.#stop.signal.aborted) {
        const transfer = { number: next++, from: account(), to: account(), amount: random.between(1, 100) }
        // Sent again by the client until it is confirmed; the id keeps it from being stored twice.
        const options = { key: transfer.from, headers: { 'message-id': `${transfer.number}` } }
        await client.use(transfers).publish(transfer, options)
        this.sent.push(transfer)
      }
    }
    this.#done = Promise.all([publish(), publish(), publish(), publish()])
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }
}

/** All that is in the queue, in order. */
async function* drained(client: Millrace): AsyncGenerator<{ account: string; bookings: number }> {
  for (;;) {
    const messages = await client.use(balances).pull({ max: 1000, waitMs: 500 })
    if (messages.length === 0) return
    for (const { body } of messages) yield body
    await Promise.all(messages.map((message) => message.ack()))
  }
}
