/** Journals of either engine that fill up soon, for tests. */
import type { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { FaultFileSystem } from '../../src/engines/disk/fault-file-system.ts'
import { openDiskJournal } from '../../src/engines/disk/index.ts'
import { openMemoryJournal } from '../../src/engines/memory/index.ts'
import type { Journal } from '../../src/ports/journal.ts'

const KIB = 1024

type OpenSmallJournal = (platform: VirtualPlatform, bytesMax: number) => Promise<Journal>

export const smallJournals: readonly (readonly [engine: string, open: OpenSmallJournal])[] = [
  ['memory', (_, bytesMax) => openMemoryJournal({ bytesMax, batchBytesMax: 32 * KIB })],
  [
    'disk',
    (platform, capacityBytes) =>
      openDiskJournal({
        directory: '/data',
        durability: 'fsync',
        segmentBytes: 64 * KIB,
        batchBytesMax: 32 * KIB,
        onWarning: () => undefined,
        fileSystem: new FaultFileSystem({ random: platform.random, shortWritesOf256: 0, capacityBytes }).boot(),
        clock: platform.clock,
        random: platform.random,
      }),
  ],
]
