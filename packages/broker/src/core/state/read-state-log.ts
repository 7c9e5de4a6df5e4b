import type { LogId, LogStore } from '../../storage/log-store.ts'
import { applyDelta, applySnapshotPart, isFirstPart } from '../delivery/delivery-codec.ts'
import { type DeliveryState, newDeliveryState } from '../delivery/delivery-state.ts'
import { BROKER_ENTITY, SCHEDULE_PART } from '../broker-identity.ts'
import * as scheduled from '../schedule/schedule-state.ts'
import { ByteReader, StateFormatError } from './bytes.ts'
import { readStateRecords, snapshotPartRead, snapshotPlace, type SnapshotPlace, type StateRecord } from './read-records.ts'
import { DELTA, TOMBSTONE } from './state-log.ts'

/** What the state log says of one entity. */
export interface RecoveredEntity {
  readonly id: number
  /** JSON text of its definition; undefined where only cursors of something deleted are left. */
  definition: RecoveredPart<string> | undefined
  /** By part; undefined while there is none. */
  cursors: Map<number, RecoveredPart<DeliveryState>> | undefined
}

export interface RecoveredPart<T> extends SnapshotPlace {
  readonly content: T
}

export interface RecoveredState {
  readonly entities: Map<number, RecoveredEntity>
  readonly schedule: RecoveredPart<scheduled.ScheduleState>
  /** The highest id that occurs. */
  readonly highestId: number
}

/** Reads the whole state log. @throws MillraceError `data_corrupt` when it does not make sense, `data_unusable` */
export async function readStateLog(store: LogStore, log: LogId): Promise<RecoveredState> {
  const entities = new Map<number, RecoveredEntity>()
  const schedule: RecoveredState['schedule'] = {
    content: new scheduled.ScheduleState(),
    rebuiltFrom: -1,
    snapshotBytes: 0,
    pending: undefined,
  }
  const decoder = new TextDecoder()
  const highestId = await readStateRecords(store, log, 'the state log', (record) => {
    if (record.entity === BROKER_ENTITY && record.part === SCHEDULE_PART) applySchedule(schedule, record)
    else if (record.kind === TOMBSTONE) entities.delete(record.entity)
    else apply(entities, decoder, record)
  })
  return { entities, schedule, highestId }
}

function apply(entities: Map<number, RecoveredEntity>, decoder: TextDecoder, record: StateRecord): void {
  const { entity: id, part, kind, content } = record
  let entity = entities.get(id)
  if (entity === undefined) {
    entity = { id, definition: undefined, cursors: undefined }
    entities.set(id, entity)
  }
  if (part === 0) {
    entity.definition = { content: decoder.decode(content), ...snapshotPlace(record) }
    return
  }
  const cursors = (entity.cursors ??= new Map())
  let cursor = cursors.get(part)
  if (cursor === undefined) {
    cursor = { content: newDeliveryState(), ...snapshotPlace(record) }
    cursors.set(part, cursor)
  }
  const bytes = new ByteReader(content)
  if (kind === DELTA) applyDelta(cursor.content, bytes)
  else snapshotPartRead(cursor, record, { isFirst: isFirstPart(content), isFinal: applySnapshotPart(cursor.content, bytes) })
}

function applySchedule(schedule: RecoveredState['schedule'], record: StateRecord): void {
  const { kind, content } = record
  if (kind === TOMBSTONE) throw new StateFormatError('the schedule is deleted, which never happens')
  if (schedule.rebuiltFrom < 0) Object.assign(schedule, snapshotPlace(record))
  const bytes = new ByteReader(content)
  if (kind === DELTA) scheduled.applyDelta(schedule.content, bytes)
  else {
    const isFinal = scheduled.applySnapshotPart(schedule.content, bytes)
    snapshotPartRead(schedule, record, { isFirst: scheduled.isFirstPart(content), isFinal })
  }
}
