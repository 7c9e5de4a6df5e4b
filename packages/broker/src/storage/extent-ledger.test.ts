import { crc32c, encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { openMemoryJournal } from '../engines/memory/index.ts'
import { ExtentLedger } from './extent-ledger.ts'
import type { JournalLogStore } from './journal-log-store.ts'
import type { LogIndex } from './log-index.ts'
import type { LogId } from './log-store.ts'
import { openLogStore } from './open-log-store.ts'

test('guesses where something went, never how much there is', () => {
  const ledger = new ExtentLedger()
  for (const seq of [0, 1]) {
    ledger.addCommit(seq)
    ledger.add(seq, 100)
  }
  ledger.refresh([extent(0), extent(1)])
  // All of it was in commit 0, as a closer look shows; commit 1 still has its 100.
  ledger.spread(0, 1, -100)
  ledger.extents[0]!.live = 0
  ledger.extents[0]!.drift = 0
  expect(ledger.liveBytes).toBe(100)
  ledger.refresh([extent(1)])
  expect(ledger.liveBytes).toBe(100)
  ledger.add(1, -100)
  expect(ledger.liveBytes).toBe(0)
  expect(ledger.extents[0]!.live).toBe(0)
})

test.each([1, 2, 3])(
  'what is alive is known to the byte while logs grow, are sealed, trimmed, moved and deleted, also after a restart (seed %i)',
  async (seed) => {
    const platform = new VirtualPlatform(seed)
    const journal = await openMemoryJournal({ extentBytes: 20_000 })
    const limits = {
      indexRunEntries: 16,
      collectCommits: 8,
      deadBytesMin: 0,
      checkpointBytes: 10_000,
      checkpointCommits: 50,
      checkpointRatio: 1,
    }
    const open = async (): Promise<JournalLogStore> =>
      (await platform.until(openLogStore({ journal, platform, crc32c, limits }))) as JournalLogStore
    let store = await open()
    const logs: LogId[] = []
    for (let n = 0; n < 1500; n++) {
      change(store, logs, platform)
      if (n % 3 === 0) await platform.settle()
      if (n % 100 !== 99) continue
      await platform.settle()
      expect(Math.abs(store.stats.liveBytes - weightOf(store.index))).toBeLessThanOrEqual(1)
      if (n % 500 !== 499) continue
      const { freed, movedFromRuns } = store.counters
      expect(Math.min(freed!, movedFromRuns!)).toBeGreaterThan(0)
      platform.forget()
      store = await open()
      expect(Math.abs(store.stats.liveBytes - weightOf(store.index))).toBeLessThanOrEqual(1)
    }
    for (const log of logs) store.deleteLog(log)
    await platform.settle()
    expect(store.stats.liveBytes).toBeLessThanOrEqual(1)
  },
)

function change(store: JournalLogStore, logs: LogId[], platform: VirtualPlatform): void {
  const dice = platform.below(100)
  const log = logs[platform.below(Math.max(1, logs.length))]
  if (log === undefined || (dice < 5 && logs.length < 20)) logs.push(store.createLog())
  else if (dice < 6) {
    store.deleteLog(log)
    logs.splice(logs.indexOf(log), 1)
  } else if (dice < 10) {
    const { start, end } = store.bounds(log)
    store.trim(log, start + platform.below(end - start + 1))
  } else store.append(log, encodeBatch([{ timestampMs: 1, value: new Uint8Array(platform.below(400)) }]), 1)
}

/** Counted from the index: the batches of every log, none of which is shared, and the runs. */
function weightOf(index: LogIndex): number {
  let weight = 0
  for (const log of index.logs.values()) {
    weight += log.bytes
    for (let n = 0; n < (log.runs?.count ?? 0); n++) weight += log.runs!.at(n).length
  }
  return weight
}

function extent(seq: number): { readonly first: number; readonly next: number; readonly bytes: number } {
  return { first: seq, next: seq + 1, bytes: 200 }
}
