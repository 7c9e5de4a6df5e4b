/** Reads logs in the form of the state log: docs/formats/state-log.md. */
import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { MIB } from '../../base/units.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { ByteReader, StateFormatError } from './bytes.ts'
import { DELTA, FORMAT_VERSION, RECORD_OVERHEAD_BYTES, SNAPSHOT, TOMBSTONE } from './state-log.ts'

const READ_BYTES: number = MIB
const NOTHING = new Uint8Array(0)

export interface StateRecord {
  readonly kind: typeof SNAPSHOT | typeof DELTA | typeof TOMBSTONE
  readonly entity: number
  /** See `StateCell`. */
  readonly part: number
  readonly offset: number
  /** A view of what was read. */
  readonly content: Uint8Array
}

/** Where a cell can be rebuilt from. */
export interface SnapshotPlace {
  rebuiltFrom: number
  snapshotBytes: number
  /** A snapshot of several parts that has begun but not ended. */
  pending: { readonly from: number; bytes: number } | undefined
}

/**
 * Reads a whole log, in order.
 * @param what `the log of producers`, for messages
 * @returns the highest entity that occurs; 0 when there is none
 * @throws MillraceError `data_corrupt` also for whatever else `apply` throws, `data_unusable`
 */
export async function readStateRecords(
  store: LogStore,
  log: LogId,
  what: string,
  apply: (record: StateRecord) => void,
): Promise<number> {
  const { start, end } = store.bounds(log)
  let highestEntity = 0
  let at = start
  try {
    while (at < end) {
      for (const batch of await store.read(log, at, READ_BYTES)) {
        const reader = new RecordReader(batch.bytes)
        while (reader.next()) {
          const record = stateRecord(what, reader, batch.baseOffset)
          highestEntity = Math.max(highestEntity, record.entity)
          apply(record)
        }
        at = batch.lastOffset + 1
      }
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new MillraceError('data_corrupt', `${what} cannot be read at offset ${at}: ${why}`, { cause: error })
  }
  return highestEntity
}

/** The place of a snapshot of which one part is known. */
export function snapshotPlace({ offset, content }: StateRecord): SnapshotPlace {
  return { rebuiltFrom: offset, snapshotBytes: content.length + RECORD_OVERHEAD_BYTES, pending: undefined }
}

/** A part of a snapshot was read: the place moves to where the snapshot begins, once all of it is there. */
export function snapshotPartRead(
  place: SnapshotPlace,
  { offset, content }: StateRecord,
  { isFirst, isFinal }: { readonly isFirst: boolean; readonly isFinal: boolean },
): void {
  if (isFirst) place.pending = { from: offset, bytes: 0 }
  // The end of a snapshot that was given up, or is not needed any more.
  if (place.pending === undefined) return
  place.pending.bytes += content.length + RECORD_OVERHEAD_BYTES
  if (!isFinal) return
  place.rebuiltFrom = place.pending.from
  place.snapshotBytes = place.pending.bytes
  place.pending = undefined
}

function stateRecord(what: string, reader: RecordReader, baseOffset: number): StateRecord {
  const key = new ByteReader(reader.key ?? NOTHING)
  const first = key.byte()
  const version = first >>> 4
  if (version !== FORMAT_VERSION) {
    throw new MillraceError(
      'data_unusable',
      `${what} has format ${version}; this Millrace reads format ${FORMAT_VERSION}: use the version that wrote it`,
    )
  }
  const kind = first & 15
  if (kind !== SNAPSHOT && kind !== DELTA && kind !== TOMBSTONE) throw new StateFormatError(`unknown kind ${kind} of record`)
  return {
    kind,
    entity: key.varint(),
    part: key.varint(),
    offset: baseOffset + reader.offsetDelta,
    content: reader.value ?? NOTHING,
  }
}
