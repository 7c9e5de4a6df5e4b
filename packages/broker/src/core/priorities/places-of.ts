import type { DuplicateRecord, PlacedRun } from '../broker.ts'
import type { LevelScan } from './level-scan.ts'

/** What became of the part of one level. */
export interface AppendedPart {
  readonly partition: number
  readonly base: number
  /** Positions are those in the part. */
  readonly duplicates: readonly DuplicateRecord[] | undefined
}

export interface Places {
  /** Run by run, in the order of the batch. */
  readonly placed: PlacedRun[]
  readonly duplicates: DuplicateRecord[]
}

/** Where the records of a batch are that was appended part by part. @param scan of this batch */
export function placesOf({ levels, records }: LevelScan, parts: readonly AppendedPart[]): Places {
  const placed: PlacedRun[] = []
  const duplicates: DuplicateRecord[] = []
  const cursors: PartCursor[] = []
  for (const part of parts) cursors[part.partition] = { part, position: 0, told: 0, offset: part.base }
  let run = -1
  for (let position = 0; position < records; position++) {
    const level = levels[position]!
    const cursor = cursors[level]!
    const duplicate = cursor.part.duplicates?.[cursor.told]
    if (duplicate?.position === cursor.position++) {
      cursor.told++
      duplicates.push({ ...duplicate, position })
      continue
    }
    if (level !== run) placed.push({ position, partition: level, offset: cursor.offset })
    run = level
    cursor.offset++
  }
  return { placed, duplicates }
}

/** How far a part is gone through. */
interface PartCursor {
  readonly part: AppendedPart
  position: number
  told: number
  offset: number
}
