import type { CursorState } from './cursor-state.ts'
import type { Outstanding } from './delivery-codec.ts'
import { NOT_RECORDED } from './ranges.ts'

/** Where the messages of a cursor are that are not settled. */
type Places = Pick<CursorState, 'position' | 'mark' | 'held' | 'returned' | 'delayed' | 'doomedRanges' | 'blocked'>

/** The lowest offset that is not settled. */
export function floorOf({ position, held, returned, delayed, doomedRanges, blocked }: Places): number {
  let floor = position
  for (const map of [held, returned, delayed, doomedRanges, blocked]) {
    const first = map?.first()
    if (first !== undefined && first.first < floor) floor = first.first
  }
  return floor
}

/** The first run of unsettled messages that ends at or after `offset` and lies below the mark. */
export function outstandingFrom(places: Places, offset: number): Outstanding | undefined {
  const held = places.held.from(offset)
  const returned = places.returned.from(offset)
  const delayed = places.delayed.from(offset)
  const doomed = places.doomedRanges.from(offset)
  const blocked = places.blocked?.from(offset)
  const nearest = Math.min(
    held?.first ?? Infinity,
    returned?.first ?? Infinity,
    delayed?.first ?? Infinity,
    doomed?.first ?? Infinity,
    blocked?.first ?? Infinity,
  )
  if (nearest === Infinity) {
    const first = Math.max(offset, places.position)
    return first < places.mark ? { first, last: places.mark - 1, attempts: 1 } : undefined
  }
  if (held?.first === nearest) return { first: held.first, last: held.last, attempts: held.lease.attempt }
  if (returned?.first === nearest) {
    const recorded = returned.recordedIn === NOT_RECORDED ? 0 : 1
    return { first: returned.first, last: returned.last, attempts: returned.attempts + recorded }
  }
  // Those that were never delivered go without another record as soon as it is their turn.
  if (blocked?.first === nearest) return { first: blocked.first, last: blocked.last, attempts: Math.max(1, blocked.attempts) }
  return delayed?.first === nearest ? delayed : doomed
}

/** The last offset below `offset` that is in a run which begins below it, or -1. */
export function lastOutstandingBefore({ held, returned, delayed, doomedRanges, blocked }: Places, offset: number): number {
  let last = -1
  for (const map of [held, returned, delayed, doomedRanges, blocked]) last = Math.max(last, map?.before(offset)?.last ?? -1)
  return last
}
