import { MillraceError } from '../base/errors.ts'
import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import type { Platform } from '../ports/platform.ts'
import { JournalLogStore } from './journal-log-store.ts'
import { defaultStorageLimits, type StorageLimits } from './limits.ts'
import type { LogStore } from './log-store.ts'
import { recover } from './recovery.ts'

export interface LogStoreOptions {
  /** Stays open when the store closes. */
  readonly journal: Journal
  readonly platform: Platform
  readonly crc32c: Crc32c
  readonly limits?: Partial<StorageLimits>
}

/**
 * Reads the journal back and takes it over: from here on an older owner's appends fail.
 * @throws MillraceError `data_corrupt`; `data_in_use` when another owner took over meanwhile
 */
export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  const { journal, platform, crc32c } = options
  const limits = limitsFor(journal, { ...defaultStorageLimits, ...options.limits })
  const recovered = await recover(journal, crc32c, limits)
  const store = new JournalLogStore({ journal, platform, crc32c, limits }, recovered)
  await takeOver(store, platform)
  return store
}

/** What the journal's largest batch, and its size where that is fixed, leave of the limits. */
function limitsFor(journal: Journal, wanted: StorageLimits): StorageLimits {
  const { batchBytesMax, bytesMax } = journal.limits
  return {
    ...wanted,
    batchBytesMax: Math.min(wanted.batchBytesMax, Math.floor((batchBytesMax * 3) / 4)),
    commitBytesMax: Math.min(wanted.commitBytesMax, Math.floor(batchBytesMax / 2)),
    sliceBytes: Math.min(wanted.sliceBytes, Math.floor(batchBytesMax / 8)),
    headroomReserveBytes: Math.min(wanted.headroomReserveBytes, Math.floor((bytesMax ?? Infinity) * RESERVE_SHARE_MAX)),
  }
}

/** Most of a small journal is for messages. */
const RESERVE_SHARE_MAX = 0.25

/** The first commit of an owner fences out the one before. With a full journal it waits in the store, like every other commit. */
async function takeOver(store: JournalLogStore, platform: Platform): Promise<void> {
  store.pipeline.open.addEpoch(platform.random.uint32())
  try {
    await store.pipeline.flush()
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'disk_full') return
    throw new MillraceError('data_in_use', 'Another broker opened the journal at the same time. Stop one of them.', {
      cause: error,
    })
  }
}
