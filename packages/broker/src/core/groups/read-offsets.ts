import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { MIB } from '../../base/units.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { ByteReader, StateFormatError } from '../state/bytes.ts'
import { DELTA, FORMAT_VERSION, RECORD_OVERHEAD_BYTES, SNAPSHOT, TOMBSTONE } from '../state/state-log.ts'
import type { RecoveredCells } from '../state/read-cell-log.ts'
import { GroupOffsets } from './group-offsets.ts'

const READ_BYTES: number = MIB

interface Recovered {
  readonly cell: GroupOffsets
  rebuiltFrom: number
  snapshotBytes: number
  /** A snapshot that has begun and not ended. */
  pending: { readonly from: number; bytes: number } | undefined
}

/** Reads the whole log of committed offsets. @throws MillraceError `data_corrupt`, `data_unusable` */
export async function readOffsets(store: LogStore, log: LogId): Promise<RecoveredCells<GroupOffsets>> {
  const found = new Map<number, Recovered>()
  const { start, end } = store.bounds(log)
  let highestEntity = 0
  let at = start
  try {
    while (at < end) {
      for (const batch of await store.read(log, at, READ_BYTES)) {
        const record = new RecordReader(batch.bytes)
        while (record.next()) {
          const entity = apply(found, batch.baseOffset + record.offsetDelta, record.key, record.value)
          highestEntity = Math.max(highestEntity, entity)
        }
        at = batch.lastOffset + 1
      }
    }
  } catch (error) {
    if (!(error instanceof StateFormatError)) throw error
    throw new MillraceError('data_corrupt', `the log of committed offsets cannot be read at offset ${at}: ${error.message}`, {
      cause: error,
    })
  }
  return { log, cells: [...found.values()], highestEntity }
}

/** @returns the entity that the record speaks of */
function apply(found: Map<number, Recovered>, at: number, keyBytes: Uint8Array | null, value: Uint8Array | null): number {
  const key = new ByteReader(keyBytes ?? new Uint8Array(0))
  const first = key.byte()
  if (first >>> 4 !== FORMAT_VERSION) {
    throw new MillraceError(
      'data_unusable',
      `the log of committed offsets has format ${first >>> 4}; this Millrace reads format ${FORMAT_VERSION}: use the version that wrote it`,
    )
  }
  const kind = first & 15
  const entity = key.varint()
  const content = value ?? new Uint8Array(0)
  if (kind === TOMBSTONE) found.delete(entity)
  else if (kind === SNAPSHOT) applySnapshot(found, entity, at, content)
  else if (kind !== DELTA) throw new StateFormatError(`unknown kind ${kind} of record`)
  // One that comes before all snapshots of its group is contained in them.
  else found.get(entity)?.cell.applyDelta(new ByteReader(content))
  return entity
}

function applySnapshot(found: Map<number, Recovered>, entity: number, at: number, content: Uint8Array): void {
  const bytes = content.length + RECORD_OVERHEAD_BYTES
  const isFirst = GroupOffsets.isFirstPart(content)
  let group = found.get(entity)
  if (group === undefined) {
    // The end of a snapshot that was given up, or is not needed any more.
    if (!isFirst) return
    const cell = GroupOffsets.readHeader(entity, new ByteReader(content))
    group = { cell, rebuiltFrom: at, snapshotBytes: bytes, pending: undefined }
    found.set(entity, group)
  }
  if (isFirst) group.pending = { from: at, bytes: 0 }
  const isFinal = group.cell.applySnapshotPart(new ByteReader(content))
  if (group.pending === undefined) return
  group.pending.bytes += bytes
  if (!isFinal) return
  group.rebuiltFrom = group.pending.from
  group.snapshotBytes = group.pending.bytes
  group.pending = undefined
}
