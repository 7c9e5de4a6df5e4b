// Messages for later, over the disk engine: how much memory a million (or so many) take that wait, how fast they are taken, and how
// long 50,000 need to leave that are due together. Build first (npm run build), then:
//   node --expose-gc packages/broker/test/core/scheduled.mjs [MESSAGES]
/* oxlint-disable no-console */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeBatch } from '@millrace/wire'
import { openBroker } from '../../dist/core/open-broker.js'
import { crc32c } from '../../dist/engines/disk/checksum.js'
import { openDiskJournal } from '../../dist/engines/disk/index.js'
import { nodePlatform } from '../../dist/server/node-platform.js'
import { openLogStore } from '../../dist/storage/open-log-store.js'

const MESSAGES = Number(process.argv[2] ?? 1_000_000)
const BURST = 50_000
const VALUE_BYTES = 100
const DAY_MS = 86_400_000
let turns = 0
let offsetMs = 0
const node = nodePlatform()
const platform = {
  ...node,
  clock: { ...node.clock, nowMs: () => Date.now() + offsetMs },
  scheduler: {
    ...node.scheduler,
    /** @param {() => void} task */
    endOfTurn: (task) => void setImmediate(() => (turns++, task())),
  },
}
const turn = () => new Promise((resolve) => setImmediate(resolve))
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const mib = (bytes) => (bytes / 2 ** 20).toFixed(1)

function memory() {
  for (let n = 0; n < 3; n++) globalThis.gc?.()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return { used: heapUsed + arrayBuffers, rss }
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-scheduled-'))
const open = async () => {
  const journal = await openDiskJournal({ directory: join(directory, 'data'), durability: 'os' })
  const store = await openLogStore({ journal, platform, crc32c })
  return { journal, store, broker: await openBroker({ store, platform, crc32c, onWarning: (text) => console.log(text) }) }
}
const durable = ({ store, broker }) => {
  store.touch()
  return broker.whenCommitted(broker.ticket())
}
const close = async ({ journal, store, broker }) => {
  await broker.close()
  await store.close()
  await journal.close()
}

try {
  let it = await open()
  const batch = encodeBatch([{ timestampMs: Date.now(), value: new Uint8Array(VALUE_BYTES) }])
  let queue = it.broker.destination('queue:q', true)
  // Warm, so that caches and pools count before as after.
  for (let n = 0; n < 300_000; n++) {
    queue.publish(0, batch)
    if (n % 1000 === 999) await turn()
  }
  await durable(it)
  const before = memory()
  const indexBefore = it.store.stats.indexBytes

  const fromMs = platform.clock.nowMs() + 600_000
  let startMs = performance.now()
  for (let n = 0; n < MESSAGES; n++) {
    queue.publishLater(0, batch, fromMs + Math.random() * 30 * DAY_MS)
    if (n % 500 === 499) await turn()
    while (it.broker.congested) await turn()
  }
  await durable(it)
  const seconds = (performance.now() - startMs) / 1000
  const after = memory()
  console.log(`${MESSAGES} scheduled in ${seconds.toFixed(1)} s: ${Math.round(MESSAGES / seconds)}/s`)
  console.log(
    `memory in use +${mib(after.used - before.used)} MiB (RSS +${mib(after.rss - before.rss)}), the store's index +${mib(it.store.stats.indexBytes - indexBefore)} MiB`,
  )

  await close(it)
  startMs = performance.now()
  it = await open()
  console.log(`opened again in ${(performance.now() - startMs).toFixed(0)} ms, ${it.broker.queue('q').scheduled} wait`)

  queue = it.broker.destination('queue:q', false)
  const end = it.broker.queue('q').ready
  const dueMs = platform.clock.nowMs() + 100_000
  for (let n = 0; n < BURST; n++) {
    queue.publishLater(0, batch, dueMs + (n % 1000))
    if (n % 1000 === 999) await turn()
  }
  await durable(it)
  // That the clock was set is noticed within ten seconds.
  offsetMs += dueMs - 14_000 - platform.clock.nowMs()
  await sleep(12_000)
  turns = 0
  while (it.broker.queue('q').ready < end + BURST) await sleep(5)
  const lateMs = platform.clock.nowMs() - dueMs - 999
  console.log(`${BURST} due within a second: the last is there ${lateMs.toFixed(0)} ms after its time, in ${turns} turns`)

  await close(it)
  offsetMs += 2 * DAY_MS
  it = await open()
  startMs = performance.now()
  const target = Math.round((MESSAGES * 2) / 30)
  while (it.broker.queue('q').ready < end + BURST + target * 0.97) await sleep(20)
  const workMs = performance.now() - startMs
  console.log(`after a standstill of 2 days ${it.broker.queue('q').ready - end - BURST} leave in ${(workMs / 1000).toFixed(1)} s`)
  await close(it)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
