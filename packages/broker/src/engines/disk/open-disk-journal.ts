import { randomInt } from 'node:crypto'
import { MillraceError } from '../../base/errors.ts'
import { KIB, MIB } from '../../base/units.ts'
import type { Journal } from '../../ports/journal.ts'
import type { Clock, Random } from '../../ports/platform.ts'
import { unusable } from './data-directory.ts'
import { isNoSpace, type Durability, type FileSystem } from './file-system.ts'
import { frameBytes } from './frame.ts'
import { nodeFileSystem } from './node-file-system.ts'
import { FRAMES_START, indexStart } from './segment-format.ts'
import { startJournal, type DiskJournalSettings } from './start-journal.ts'

export interface DiskJournalOptions {
  /** Made if it does not exist. One process at a time. */
  readonly directory: string
  /** `fsync`: an acknowledged batch survives a power loss. `os`: it survives the end of the process, in any way. */
  readonly durability: Durability
  /** Size of a segment file, the unit in which space returns. Default 64 MiB; must hold a batch of `batchBytesMax`. */
  readonly segmentBytes?: number
  /** Default 16 MiB. */
  readonly batchBytesMax?: number
  /** Segment files kept for reuse. Default 4. */
  readonly sparesMax?: number
  /** Left on the file system's account when `headroomBytes` is computed. Default: one segment. */
  readonly reserveBytes?: number
  /** Segment files open at once. Default 64. */
  readonly openFilesMax?: number
  /** Cached pages (4 KiB each) of the indexes of closed segments. Default 1024. */
  readonly indexPagesMax?: number
  readonly onWarning?: (message: string) => void
  readonly fileSystem?: FileSystem
  readonly clock?: Clock
  readonly random?: Random
}

/**
 * Opens the journal in a directory and recovers what was acknowledged.
 * @throws MillraceError `data_in_use`, `data_unusable`, `data_corrupt`, `disk_full`, `bad_config`
 */
export async function openDiskJournal(options: DiskJournalOptions): Promise<Journal> {
  const settings = withDefaults(options)
  const { directory, fileSystem } = settings
  const lock = await fileSystem.lock(directory)
  try {
    return await startJournal(settings, lock)
  } catch (error) {
    await lock.release()
    if (!isNoSpace(error)) throw unusable(directory, error)
    const needed = Math.ceil(settings.segmentBytes / MIB)
    throw new MillraceError('disk_full', `no space to open the journal in ${directory}: free at least ${needed} MiB`, {
      cause: error,
    })
  }
}

function withDefaults(options: DiskJournalOptions): DiskJournalSettings {
  const segmentBytes = options.segmentBytes ?? 64 * MIB
  const batchBytesMax = options.batchBytesMax ?? 24 * MIB
  const neededBytes = FRAMES_START + frameBytes(batchBytesMax) + segmentBytes - indexStart(segmentBytes, 1)
  if (segmentBytes % (4 * KIB) !== 0 || segmentBytes < neededBytes) {
    throw new MillraceError(
      'bad_config',
      `segments of ${segmentBytes} bytes cannot hold a batch of ${batchBytesMax}: use a multiple of 4096 that is at least ${neededBytes}`,
    )
  }
  return {
    directory: options.directory,
    durability: options.durability,
    segmentBytes,
    batchBytesMax,
    sparesMax: options.sparesMax ?? 4,
    reserveBytes: options.reserveBytes ?? segmentBytes,
    openFilesMax: options.openFilesMax ?? 64,
    indexPagesMax: options.indexPagesMax ?? 1024,
    onWarning: options.onWarning ?? ((message) => process.emitWarning(message)),
    fileSystem: options.fileSystem ?? nodeFileSystem,
    clock: options.clock ?? { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    random: options.random ?? { uint32: () => randomInt(2 ** 32) },
  }
}
