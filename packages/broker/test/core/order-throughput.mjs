// Publish, deliver and ack through the façade, over the memory engine, with keys: in any order, and in order by key.
// Build first (npm run build), then:
//   node packages/broker/test/core/order-throughput.mjs
/* oxlint-disable no-console */
import { encodeBatch } from '@millrace/wire'
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openMemoryJournal } from '../../dist/engines/memory/index.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const VALUE_BYTES = 100
const BATCH_RECORDS = 400
const MESSAGES = 1_000_000
const ROUNDS = 3
const CREDIT = 10_000
const platform = nodePlatform()
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Batches whose keys come one after the other, or at random. */
function batches(keys, random) {
  const names = Array.from({ length: keys }, (_, n) => new TextEncoder().encode(`key-${n}`))
  let next = 0
  const one = () =>
    encodeBatch(
      Array.from({ length: BATCH_RECORDS }, () => ({
        timestampMs: Date.now(),
        key: names[random ? Math.floor(Math.random() * keys) : next++ % keys],
        value: new Uint8Array(VALUE_BYTES),
      })),
    )
  return Array.from({ length: Math.max(100, keys / BATCH_RECORDS) }, () => one().slice())
}

async function measure(order, sent) {
  const journal = await openMemoryJournal()
  const store = await openLogStore({ journal, platform, crc32c })
  const broker = await openBroker({ store, platform, crc32c })
  broker.createQueue({ name: 'q', delivery: { order } })
  const destination = broker.destination('queue:q', false)
  const done = { acked: 0, slices: 0 }
  const consumer = broker.consume(
    'queue:q',
    {},
    {
      deliver({ partition, first, last }) {
        done.slices++
        setImmediate(() => {
          consumer.settle(partition, first, last, { kind: 'ack' })
          done.acked += last - first + 1
          consumer.grant(last - first + 1)
        })
      },
      closed() {},
    },
  )
  consumer.grant(CREDIT)
  const started = performance.now()
  let published = 0
  for (let at = 0; done.acked < MESSAGES;) {
    for (let n = 0; n < 16 && published < MESSAGES && published - done.acked < 65_536 && !broker.congested; n++) {
      destination.publish(0, sent[at++ % sent.length])
      published += BATCH_RECORDS
    }
    await turn()
  }
  const perSecond = MESSAGES / ((performance.now() - started) / 1000)
  await broker.close()
  await store.close()
  return { perSecond, slice: done.acked / done.slices }
}

const cases = [
  ['100,000 keys at random', batches(100_000, true)],
  ['10,000 keys at random', batches(10_000, true)],
  ['10,000 keys in turn', batches(10_000, false)],
  ['100 keys at random', batches(100, true)],
]
for (const [label, sent] of cases) {
  const best = { none: { perSecond: 0, slice: 0 }, key: { perSecond: 0, slice: 0 } }
  for (let round = 0; round < ROUNDS; round++) {
    for (const order of Object.keys(best)) {
      const result = await measure(order, sent)
      if (result.perSecond > best[order].perSecond) best[order] = result
    }
  }
  const share = ((100 * best.key.perSecond) / best.none.perSecond).toFixed(0)
  const figures = Object.values(best).map(
    (each) => `${Math.round(each.perSecond).toLocaleString('en').padStart(10)}/s in ${each.slice.toFixed(1).padStart(5)}s`,
  )
  console.log(`${label.padEnd(24)} any ${figures[0]}   by key ${figures[1]}   ${share}%`)
}
