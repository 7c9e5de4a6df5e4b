import { crc32c, encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { smallJournals } from '../../test/core/small-journals.ts'
import { openMemoryJournal } from '../engines/memory/index.ts'
import type { Journal } from '../ports/journal.ts'
import type { StorageLimits } from './limits.ts'
import type { LogId, LogStore } from './log-store.ts'
import { openLogStore } from './open-log-store.ts'

const KIB = 1024
const MIB = 1024 * KIB

describe.each(smallJournals)('over a full journal of the %s engine', (_, openJournal) => {
  test.each([
    [512 * KIB, 128 * KIB],
    [512 * KIB, 64 * KIB],
    [4 * MIB, MIB],
  ])('of %i bytes with a reserve of %i, publishes are accepted again once everything is trimmed', async (bytesMax, reserve) => {
    const platform = new VirtualPlatform(7)
    const journal = await platform.until(openJournal(platform, bytesMax))
    const store = await open(platform, journal, { headroomReserveBytes: reserve })
    const log = store.createLog()
    let relieved = 0
    store.onRelief(() => relieved++)
    for (let round = 1; round <= 3; round++) {
      expect(await fill(platform, store, log, 4000)).toBeGreaterThan(10)
      expect(relieved).toBe(round - 1)
      store.trim(log, Infinity)
      await platform.advance(5000)
      expect([store.acceptsPublishes, relieved]).toEqual([true, round])
      expect(journal.headroomBytes()).toBeGreaterThan(reserve)
    }
    await platform.until(store.close())
    await journal.close()
  })

  test('nothing is copied again and again to win back what copies leave unused', async () => {
    const platform = new VirtualPlatform(7)
    const journal = await platform.until(openJournal(platform, 4 * MIB))
    const store = await open(platform, journal, { headroomReserveBytes: MIB })
    const [stays, goes] = [store.createLog(), store.createLog()]
    for (let n = 0; store.acceptsPublishes; n++) {
      store.append(n % 3 === 0 ? goes : stays, batchOf(4000), 1)
      await platform.settle()
    }
    store.trim(goes, Infinity)
    await platform.advance(10_000)
    const { copiedForwardBytes, commits, liveBytes } = store.stats
    expect(copiedForwardBytes).toBeGreaterThan(0)
    expect(copiedForwardBytes).toBeLessThan(2 * liveBytes)
    await platform.advance(60_000)
    expect(store.stats.commits).toBe(commits)
    await platform.until(store.close())
    await journal.close()
  })
})

test.each([512 * KIB, 4 * MIB])(
  'a memory journal of %i bytes leaves room for messages, however large, without more settings',
  async (bytesMax) => {
    const platform = new VirtualPlatform(7)
    const journal = await openMemoryJournal({ bytesMax })
    const store = await open(platform, journal, {})
    const log = store.createLog()
    for (const value of [1000, store.limits.batchBytesMax - 100]) {
      expect(await fill(platform, store, log, value)).toBeGreaterThan(4)
      expect(journal.headroomBytes()).toBeGreaterThan(bytesMax / 16)
      store.trim(log, Infinity)
      await platform.advance(5000)
      expect(store.acceptsPublishes).toBe(true)
    }
    await platform.until(store.close())
  },
)

function open(platform: VirtualPlatform, journal: Journal, limits: Partial<StorageLimits>): Promise<LogStore> {
  return platform.until(openLogStore({ journal, platform, crc32c, limits }))
}

/** @returns how many batches there was room for */
async function fill(platform: VirtualPlatform, store: LogStore, log: LogId, valueBytes: number): Promise<number> {
  let count = 0
  for (; store.acceptsPublishes; count++) {
    store.append(log, batchOf(valueBytes), 1)
    await platform.settle()
  }
  return count
}

function batchOf(valueBytes: number): Uint8Array {
  return encodeBatch([{ timestampMs: 1000, value: new Uint8Array(valueBytes) }])
}
