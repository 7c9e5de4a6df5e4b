import type { Crc32c } from '../ports/checksum.ts'
import type { Journal } from '../ports/journal.ts'
import type { Platform } from '../ports/platform.ts'
import type { CommitPipeline } from './commit-pipeline.ts'
import type { StorageLimits } from './limits.ts'
import type { LogIndex } from './log-index.ts'
import type { ReaderPins } from './reader-pins.ts'
import type { RecentHeads } from './recent-heads.ts'
import type { RunCache } from './run-cache.ts'

/** What works on the stored batches beside readers and writers needs: garbage collection, copying, compaction. */
export interface UpkeepParts {
  readonly index: LogIndex
  readonly runs: RunCache
  readonly pins: ReaderPins
  readonly recentHeads: RecentHeads
  readonly pipeline: CommitPipeline
  readonly journal: Journal
  readonly platform: Platform
  readonly crc32c: Crc32c
  readonly limits: StorageLimits
}
