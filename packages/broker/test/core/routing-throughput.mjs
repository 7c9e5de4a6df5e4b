// Publishes through exchanges to durable queues, confirmed by the journal, over the memory engine. Build first (npm run build), then:
//   node packages/broker/test/core/routing-throughput.mjs
/* oxlint-disable no-console */
import { encodeBatch } from '@millrace/wire'
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openMemoryJournal } from '../../dist/engines/memory/index.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const VALUE_BYTES = 100
const platform = nodePlatform()
const turn = () => new Promise((resolve) => setImmediate(resolve))
const messageWith = (key, headers = {}) => ({ key, header: (name) => headers[name] })

function batchOf(records) {
  const headers = [{ key: 'exchange', value: 'x' }]
  const key = new TextEncoder().encode('orders.eu.paid')
  return encodeBatch(
    Array.from({ length: records }, () => ({ timestampMs: Date.now(), key, value: new Uint8Array(VALUE_BYTES), headers })),
  )
}

async function openNew() {
  const journal = await openMemoryJournal()
  const store = await openLogStore({ journal, platform, crc32c })
  const broker = await openBroker({ store, platform, crc32c })
  return { broker, store }
}

/** Publishes and drops what queues hold from time to time. @param publish of one batch */
async function measure(label, { broker, store }, publish, { messages, batchRecords, queues }) {
  const batch = batchOf(batchRecords)
  const started = performance.now()
  for (let sent = 0; sent < messages;) {
    for (let n = 0; n < 64 && sent < messages && !broker.congested; n++) {
      publish(batch)
      sent += batchRecords
    }
    if (sent % (batchRecords * 640) === 0) for (const name of queues) broker.purgeQueue(name)
    await turn()
  }
  await broker.whenCommitted(broker.ticket())
  const seconds = (performance.now() - started) / 1000
  const perSecond = Math.round(messages / seconds).toLocaleString('en')
  console.log(`${label.padEnd(52)} ${perSecond.padStart(12)} messages/s`)
  await broker.close()
  await store.close()
}

async function direct(label, { queues: count, throughExchange, messages, batchRecords }) {
  const opened = await openNew()
  const { broker } = opened
  const queues = Array.from({ length: count }, (_, n) => `q${n}`)
  broker.router.createExchange({ name: 'x', type: 'direct' })
  for (const name of queues) {
    broker.createQueue({ name })
    broker.router.bind({ source: 'x', destination: `queue:${name}`, key: 'orders.eu.paid' })
  }
  const source = broker.router.source('x')
  const destination = broker.destination(`queue:${queues[0]}`, false)
  const publish = throughExchange
    ? (batch) => void source.route(messageWith('orders.eu.paid')).publish(batch)
    : (batch) => void destination.publish(0, batch)
  await measure(label, opened, publish, { messages, batchRecords, queues })
}

/** Keys that were not asked for before, so that each is searched. */
async function searches(label, type, bindings, messageOf, bindingOf) {
  const { broker, store } = await openNew()
  broker.router.createExchange({ name: 'x', type })
  for (let n = 0; n < 100; n++) broker.createQueue({ name: `q${n}` })
  for (let n = 0; n < bindings; n++) broker.router.bind({ source: 'x', destination: `queue:q${n % 100}`, ...bindingOf(n) })
  const source = broker.router.source('x')
  const count = 200_000
  let found = 0
  const started = performance.now()
  for (let n = 0; n < count; n++) found += source.route(messageOf(n)).destinations.length
  const seconds = (performance.now() - started) / 1000
  const perSecond = Math.round(count / seconds).toLocaleString('en')
  console.log(`${label.padEnd(52)} ${perSecond.padStart(12)} lookups/s    ${(found / count).toFixed(1)} destinations each`)
  await broker.close()
  await store.close()
}

const [small, large] = [
  { messages: 400_000, batchRecords: 1 },
  { messages: 3_000_000, batchRecords: 100 },
]
await direct('warm-up', { queues: 10, throughExchange: true, ...small })
await direct('single-record batches, a queue itself', { queues: 1, throughExchange: false, ...small })
await direct('single-record batches, direct to 1 queue', { queues: 1, throughExchange: true, ...small })
await direct('single-record batches, direct to 10 queues', { queues: 10, throughExchange: true, ...small })
await direct('warm-up', { queues: 1, throughExchange: true, ...large })
await direct('100-record batches, a queue itself', { queues: 1, throughExchange: false, ...large })
await direct('100-record batches, direct to 1 queue', { queues: 1, throughExchange: true, ...large })
await direct('100-record batches, direct to 10 queues', { queues: 10, throughExchange: true, ...large })
const patterns = (n) => ({ key: n % 2 === 0 ? `orders.*.k${n}` : `*.k${n % 50}.#` })
await searches('topic, 1,000 bindings, new keys', 'topic', 1000, (n) => messageWith(`orders.k${n % 997}.k${n}`), patterns)
await searches('topic, 1,000 bindings, known keys', 'topic', 1000, (n) => messageWith(`orders.k${n % 50}.k${n % 100}`), patterns)
await searches(
  'headers, 1,000 bindings',
  'headers',
  1000,
  (n) => messageWith('', { kind: `k${n % 1000}`, area: n % 7 }),
  (n) => ({ key: '', match: { mode: 'all', headers: { kind: `k${n}`, area: n % 7 } } }),
)
await searches(
  'consistent hash, 10 queues, new keys',
  'consistent-hash',
  10,
  (n) => messageWith(`key ${n}`),
  () => ({ key: '10' }),
)
