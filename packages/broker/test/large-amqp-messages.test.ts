import { afterEach, beforeEach, expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { AmqpSocket } from './amqp/amqp-socket.ts'

const MIB = 1024 * 1024
const MESSAGES = 40
/** A few messages that are read, stored and written at the moment, caches of the default size, and what Node takes. */
const RSS_MAX = 448 * MIB

let broker: BrokerProcess
let worstRss = 0
let watch: NodeJS.Timeout

beforeEach(async () => {
  broker = await BrokerProcess.start({ node: ['--max-old-space-size=96'], arguments: ['--listen=amqp=127.0.0.1:0'] })
  watch = setInterval(() => (worstRss = Math.max(worstRss, broker.rssBytes())), 20)
})

afterEach(async () => {
  clearInterval(watch)
  await broker.stop()
})

const declaration = { passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false }
const consumption = { consumerTag: '', noLocal: false, noAck: false, exclusive: false, noWait: false }

test(
  'messages of 16 MiB, and consumers that want all of them and do not read, take bounded memory',
  { timeout: 120_000 },
  async () => {
    const address = broker.address('amqp')
    const [publisher, ...consumers] = await Promise.all([1, 2, 3].map(() => AmqpSocket.connect(address)))
    await publisher!.call(1, 'queue.declare', { ...declaration, queue: 'queue', arguments: {} })
    await publisher!.call(1, 'queue.declare', { ...declaration, queue: 'stream', arguments: { 'x-queue-type': 'stream' } })
    await publisher!.call(1, 'confirm.select', { noWait: false })
    const body = 'x'.repeat(16 * MIB)
    const publish = async (queue: string): Promise<void> => {
      const confirmed = new Promise<void>((resolve, reject) => {
        publisher!.onClosed = () => reject(new Error('the connection ended'))
        publisher!.onMethod = ({ name }) => (name === 'basic.ack' ? resolve() : reject(new Error(`unexpected ${name}`)))
      })
      await publisher!.write(publisher!.messageBytes(queue, body))
      await confirmed
    }
    for (const queue of ['queue', 'stream']) for (let n = 0; n < MESSAGES; n++) await publish(queue)
    for (const [n, queue] of ['queue', 'stream'].entries()) {
      const consumer = consumers[n]!
      await consumer.call(1, 'basic.qos', { prefetchSize: 0, prefetchCount: 10_000, global: false })
      await consumer.call(1, 'basic.consume', { ...consumption, queue, arguments: { 'x-stream-offset': 'first' } })
      consumer.stopReading()
    }
    for (const queue of ['queue', 'stream']) for (let n = 0; n < 4; n++) await publish(queue)
    process.stderr.write(`messages of 16 MiB: at most ${Math.round(worstRss / MIB)} MiB resident\n`)
    publisher!.onClosed = () => {}
    for (const each of [publisher!, ...consumers]) each.destroy()
    expect(worstRss).toBeLessThan(RSS_MAX)
  },
)
