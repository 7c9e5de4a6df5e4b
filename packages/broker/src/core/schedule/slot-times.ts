/**
 * The levels of slots, by wall clock. A slot of a level has 64 slots of the level below in it; its messages are moved to those
 * shortly before it begins. The coarsest level has no end: 184 slots are a hundred years.
 */
import { DAY_MS } from '../../base/units.ts'

export const LEVELS = 5
/** Widths are powers of two: about 1 s, 66 s, 70 min, 3 days, 199 days. */
const WIDTH_BITS = [10, 16, 22, 28, 34] as const
/** How long before it begins a slot is loaded (level 0) or split. */
const AHEAD_MS = [1024, 2 ** 14, 2 ** 18, 2 ** 22, 2 ** 28] as const

export const HORIZON_MS: number = 100 * 365.25 * DAY_MS

export function slotIndex(level: number, timeMs: number): number {
  return Math.floor(timeMs / 2 ** WIDTH_BITS[level]!)
}

export function slotStartMs(level: number, index: number): number {
  return index * 2 ** WIDTH_BITS[level]!
}

export function aheadMs(level: number): number {
  return AHEAD_MS[level]!
}

/** Where the first slot of a level begins that is not near yet. */
export function nearEndMs(level: number, nowMs: number): number {
  return slotStartMs(level, slotIndex(level, nowMs + AHEAD_MS[level]!) + 1)
}
