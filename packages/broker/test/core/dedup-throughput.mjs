// Publish, deliver and ack through the façade, over the memory engine, plain and with what makes publishes idempotent.
// Build first (npm run build), then:
//   node packages/broker/test/core/dedup-throughput.mjs
/* oxlint-disable no-console */
import { encodeBatch, setBatchProducer } from '@millrace/wire'
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openMemoryJournal } from '../../dist/engines/memory/index.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const VALUE_BYTES = 100
const MESSAGES = 2_000_000
const ROUNDS = 3
const platform = nodePlatform()
const turn = () => new Promise((resolve) => setImmediate(resolve))
const ID = '0000000000000000'

/** One batch, over and over, with new ids and the next sequence each time: what that costs is in all figures alike. */
function batches(batchRecords, withIds) {
  const headers = withIds ? [{ key: 'message-id', value: new TextEncoder().encode(ID) }] : []
  const batch = encodeBatch(
    Array.from({ length: batchRecords }, () => ({ timestampMs: Date.now(), value: new Uint8Array(VALUE_BYTES), headers })),
  )
  const places = []
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.length)
  for (let at = bytes.indexOf(ID); at >= 0; at = bytes.indexOf(ID, at + ID.length)) places.push(at)
  let serial = 0
  return (producerId, sequence) => {
    for (const at of places) {
      let rest = serial++
      for (let n = 0; n < 8; n++, rest >>>= 4) batch[at + n] = 0x30 + (rest & 15)
    }
    setBatchProducer(batch, producerId, producerId < 0 ? -1 : 0, sequence, crc32c)
    return batch
  }
}

async function measure({ batchRecords, withIds = false, dedup = false, producer = false }) {
  const journal = await openMemoryJournal()
  const store = await openLogStore({ journal, platform, crc32c })
  const broker = await openBroker({ store, platform, crc32c })
  broker.createQueue({ name: 'q', ...(dedup ? { dedup: { windowMs: 600_000 } } : {}) })
  const destination = broker.destination('queue:q', false)
  const done = { acked: 0 }
  const consumer = broker.consume(
    'queue:q',
    {},
    {
      deliver({ partition, first, last }) {
        setImmediate(() => {
          consumer.settle(partition, first, last, { kind: 'ack' })
          done.acked += last - first + 1
          consumer.grant(last - first + 1)
        })
      },
      closed() {},
    },
  )
  consumer.grant(10_000)
  const next = batches(batchRecords, withIds)
  const { producerId } = producer ? broker.openProducer() : { producerId: -1 }
  const started = performance.now()
  let sent = 0
  while (done.acked < MESSAGES) {
    for (let n = 0; n < 64 && sent < MESSAGES && sent - done.acked < 200_000 && !broker.congested; n++) {
      destination.publish(0, next(producerId, producer ? sent : -1))
      if (destination.duplicates !== undefined) throw new Error('ids are not unique')
      sent += batchRecords
    }
    await turn()
  }
  const perSecond = MESSAGES / ((performance.now() - started) / 1000)
  await broker.close()
  await store.close()
  return perSecond
}

const cases = [
  ['plain', {}],
  ['producer', { producer: true }],
  ['ids, dedup off', { withIds: true }],
  ['ids, dedup on', { withIds: true, dedup: true }],
  ['ids, dedup on, producer', { withIds: true, dedup: true, producer: true }],
]
for (const batchRecords of [100, 10]) {
  console.log(`${batchRecords}-record batches, best of ${ROUNDS}`)
  const best = cases.map(() => 0)
  for (let round = 0; round < ROUNDS; round++) {
    for (let n = 0; n < cases.length; n++) best[n] = Math.max(best[n], await measure({ batchRecords, ...cases[n][1] }))
  }
  cases.forEach(([label], n) => {
    const share = (100 * best[n]) / best[n < 2 ? 0 : 2]
    console.log(`  ${label.padEnd(26)} ${Math.round(best[n]).toLocaleString('en').padStart(12)} messages/s  ${share.toFixed(0)}%`)
  })
}
