import { hash31 } from '../hash.ts'

/**
 * Rows are spread over lanes. The messages of one key share a lane, and one relay at a time empties a lane, in order. The number of
 * lanes is part of the stored form: programs that disagree about it would put one key into two lanes.
 */
export const KEYED_LANES = 64
/** Lanes of messages without a key, after the others. They have no order, and their writers need not be waited for. */
const KEYLESS_LANES = 8
export const LANES: number = KEYED_LANES + KEYLESS_LANES

export function laneOfKey(destination: string, key: Uint8Array): number {
  return hash31(destination, key) % KEYED_LANES
}

/** @param turn counts up, so that messages without a key use all their lanes */
export function keylessLane(turn: number): number {
  return KEYED_LANES + (turn % KEYLESS_LANES)
}
