import { KIB, MIB } from '../base/units.ts'
import type { LogStoreLimits } from './log-store.ts'

/** All that bounds the store. The fields beyond `LogStoreLimits` matter to nobody outside of this folder but the simulator. */
export interface StorageLimits extends LogStoreLimits {
  /** Adjacent batches of one log in one commit share an index entry up to this many bytes. */
  readonly entryBytesMax: number
  /** Batches of at least this size are written from where they are, not gathered per log, and have an index entry of their own. */
  readonly largeBatchBytes: number
  /** Decoded index runs kept for cold reads. */
  readonly runCacheBytes: number
  /** Headers and directories of the last commits, kept for garbage collection. */
  readonly recentHeadsBytes: number
  readonly recentHeadsCommits: number
  /** What is read from the journal before it is asked for, for all readers together. */
  readonly readAheadBytes: number
  /** How long what nobody waits for stays in the open commit, for others to join it. */
  readonly lingerMs: number
  /** A checkpoint starts after this many commits even if they were small: what bounds the time to open. */
  readonly checkpointCommits: number
  /** Next checkpoint not before so many times the size of the last one was written. */
  readonly checkpointRatio: number
  /** Bytes of a checkpoint, of sealed runs and of copied records that one commit takes at most, each. */
  readonly sliceBytes: number
  /** Commits after which garbage collection looks for something to do. */
  readonly collectCommits: number
  /**
   * Dead bytes in the journal up to which nothing alive is copied forward to free them: most of what is alive beside them dies soon,
   * and extents with nothing alive are freed in any case.
   */
  readonly deadBytesMin: number
  /** Room in the journal that publishes leave for trims, acknowledgements, copying and checkpoints. */
  readonly headroomReserveBytes: number
  /** How long to wait before a commit is tried again that the journal had no room for, and before room is looked at again. */
  readonly fullRetryMs: number
  /** How often room is looked at while nothing is committed. */
  readonly roomWatchMs: number
}

export const defaultStorageLimits: StorageLimits = {
  // A message of 16 MiB, and a MiB for what is said about it.
  batchBytesMax: 17 * MIB,
  commitBytesMax: 4 * MIB,
  pendingBytesHigh: 16 * MIB,
  pendingBytesLow: 8 * MIB,
  tailCacheBytes: 24 * MIB,
  indexRunEntries: 128,
  checkpointBytes: 64 * MIB,
  liveShareMin: 0.5,
  entryBytesMax: 64 * KIB,
  largeBatchBytes: 16 * KIB,
  runCacheBytes: 8 * MIB,
  recentHeadsBytes: 2 * MIB,
  recentHeadsCommits: 16_384,
  readAheadBytes: 16 * MIB,
  lingerMs: 5,
  checkpointCommits: 20_000,
  checkpointRatio: 8,
  sliceBytes: 256 * KIB,
  collectCommits: 256,
  deadBytesMin: 512 * MIB,
  headroomReserveBytes: 32 * MIB,
  fullRetryMs: 250,
  roomWatchMs: 5000,
}
