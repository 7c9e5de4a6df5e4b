import type { LogId, LogStore } from '../../storage/log-store.ts'
import { ByteReader } from '../state/bytes.ts'
import type { RecoveredCells } from '../state/read-cell-log.ts'
import { readStateRecords, snapshotPartRead, snapshotPlace, type SnapshotPlace, type StateRecord } from '../state/read-records.ts'
import { SNAPSHOT, TOMBSTONE } from '../state/state-log.ts'
import { GroupOffsets } from './group-offsets.ts'

interface Recovered extends SnapshotPlace {
  readonly cell: GroupOffsets
}

/** Reads the whole log of committed offsets. @throws MillraceError `data_corrupt`, `data_unusable` */
export async function readOffsets(store: LogStore, log: LogId): Promise<RecoveredCells<GroupOffsets>> {
  const found = new Map<number, Recovered>()
  const highestEntity = await readStateRecords(store, log, 'the log of committed offsets', (record) => {
    if (record.kind === TOMBSTONE) found.delete(record.entity)
    else if (record.kind === SNAPSHOT) applySnapshot(found, record)
    // One that comes before all snapshots of its group is contained in them.
    else found.get(record.entity)?.cell.applyDelta(new ByteReader(record.content))
  })
  return { log, cells: [...found.values()], highestEntity }
}

function applySnapshot(found: Map<number, Recovered>, record: StateRecord): void {
  const { entity, content } = record
  const isFirst = GroupOffsets.isFirstPart(content)
  let group = found.get(entity)
  if (group === undefined) {
    // The end of a snapshot that was given up, or is not needed any more.
    if (!isFirst) return
    group = { cell: GroupOffsets.readHeader(entity, new ByteReader(content)), ...snapshotPlace(record) }
    found.set(entity, group)
  }
  const isFinal = group.cell.applySnapshotPart(new ByteReader(content))
  snapshotPartRead(group, record, { isFirst, isFinal })
}
