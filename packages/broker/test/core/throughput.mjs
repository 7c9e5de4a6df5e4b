// Publish, deliver and ack through the façade, over the memory engine. Build first (npm run build), then:
//   node packages/broker/test/core/throughput.mjs
/* oxlint-disable no-console */
import { encodeBatch, priorityHeader } from '@millrace/wire'
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openMemoryJournal } from '../../dist/engines/memory/index.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const VALUE_BYTES = 100
const LEVELS = 10
const platform = nodePlatform()
const turn = () => new Promise((resolve) => setImmediate(resolve))

function batchOf(records, priorities, batch) {
  const level = (n) => (priorities === 'mixed' ? batch + 7 * n : 3 * batch) % LEVELS
  return encodeBatch(
    Array.from({ length: records }, (_, n) => ({
      timestampMs: Date.now(),
      value: new Uint8Array(VALUE_BYTES),
      headers: priorities === 'none' ? [] : [priorityHeader(level(n))],
    })),
  )
}

/** @param priorities `one`: a queue with priorities, and batches of one level each; `mixed`: of many; `header`: the queue has none */
async function measure(
  label,
  { batchRecords, messages, queues = 1, consumers = 1, credit = 10_000, reverse = false, priorities = 'none' },
) {
  const journal = await openMemoryJournal()
  const store = await openLogStore({ journal, platform, crc32c })
  const broker = await openBroker({ store, platform, crc32c })
  const batches = Array.from({ length: priorities === 'none' ? 1 : LEVELS }, (_, batch) =>
    batchOf(batchRecords, priorities, batch),
  )
  const destinations = []
  const done = { acked: 0 }
  for (let q = 0; q < queues; q++) {
    broker.createQueue({ name: `q${q}`, priorities: priorities === 'one' || priorities === 'mixed' ? LEVELS : 1 })
    destinations.push(broker.destination(`queue:q${q}`, true))
    for (let c = 0; c < consumers; c++) {
      const pending = []
      const settle = () => {
        if (reverse) pending.reverse()
        let count = 0
        for (const { partition, first, last } of pending) {
          consumer.settle(partition, first, last, { kind: 'ack' })
          count += last - first + 1
        }
        pending.length = 0
        done.acked += count
        consumer.grant(count)
      }
      const consumer = broker.consume(
        `queue:q${q}`,
        {},
        { deliver: (delivery) => void (pending.push(delivery) === 1 && setImmediate(settle)), closed: () => {} },
      )
      consumer.grant(credit)
    }
  }
  const started = performance.now()
  let sent = 0
  while (done.acked < messages) {
    for (let n = 0; n < 64 && sent < messages && sent - done.acked < 200_000 && !broker.congested; n++) {
      destinations[(sent / batchRecords) % queues].publish(0, batches[(sent / batchRecords) % batches.length])
      sent += batchRecords
    }
    await turn()
  }
  const seconds = (performance.now() - started) / 1000
  const perSecond = Math.round(messages / seconds).toLocaleString('en')
  console.log(`${label.padEnd(44)} ${perSecond.padStart(12)} messages/s   ${store.stats.commits} commits`)
  await broker.close()
  await store.close()
}

for (const label of ['warm-up', '100-record batches']) await measure(label, { batchRecords: 100, messages: 3_000_000 })
for (const label of ['warm-up', 'single-record batches']) await measure(label, { batchRecords: 1, messages: 400_000 })
await measure('single-record batches, 8 consumers', { batchRecords: 1, messages: 300_000, consumers: 8 })
await measure('single-record batches, acked in reverse', { batchRecords: 1, messages: 300_000, reverse: true })
await measure('single-record batches, 1,000 queues', { batchRecords: 1, messages: 300_000, queues: 1000 })
await measure('100-record batches, 1,000 queues', { batchRecords: 100, messages: 3_000_000, queues: 1000 })
await measure('priority header, no priorities, 100-record', { batchRecords: 100, messages: 2_000_000, priorities: 'header' })
await measure('10 priorities, a level for each 100-record', { batchRecords: 100, messages: 2_000_000, priorities: 'one' })
await measure('10 priorities, mixed in 100-record batches', { batchRecords: 100, messages: 2_000_000, priorities: 'mixed' })
await measure('10 priorities, single-record batches', { batchRecords: 1, messages: 300_000, priorities: 'one' })
