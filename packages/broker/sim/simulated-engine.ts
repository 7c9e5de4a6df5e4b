import { openDiskJournal } from '../src/engines/disk/index.ts'
import { FaultFileSystem } from '../src/engines/disk/fault-file-system.ts'
import { openMemoryJournal } from '../src/engines/memory/index.ts'
import type { Journal } from '../src/ports/journal.ts'
import type { VirtualPlatform } from './virtual-platform.ts'

export type EngineName = 'memory' | 'disk'

/** An engine with everything it stores, over any number of processes that come and go. */
export interface SimulatedEngine {
  readonly name: EngineName
  /** What a new process opens. */
  open(): Promise<Journal>
  /** The process is gone. */
  die(): void
  /** The next fdatasync fails. */
  failSync(): void
}

export function memoryEngine(platform: VirtualPlatform): SimulatedEngine {
  const bytesMax = isSmall(platform) ? 100 * 1024 : 1024 * 1024
  let journal: Promise<Journal> | undefined
  return {
    name: 'memory',
    open: () => (journal ??= openMemoryJournal({ bytesMax, batchBytesMax: 16 * 1024, extentBytes: 8 * 1024 })),
    die: () => undefined,
    failSync: () => undefined,
  }
}

export function diskEngine(platform: VirtualPlatform): SimulatedEngine {
  const capacityBytes = isSmall(platform) ? 240 * 1024 : Infinity
  const files = new FaultFileSystem({ random: platform.random, shortWritesOf256: 4, capacityBytes })
  return {
    name: 'disk',
    open: () =>
      openDiskJournal({
        directory: '/data',
        durability: 'fsync',
        segmentBytes: 32 * 1024,
        batchBytesMax: 16 * 1024,
        onWarning: () => undefined,
        fileSystem: files.boot(),
        clock: platform.clock,
        random: platform.random,
      }),
    die: () => {
      if (platform.below(2) === 0) files.kill()
      else files.powerLoss()
      files.clearFaults()
    },
    failSync: () => files.inject({ call: 'sync', code: 'EIO' }),
  }
}

/** Some journals fill up. */
function isSmall(platform: VirtualPlatform): boolean {
  return platform.below(3) === 0
}
