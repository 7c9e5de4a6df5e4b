import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeJournal } from '../../ports/conformance/journal.ts'
import type { Journal } from '../../ports/journal.ts'
import { FaultFileSystem } from './fault-file-system.ts'
import { openDiskJournal, type DiskJournalOptions } from './open-disk-journal.ts'
import { seededRandom } from './seeded-random.ts'

const SMALL = { segmentBytes: 64 * 1024, batchBytesMax: 32 * 1024 }

for (const durability of ['fsync', 'os'] as const) {
  describeJournal(`the disk engine (${durability}) on faulty files`, () => {
    const files = new FaultFileSystem({ random: seededRandom(1), shortWritesOf256: 16 })
    let options: DiskJournalOptions
    let journal: Journal
    const openAgain = async (): Promise<Journal> => {
      journal = await openDiskJournal({ ...options, fileSystem: files.boot() })
      return journal
    }
    return {
      open: () => {
        options = { directory: '/data', durability, segmentBytes: 1024 * 1024, batchBytesMax: 512 * 1024 }
        return openAgain()
      },
      openSmall: () => {
        files.capacityBytes = 1024 * 1024
        options = { directory: '/data', durability, ...SMALL, reserveBytes: 0, clock: { nowMs: () => 0, monotonicMs: () => 0 } }
        return openAgain()
      },
      isSmallBounded: true,
      reopen: async () => {
        await journal.close()
        return openAgain()
      },
      crash: () => {
        // The declared fault model of `os` is the end of the process, that of `fsync` a power loss.
        if (durability === 'fsync') files.powerLoss()
        else files.kill()
        return openAgain()
      },
      cleanup: () => journal.close(),
    }
  })
}

// Not bounded: a test cannot fill the machine's disk. No `crash`: the kill loop on real processes is in packages/broker/test.
describeJournal('the disk engine on real files', () => {
  const directories: string[] = []
  let options: DiskJournalOptions
  let journal: Journal
  const openNew = async (sizes: object): Promise<Journal> => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-journal-'))
    directories.push(directory)
    options = { directory, durability: 'os', ...sizes }
    journal = await openDiskJournal(options)
    return journal
  }
  return {
    open: () => openNew({ segmentBytes: 1024 * 1024, batchBytesMax: 512 * 1024 }),
    openSmall: () => openNew(SMALL),
    isSmallBounded: false,
    reopen: async () => {
      await journal.close()
      journal = await openDiskJournal(options)
      return journal
    },
    cleanup: async () => {
      await journal.close()
      for (const directory of directories) await rm(directory, { recursive: true })
    },
  }
})
