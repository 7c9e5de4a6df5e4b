// What the log store alone can do, without sockets and delivery: `node bench/dist/log-store.js [SECONDS]` after `npm run build`.
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { crc32c } from '../../packages/broker/dist/engines/disk/checksum.js'
import { openDiskJournal } from '../../packages/broker/dist/engines/disk/index.js'
import { openMemoryJournal } from '../../packages/broker/dist/engines/memory/index.js'
import type { Journal } from '../../packages/broker/dist/ports/journal.js'
import { nodePlatform } from '../../packages/broker/dist/server/node-platform.js'
import type { LogStore } from '../../packages/broker/dist/storage/log-store.js'
import { openLogStore } from '../../packages/broker/dist/storage/open-log-store.js'
import { encodeBatch } from '@millrace/wire'
import { temporaryDirectory } from './broker-process.ts'
import { measureRawDisk } from './raw-disk.ts'

const GIB = 1024 ** 3
/** Appends in one turn, as a busy session makes them. */
const TURN = 256

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(Number(process.argv[2] ?? 3))

export async function main(seconds: number): Promise<void> {
  const directory = temporaryDirectory()
  try {
    const small = batchOf(168)
    const large = batchOf(64 * 1024)
    for (const [name, open] of engines(directory)) {
      console.log(`${name}:`)
      for (const logs of [1, 10_000]) {
        const { perSecond, callNs } = await appends(open, logs, small, seconds)
        console.log(
          `  168 bytes, ${logs} logs: ${Math.round(perSecond).toLocaleString('en')} appends/s, ${Math.round(callNs)} ns in the call`,
        )
      }
      const { perSecond } = await appends(open, 1, large, seconds)
      console.log(`  64 KiB batches: ${Math.round((perSecond * large.length) / 1e6)} MB/s`)
    }
    const raw = measureRawDisk(directory, seconds)
    const rates = Object.entries(raw.prefilledBytesPerSecond).map(
      ([bytes, rate]) => `${Math.round(rate / 1e6)} MB/s in ${Number(bytes) / 1024} KiB`,
    )
    console.log(`the disk alone, write and fdatasync: ${rates.join(', ')}`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function engines(directory: string): [string, () => Promise<Journal>][] {
  return [
    ['memory', () => openMemoryJournal({ bytesMax: 2 * GIB })],
    [
      'disk, fsync',
      () => {
        const data = `${directory}/data`
        rmSync(data, { recursive: true, force: true })
        return openDiskJournal({ directory: data, durability: 'fsync' })
      },
    ],
  ]
}

/** Publishes as fast as the store takes it; what is older than a few commits is trimmed, as acknowledged messages are. */
async function appends(
  open: () => Promise<Journal>,
  logCount: number,
  batch: Uint8Array,
  seconds: number,
): Promise<{ perSecond: number; callNs: number }> {
  const journal = await open()
  const store = await openLogStore({ journal, platform: nodePlatform(), crc32c })
  const logs = Array.from({ length: logCount }, () => store.createLog())
  await committed(store)
  const startedMs = performance.now()
  const endMs = startedMs + seconds * 1000
  let count = 0
  let callMs = 0
  let trimmed = 0
  while (performance.now() < endMs) {
    if (store.pendingBytes > store.limits.pendingBytesHigh) {
      await relieved(store)
      continue
    }
    const beforeMs = performance.now()
    for (let n = 0; n < TURN; n++) store.append(logs[count++ % logCount]!, batch, 1)
    callMs += performance.now() - beforeMs
    // One log in a turn, in proportion, so that trims are a small part of the work also with many logs.
    const log = logs[trimmed++ % logCount]!
    store.trim(log, store.bounds(log).end)
    await new Promise(setImmediate)
  }
  await committed(store)
  const elapsedMs = performance.now() - startedMs
  await store.close()
  await journal.close()
  return { perSecond: (count * 1000) / elapsedMs, callNs: (callMs * 1e6) / count }
}

function batchOf(bytes: number): Uint8Array {
  const empty = encodeBatch([{ timestampMs: Date.now(), value: new Uint8Array(0) }])
  let batch = empty
  for (let size = bytes - empty.length; batch.length !== bytes; size -= batch.length - bytes) {
    batch = encodeBatch([{ timestampMs: Date.now(), value: new Uint8Array(size) }], crc32c)
  }
  return batch
}

function committed(store: LogStore): Promise<void> {
  const ticket = store.ticket()
  store.touch()
  return new Promise((resolve) => {
    const stop = store.onCommitted((durable) => {
      if (durable < ticket) return
      stop()
      resolve()
    })
  })
}

function relieved(store: LogStore): Promise<void> {
  return new Promise((resolve) => {
    const stop = store.onRelief(() => {
      stop()
      resolve()
    })
  })
}
