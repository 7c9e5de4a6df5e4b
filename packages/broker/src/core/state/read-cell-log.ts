/** Reads a log of cells that each are one entity with one part: a log in the form of the state log. */
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { ByteReader } from './bytes.ts'
import type { LoggedCell } from './cell-log.ts'
import { readStateRecords, snapshotPlace } from './read-records.ts'
import { type RecoveredCell, SNAPSHOT, TOMBSTONE } from './state-log.ts'

/** What a restart found. */
export interface RecoveredCells<C extends LoggedCell> {
  readonly log: LogId
  readonly cells: readonly (RecoveredCell & { readonly cell: C })[]
  readonly highestEntity: number
}

/**
 * @param what `the log of producers`, for messages
 * @throws MillraceError `data_corrupt`, `data_unusable`
 */
export async function readCellLog<C extends LoggedCell>(
  store: LogStore,
  log: LogId,
  what: string,
  readSnapshot: (entity: number, from: ByteReader) => C,
): Promise<RecoveredCells<C>> {
  const found = new Map<number, RecoveredCell & { readonly cell: C }>()
  const highestEntity = await readStateRecords(store, log, what, (record) => {
    const { kind, entity } = record
    const content = new ByteReader(record.content)
    if (kind === TOMBSTONE) found.delete(entity)
    else if (kind === SNAPSHOT) found.set(entity, { cell: readSnapshot(entity, content), ...snapshotPlace(record) })
    // One that comes before the snapshot which holds it says nothing new.
    else found.get(entity)?.cell.applyDelta(content)
  })
  return { log, cells: [...found.values()], highestEntity }
}
