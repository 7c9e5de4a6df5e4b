import { KIB, MIB } from '../../base/units.ts'

// hot path (bench/src/peers/compare-kafka.ts, consume)

/** What takes no longer than this, on average, is in the page cache, or on a disk so quick that it makes no difference. */
const CACHED_MS_PER_BYTE: number = 0.4 / MIB
/** How much the last read counts in the average. */
const LAST_SHARE = 0.2
/** The time of smaller reads tells more of the wait for a thread than of the bytes. */
export const TELLING_BYTES: number = 256 * KIB
/** What the broker's own thread reads before others have their turn: 0.3 ms from the page cache, 1.6 at most on average. */
const TURN_BYTES_MAX: number = 4 * MIB
/** A small read takes as long as so many bytes of a large one. */
const READ_BYTES_MIN: number = 32 * KIB

/** Milliseconds per byte, on average, of the file that was read last. */
let lastPace = Infinity
let turnBytes = 0

/** A read through the page cache, as it begins. */
export interface BegunRead {
  readonly startedMs: number
  readonly diskBlocks: number
}

/**
 * Whether the broker's own thread may read a file: what is in the page cache takes less time than waking another thread, which then waits for a processor.
 * Readers go from old files to new ones, so each is expected to be like the one before.
 */
export class CachePace {
  #pace: number | undefined

  get isAtOnce(): boolean {
    return (this.#pace ?? lastPace) <= CACHED_MS_PER_BYTE && turnBytes < TURN_BYTES_MAX
  }

  begin(): BegunRead {
    return { startedMs: performance.now(), diskBlocks: diskBlocks() }
  }

  /** @param bytes that came; less than `TELLING_BYTES` by another thread tells of the wait for that thread alone */
  end({ startedMs, diskBlocks: before }: BegunRead, bytes: number, byOwnThread: boolean): void {
    if (byOwnThread) countTurn(bytes)
    else if (bytes < TELLING_BYTES) return
    const msPerByte = (performance.now() - startedMs) / Math.max(bytes, TELLING_BYTES)
    // It may have been the wait for a processor.
    const isWait = msPerByte > CACHED_MS_PER_BYTE && before > 0 && diskBlocks() === before
    const last = isWait ? 0 : msPerByte
    const average = this.#pace ?? lastPace
    this.#pace = average === Infinity ? last : average + (last - average) * LAST_SHARE
    lastPace = this.#pace
  }
}

/** That this process has read so far, by any thread. 0 where the system does not count them. */
function diskBlocks(): number {
  return process.resourceUsage().fsRead
}

function countTurn(bytes: number): void {
  if (turnBytes === 0) setImmediate(() => (turnBytes = 0))
  turnBytes += Math.max(bytes, READ_BYTES_MIN)
}
