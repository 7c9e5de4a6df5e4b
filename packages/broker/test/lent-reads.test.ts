/** What is read from the disk lies in memory that is used again: nobody may see that. */
import { crc32c, encodeBatch } from '@millrace/wire'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Lease } from '../src/base/lease.ts'
import { openDiskJournal } from '../src/engines/disk/index.ts'
import { nodePlatform } from '../src/server/node-platform.ts'
import type { Journal } from '../src/ports/journal.ts'
import type { LogId, LogStore, StoredBatch } from '../src/storage/log-store.ts'
import { openLogStore } from '../src/storage/open-log-store.ts'

const MIB = 1024 * 1024
const BATCHES = 400
const STEPS = 1500

let directory: string
let journal: Journal
let store: LogStore

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-lent-'))
  journal = await openDiskJournal({ directory, durability: 'os' })
  store = await openLogStore({ journal, platform: nodePlatform(), crc32c, limits: { tailCacheBytes: MIB } })
})

afterEach(async () => {
  await store.close()
  await journal.close()
  rmSync(directory, { recursive: true })
})

/** Tells the log and the offset in every part of it. */
function batchAt(log: LogId, offset: number): Buffer {
  return Buffer.from(
    encodeBatch([{ timestampMs: 1000, value: Buffer.alloc(20_000 + ((offset * 7919) % 60_000), `${log}/${offset};`) }]),
  )
}

interface Held {
  readonly log: LogId
  readonly batches: readonly StoredBatch[]
  readonly lease: Lease | undefined
}

/** @returns offsets at which something else was seen than was written */
function giveBack({ log, batches, lease }: Held): readonly number[] {
  const wrong = batches.filter(({ baseOffset, bytes }) => !batchAt(log, baseOffset).subarray(8).equals(bytes.subarray(8)))
  lease?.release()
  return wrong.map(({ baseOffset }) => baseOffset)
}

test('each reader finds what was written, as long as he holds his lease, and for ever without one', async () => {
  const logs = [store.createLog(), store.createLog()]
  for (let offset = 0; offset < BATCHES; offset++) {
    for (const log of logs) store.append(log, batchAt(log, offset), 1)
    if (offset % 20 === 0) await committed()
  }
  await committed()

  let seed = 11
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
  const readers = Array.from({ length: 6 }, (_, n) => ({ log: logs[n % 2]!, at: 0, isLent: n < 4 }))
  const held: Held[] = []
  const wrong: number[] = []
  for (let step = 0; step < STEPS; step++) {
    const reader = readers[random(readers.length)]!
    const lease = reader.isLent ? new Lease() : undefined
    const batches = await store.read(reader.log, reader.at, random(4) === 0 ? 30_000 : MIB, lease)
    held.push({ log: reader.log, batches, lease })
    // Some leave out the last one, as those do whom it is too much for.
    const next = batches.length > 1 && random(2) === 0 ? batches.at(-1)!.baseOffset : batches.at(-1)!.lastOffset + 1
    reader.at = next === BATCHES ? 0 : next
    while (held.length > random(12)) wrong.push(...giveBack(held.splice(random(held.length), 1)[0]!))
  }
  for (const each of held) wrong.push(...giveBack(each))
  expect(wrong).toEqual([])
}, 120_000)

async function committed(): Promise<void> {
  while (store.pendingBytes > 0) await sleep(1)
}

test('who gives up while it is read disturbs nobody', async () => {
  const log = store.createLog()
  for (let offset = 0; offset < BATCHES; offset++) {
    store.append(log, batchAt(log, offset), 1)
    if (offset % 20 === 0) await committed()
  }
  await committed()
  const reads: Promise<Held>[] = []
  for (let n = 0; n < 300; n++) {
    const lease = new Lease()
    const read = Promise.resolve(store.read(log, (n * 37) % (BATCHES / 2), MIB, lease))
    // A read that fails for what others made of its memory would be told of as damage of the disk.
    if (n % 3 === 0) reads.push(read.then((batches) => ({ log, batches, lease })))
    else reads.push(read.then(() => ({ log, batches: [], lease: undefined })))
    if (n % 3 > 0) setTimeout(() => lease.release(), n % 5)
    if (n % 8 === 0) for (const held of await Promise.all(reads.splice(0))) expect(giveBack(held)).toEqual([])
  }
  for (const held of await Promise.all(reads)) expect(giveBack(held)).toEqual([])
}, 60_000)
