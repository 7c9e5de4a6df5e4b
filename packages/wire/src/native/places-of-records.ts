import type { RecordPlace } from './frames.ts'

/** Where one record of a batch that was published is. */
export interface PlaceOfRecord {
  readonly partition: number
  /** -1 when it is not known: of a duplicate any more, or of what an exchange gave away. */
  readonly offset: number
  /** It was published before, and that is where. */
  readonly duplicate?: true
}

/**
 * Where each of the `count` first records of a batch is.
 * @param runs those from a position on are side by side, but for duplicates among them
 * @param duplicates those that were published before, in order of their positions
 */
export function placesOfRecords(
  count: number,
  runs: readonly RecordPlace[],
  duplicates: readonly RecordPlace[],
): PlaceOfRecord[] {
  const places: PlaceOfRecord[] = []
  let run = -1
  let offset = 0
  let next = 0
  for (let n = 0; n < count; n++) {
    if (runs[run + 1]?.position === n) offset = runs[++run]!.offset
    const duplicate = duplicates[next]
    if (duplicate?.position === n) {
      places.push({ partition: duplicate.partition, offset: duplicate.offset, duplicate: true })
      next++
    } else places.push({ partition: runs[run]!.partition, offset: offset < 0 ? offset : offset++ })
  }
  return places
}
