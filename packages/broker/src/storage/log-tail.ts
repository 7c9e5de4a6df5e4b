import { copyEntries, moveEntries, type EntryPool } from './entry-pool.ts'
import type { LogState } from './log-state.ts'

// hot path (bench/src/log-store.ts)

/** Index (0..tailCount) of the first entry in the tail that ends after `offset`. */
export function findInTail(pool: EntryPool, log: LogState, offset: number): number {
  if (log.tailCount === 0) return 0
  const page = pool.page(log.tailHandle)
  const at = pool.first(log.tailHandle) + log.tailFirst
  let low = 0
  let high = log.tailCount
  while (low < high) {
    const middle = (low + high) >>> 1
    if (page.base[at + middle]! + page.offsets[at + middle]! <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** Puts an entry where its offsets belong, which is nearly always at the end. */
export function insertInTail(
  pool: EntryPool,
  log: LogState,
  base: number,
  offsets: number,
  seq: number,
  position: number,
  length: number,
  timestampMs: number,
  shape: number,
): void {
  if (log.tailHandle < 0 || log.tailFirst + log.tailCount === 1 << log.tailClass) makeRoom(pool, log)
  const page = pool.page(log.tailHandle)
  const first = pool.first(log.tailHandle) + log.tailFirst
  let at = first + log.tailCount
  while (at > first && page.base[at - 1]! > base) at--
  if (at < first + log.tailCount) moveEntries(page, at, at + 1, first + log.tailCount - at)
  page.base[at] = base
  page.offsets[at] = offsets
  page.seq[at] = seq
  page.position[at] = position
  page.length[at] = length
  page.timestampMs[at] = timestampMs
  page.shape[at] = shape
  log.tailCount++
}

/** Takes `count` entries out, from the one with index `from` on. */
export function removeFromTail(pool: EntryPool, log: LogState, from: number, count: number): void {
  if (count === 0) return
  if (count === log.tailCount) {
    releaseTail(pool, log)
    return
  }
  if (from === 0) {
    log.tailFirst += count
    log.tailCount -= count
    if (log.tailClass >= SHRINK_CLASS_MIN && log.tailCount << SHRINK_SHIFT <= 1 << log.tailClass) shrink(pool, log)
    return
  }
  const at = pool.first(log.tailHandle) + log.tailFirst + from
  moveEntries(pool.page(log.tailHandle), at + count, at, log.tailCount - from - count)
  log.tailCount -= count
}

export function releaseTail(pool: EntryPool, log: LogState): void {
  if (log.tailHandle >= 0) pool.release(log.tailHandle, log.tailClass)
  log.tailHandle = -1
  log.tailFirst = 0
  log.tailCount = 0
}

/** After a run was sealed little is left: a log that falls silent then should not hold a large region. */
function shrink(pool: EntryPool, log: LogState): void {
  const sizeClass = 32 - Math.clz32(log.tailCount)
  moveTo(pool, log, sizeClass)
}

/** Regions below 2^5 entries are not worth the copying. */
const SHRINK_CLASS_MIN = 5
/** A region shrinks when 1/8 of it is in use. */
const SHRINK_SHIFT = 3

/** Makes a free entry at the end: by moving to the front of the region when at least half of it is free, or into one that fits. */
function makeRoom(pool: EntryPool, log: LogState): void {
  if (log.tailHandle < 0) {
    log.tailClass = 0
    log.tailHandle = pool.allocate(0)
    return
  }
  const page = pool.page(log.tailHandle)
  const start = pool.first(log.tailHandle)
  if (log.tailFirst > 0 && log.tailFirst * 2 >= 1 << log.tailClass) {
    moveEntries(page, start + log.tailFirst, start, log.tailCount)
    log.tailFirst = 0
    return
  }
  moveTo(pool, log, log.tailClass + 1)
}

function moveTo(pool: EntryPool, log: LogState, sizeClass: number): void {
  const handle = pool.allocate(sizeClass)
  const at = pool.first(log.tailHandle) + log.tailFirst
  copyEntries(pool.page(log.tailHandle), at, pool.page(handle), pool.first(handle), log.tailCount)
  pool.release(log.tailHandle, log.tailClass)
  log.tailHandle = handle
  log.tailClass = sizeClass
  log.tailFirst = 0
}
