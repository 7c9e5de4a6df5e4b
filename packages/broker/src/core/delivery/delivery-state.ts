import { RangeMap } from './range-map.ts'
import { type DelayedRange, type DoomedRange, NOT_RECORDED, ReturnedRange } from './ranges.ts'

/**
 * What a restart must know of one cursor: the delivery state of one log for one queue or subscription. A message below
 * `mark` that is in none of the maps was settled. Those at `mark` and above were never delivered.
 */
export interface DeliveryState {
  /** Everything below was or may have been delivered at least once. */
  mark: number
  /** Where the cursor began. */
  origin: number
  /** Set while the position for a start by time is still being looked for. */
  seekTimestampMs: number | undefined
  readonly returned: RangeMap<ReturnedRange>
  readonly delayed: RangeMap<DelayedRange>
  readonly doomed: RangeMap<DoomedRange>
  readonly counters: DeliveryCounters
}

export interface DeliveryCounters {
  delivered: number
  redelivered: number
  acked: number
  deadLettered: number
  dropped: number
}

export function newDeliveryState(origin: number = 0, seekTimestampMs?: number): DeliveryState {
  return {
    mark: origin,
    origin,
    seekTimestampMs,
    returned: new RangeMap(),
    delayed: new RangeMap(),
    doomed: new RangeMap(),
    counters: newCounters(),
  }
}

export function newCounters(): DeliveryCounters {
  return { delivered: 0, redelivered: 0, acked: 0, deadLettered: 0, dropped: 0 }
}

/** Puts `first..last` back among those that wait to be delivered again, sharing the range of an equal neighbour. */
export function insertReturned(
  map: RangeMap<ReturnedRange>,
  first: number,
  last: number,
  attempts: number,
  recordedIn: number = NOT_RECORDED,
): void {
  const before = map.endingBefore(first)
  const after = map.from(last + 1)
  let end = last
  if (after !== undefined && after.first === last + 1 && after.attempts === attempts && after.recordedIn === recordedIn) {
    map.remove(after)
    end = after.last
  }
  if (before !== undefined && before.attempts === attempts && before.recordedIn === recordedIn) map.grow(before, end)
  else map.insert(new ReturnedRange(first, end, attempts, recordedIn))
}

/** Adds a range to those that wait for their move, or lets an equal one before it grow: the dead letters may be held up for long. */
export function insertDoomed(map: RangeMap<DoomedRange>, range: DoomedRange): void {
  const { first, last, attempts, death, error, parked } = range
  const before = map.endingBefore(first)
  const isSame = before?.attempts === attempts && before.death === death && before.error === error && before.parked === parked
  if (before !== undefined && isSame) map.grow(before, last)
  else map.insert(range)
}

/**
 * Takes `first..last` out of a map, splitting the ranges at its edges.
 * @param tail makes the object for what is left behind a range that is cut in two
 * @returns how many offsets were there
 */
export function removeOffsets<T extends { first: number; last: number }>(
  map: RangeMap<T>,
  first: number,
  last: number,
  tail: (range: T, first: number, last: number) => T,
): number {
  let removed = 0
  for (let range = map.from(first); range !== undefined && range.first <= last; range = map.from(first)) {
    const from = Math.max(range.first, first)
    const to = Math.min(range.last, last)
    removed += to - from + 1
    const end = range.last
    if (range.first === from && end === to) map.remove(range)
    else if (range.first === from) map.cutFront(range, to + 1)
    else {
      map.cutBack(range, from - 1)
      if (end > to) map.insert(tail(range, to + 1, end))
    }
  }
  return removed
}
