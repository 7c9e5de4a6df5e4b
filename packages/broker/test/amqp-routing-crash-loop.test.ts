import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { freePort } from '../../../bench/src/free-port.ts'
import { AmqpLedger } from './amqp/amqp-ledger.ts'
import { AmqpSocket } from './amqp/amqp-socket.ts'
import { acknowledgeNumbers, Connections, consumption, declaration, type Life, publishNumbers } from './amqp/crash-load.ts'
import { directoryPerTest } from './harness/directory-per-test.ts'
import { numberedBody, numberOf } from './harness/numbered-body.ts'
import { runSeed, SeededRandom } from './harness/seeded-random.ts'

/**
 *     in (fanout) -> kept, acked, work
 *                 -> sub (topic) -> sorted
 *     work: every message is rejected -> dead (fanout) -> letters, morgue
 */
const KILLS = 12
const UNCONFIRMED_MAX = 100
const PREFETCH = 50
const IDLE_MS = 500
/** Nobody reads them before the end, so each message is in them once. */
const READ_AT_THE_END = ['kept', 'sorted', 'letters', 'morgue'] as const

const inDirectory = directoryPerTest()

test(
  `${KILLS} kills while exchanges give each message to several queues, and to dead letters after that`,
  { timeout: 240_000 },
  async () => {
    const random = new SeededRandom(runSeed('AMQP routing crash loop'))
    const address = `127.0.0.1:${await freePort()}`
    const options = { data: inDirectory('data'), arguments: [`--listen=amqp=${address}`] }
    let broker = await BrokerProcess.start(options)
    await declareAll(address)
    const connections = new Connections(address)
    const ledger = new AmqpLedger()
    const rejected = { count: 0 }
    const loops = [
      connections.each((client) => publish({ client, connections, ledger })),
      connections.each((client) => publish({ client, connections, ledger })),
      connections.each((client) => acknowledge({ client, connections, ledger })),
      connections.each((client) => reject(client, connections, rejected)),
    ]
    for (let kills = 0; kills < KILLS; kills++) {
      await sleep(random.between(150, 500))
      await broker.kill()
      broker = await BrokerProcess.start(options)
    }
    await sleep(500)
    connections.isOver = true
    await Promise.all(loops)

    await drain(address, 'work', (client, tag) => client.send(1, 'basic.reject', { deliveryTag: tag, requeue: false }))
    for (const { body, redelivered } of await drain(address, 'acked')) ledger.delivered(body, redelivered)
    expect(ledger.verdict()).toEqual([])
    for (const queue of READ_AT_THE_END) {
      const numbers = (await drain(address, queue)).map(({ body }) => numberOf(body))
      const found = new Set(numbers)
      expect([queue, found.has(undefined), numbers.length - found.size]).toEqual([queue, false, 0])
      expect([queue, [...ledger.confirmed].filter((number) => !found.has(number))]).toEqual([queue, []])
    }
    // Otherwise the run proved nothing.
    const { confirmed, acked, redeliveries } = ledger
    const figures = { confirmed: confirmed.size, acked: acked.size, rejected: rejected.count, redeliveries }
    process.stderr.write(`AMQP routing crash loop: ${JSON.stringify(figures)}\n`)
    for (const figure of [confirmed.size, acked.size, rejected.count]) expect(figure).toBeGreaterThan(10 * KILLS)
    expect(await broker.stop()).toMatchObject({ code: 0 })
  },
)

async function declareAll(address: string): Promise<void> {
  const client = await AmqpSocket.connect(address)
  for (const [exchange, type] of [
    ['in', 'fanout'],
    ['sub', 'topic'],
    ['dead', 'fanout'],
  ] as const) {
    await client.call(1, 'exchange.declare', { ...declaration(''), exchange, type, internal: false })
  }
  for (const queue of ['acked', ...READ_AT_THE_END]) await client.call(1, 'queue.declare', declaration(queue))
  const toDead = { 'x-dead-letter-exchange': 'dead' }
  await client.call(1, 'queue.declare', { ...declaration('work'), arguments: toDead })
  const bindings = [
    ['kept', 'in'],
    ['acked', 'in'],
    ['work', 'in'],
    ['sorted', 'sub'],
    ['letters', 'dead'],
    ['morgue', 'dead'],
  ] as const
  for (const [queue, exchange] of bindings) {
    await client.call(1, 'queue.bind', { queue, exchange, routingKey: '#', noWait: false, arguments: {} })
  }
  await client.call(1, 'exchange.bind', { destination: 'sub', source: 'in', routingKey: '', noWait: false, arguments: {} })
  client.destroy()
}

let next = 0

function publish(life: Life): Promise<void> {
  return publishNumbers(life, UNCONFIRMED_MAX, () => {
    const number = next++
    return { number, bytes: life.client.messageBytes(`n.${number % 7}`, numberedBody(number), 1, false, 'in') }
  })
}

/** In transactions, which tell when acknowledgements are durable. */
async function acknowledge(life: Life): Promise<void> {
  const { client } = life
  await client.call(1, 'tx.select', {})
  await acknowledgeNumbers(life, 'acked', PREFETCH, () => client.call(1, 'tx.commit', {}))
}

async function reject(client: AmqpSocket, connections: Connections, rejected: { count: number }): Promise<void> {
  client.onDelivery = ({ tag }) => {
    client.send(1, 'basic.reject', { deliveryTag: tag, requeue: false })
    rejected.count++
  }
  await client.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: PREFETCH, global: false })
  await client.call(1, 'basic.consume', consumption('work', false))
  while (!connections.isOver && !client.closed) await sleep(5)
}

interface Drained {
  readonly body: string
  readonly redelivered: boolean
}

/** Takes everything that is left. @param settle by default nothing has to be settled */
async function drain(
  address: string,
  queue: string,
  settle?: (client: AmqpSocket, tag: number) => void,
): Promise<readonly Drained[]> {
  const client = await AmqpSocket.connect(address)
  const drained: Drained[] = []
  let last = performance.now()
  client.onDelivery = ({ tag, body, redelivered }) => {
    drained.push({ body, redelivered })
    settle?.(client, tag)
    last = performance.now()
  }
  await client.call(1, 'basic.consume', consumption(queue, settle === undefined))
  while (performance.now() - last < IDLE_MS) await sleep(20)
  const left = await client.call(1, 'queue.declare', { ...declaration(queue), passive: true })
  expect([queue, left]).toMatchObject([queue, { messageCount: 0 }])
  client.destroy()
  return drained
}
