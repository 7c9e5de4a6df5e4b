// Publish through the façade over the memory engine: plain, and in transactions of a producer that stay open over several turns.
// Build first (npm run build), then:
//   node packages/broker/test/core/transactions-throughput.mjs
/* oxlint-disable no-console */
import { encodeBatch, setBatchProducer } from '@millrace/wire'
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openMemoryJournal } from '../../dist/engines/memory/index.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const VALUE_BYTES = 100
const PARTITIONS = 8
const MS = 1000
const platform = nodePlatform()

/** @param batches one for each partition in a turn, so many in a transaction */
async function measure({ batchRecords, batches, transactional }) {
  const journal = await openMemoryJournal()
  const store = await openLogStore({ journal, platform, crc32c })
  const broker = await openBroker({ store, platform, crc32c })
  broker.createTopic({ name: 't', partitions: PARTITIONS, retention: { bytes: 1_000_000 } })
  const to = broker.destination('topic:t', false)
  const { producerTransactions } = broker
  const batch = encodeBatch(
    Array.from({ length: batchRecords }, () => ({ timestampMs: Date.now(), value: new Uint8Array(VALUE_BYTES) })),
  )
  const identity = producerTransactions.open('p', 60_000)
  const sequences = Array.from({ length: PARTITIONS }, () => 0)
  let records = 0
  let transactions = 0
  const start = performance.now()
  while (performance.now() - start < MS) {
    for (let n = 0; n < batches; n++) {
      const partition = n % PARTITIONS
      setBatchProducer(batch, identity.producerId, identity.epoch, sequences[partition], crc32c)
      sequences[partition] += batchRecords
      if (transactional) producerTransactions.publish('p', to, partition, batch, 'begin')
      else to.publish(partition, batch)
      records += batchRecords
      if (n % PARTITIONS === PARTITIONS - 1 || n === batches - 1) await broker.whenCommitted(broker.ticket())
    }
    if (transactional) {
      const { isPublished } = producerTransactions.end({ transactionalId: 'p', ...identity }, 'commit', false)
      if (!isPublished) await producerTransactions.whenPublished('p')
      await broker.whenCommitted(broker.ticket())
      transactions++
    }
  }
  const seconds = (performance.now() - start) / 1000
  await broker.close()
  await store.close()
  return { messages: Math.round(records / seconds), transactions: Math.round(transactions / seconds) }
}

for (const batchRecords of [1, 100]) {
  for (const batches of [1, 8, 64]) {
    for (const transactional of [false, true]) {
      const { messages, transactions } = await measure({ batchRecords, batches, transactional })
      const what = transactional ? `in ${transactions} transactions/s` : 'without transactions'
      console.log(`${batches} batches of ${batchRecords} ${what}: ${messages} messages/s`)
    }
  }
}
