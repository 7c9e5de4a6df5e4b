import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { MIB } from '../../base/units.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { applyDelta, applySnapshotPart, isFirstPart } from '../delivery/delivery-codec.ts'
import { type DeliveryState, newDeliveryState } from '../delivery/delivery-state.ts'
import { BROKER_ENTITY, SCHEDULE_PART } from '../broker-identity.ts'
import * as scheduled from '../schedule/schedule-state.ts'
import { ByteReader, StateFormatError } from './bytes.ts'
import { DELTA, FORMAT_VERSION, RECORD_OVERHEAD_BYTES, SNAPSHOT, TOMBSTONE } from './state-log.ts'

const READ_BYTES = MIB

/** What the state log says of one entity. */
export interface RecoveredEntity {
  readonly id: number
  /** JSON text of its definition; undefined where only cursors of something deleted are left. */
  definition: RecoveredPart<string> | undefined
  /** By part; undefined while there is none. */
  cursors: Map<number, RecoveredPart<DeliveryState>> | undefined
}

export interface RecoveredPart<T> {
  content: T
  rebuiltFrom: number
  snapshotBytes: number
  /** A snapshot of several parts that has begun but not ended. */
  pending: { readonly from: number; bytes: number } | undefined
}

export interface RecoveredState {
  readonly entities: Map<number, RecoveredEntity>
  readonly schedule: RecoveredPart<scheduled.ScheduleState>
  /** The highest id that occurs. */
  readonly highestId: number
}

/** Reads the whole state log. @throws MillraceError `data_corrupt` when it does not make sense */
export async function readStateLog(store: LogStore, log: LogId): Promise<RecoveredState> {
  const entities = new Map<number, RecoveredEntity>()
  const schedule: RecoveredState['schedule'] = {
    content: new scheduled.ScheduleState(),
    rebuiltFrom: -1,
    snapshotBytes: 0,
    pending: undefined,
  }
  const decoder = new TextDecoder()
  let highestId = 0
  let at = store.bounds(log).start
  try {
    for (;;) {
      const batches = await store.read(log, at, READ_BYTES)
      if (batches.length === 0) break
      for (const batch of batches) {
        const reader = new RecordReader(batch.bytes)
        while (reader.next()) {
          const offset = batch.baseOffset + reader.offsetDelta
          const key = new ByteReader(reader.key ?? new Uint8Array(0))
          const kind = kindOf(key.byte())
          const id = key.varint()
          highestId = Math.max(highestId, id)
          const part = key.varint()
          const value = reader.value ?? new Uint8Array(0)
          if (id === BROKER_ENTITY && part === SCHEDULE_PART) applySchedule(schedule, kind, offset, value)
          else apply(entities, decoder, kind, id, part, offset, value)
        }
        at = batch.lastOffset + 1
      }
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError('data_corrupt', `the state log cannot be read at offset ${at}: ${String(error)}`, { cause: error })
  }
  return { entities, schedule, highestId }
}

function kindOf(byte: number): number {
  const version = byte >>> 4
  if (version === FORMAT_VERSION) return byte & 15
  throw new MillraceError(
    'data_unusable',
    `the state log has format ${version}; this Millrace reads format ${FORMAT_VERSION}: use the version that wrote it`,
  )
}

function apply(
  entities: Map<number, RecoveredEntity>,
  decoder: TextDecoder,
  kind: number,
  id: number,
  part: number,
  offset: number,
  value: Uint8Array,
): void {
  if (kind === TOMBSTONE) {
    entities.delete(id)
    return
  }
  if (kind !== SNAPSHOT && kind !== DELTA) throw new StateFormatError(`unknown kind ${kind} of state record`)
  let entity = entities.get(id)
  if (entity === undefined) {
    entity = { id, definition: undefined, cursors: undefined }
    entities.set(id, entity)
  }
  const bytes = value.length + RECORD_OVERHEAD_BYTES
  if (part === 0) {
    entity.definition = { content: decoder.decode(value), rebuiltFrom: offset, snapshotBytes: bytes, pending: undefined }
    return
  }
  const cursors = (entity.cursors ??= new Map())
  let cursor = cursors.get(part)
  if (cursor === undefined) {
    cursor = { content: newDeliveryState(), rebuiltFrom: offset, snapshotBytes: bytes, pending: undefined }
    cursors.set(part, cursor)
  }
  if (kind === DELTA) {
    applyDelta(cursor.content, new ByteReader(value))
    return
  }
  if (isFirstPart(value)) cursor.pending = { from: offset, bytes: 0 }
  snapshotPartRead(cursor, bytes, applySnapshotPart(cursor.content, new ByteReader(value)))
}

function applySchedule(part: RecoveredState['schedule'], kind: number, offset: number, value: Uint8Array): void {
  if (kind !== SNAPSHOT && kind !== DELTA) throw new StateFormatError(`unknown kind ${kind} of a record of the schedule`)
  const bytes = value.length + RECORD_OVERHEAD_BYTES
  if (part.rebuiltFrom < 0) {
    part.rebuiltFrom = offset
    part.snapshotBytes = bytes
  }
  if (kind === DELTA) {
    scheduled.applyDelta(part.content, new ByteReader(value))
    return
  }
  if (scheduled.isFirstPart(value)) part.pending = { from: offset, bytes: 0 }
  snapshotPartRead(part, bytes, scheduled.applySnapshotPart(part.content, new ByteReader(value)))
}

function snapshotPartRead(part: RecoveredPart<unknown>, bytes: number, isFinal: boolean): void {
  if (part.pending === undefined) return
  part.pending.bytes += bytes
  if (!isFinal) return
  part.rebuiltFrom = part.pending.from
  part.snapshotBytes = part.pending.bytes
  part.pending = undefined
}
