import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { MIB } from '../../base/units.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { applyDelta, applySnapshotPart, isFirstPart } from '../delivery/delivery-codec.ts'
import { type DeliveryState, newDeliveryState } from '../delivery/delivery-state.ts'
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
  /** The highest id that occurs. */
  readonly highestId: number
}

/** Reads the whole state log. @throws MillraceError `data_corrupt` when it does not make sense */
export async function readStateLog(store: LogStore, log: LogId): Promise<RecoveredState> {
  const entities = new Map<number, RecoveredEntity>()
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
          apply(entities, decoder, kind, id, key.varint(), offset, reader.value ?? new Uint8Array(0))
        }
        at = batch.lastOffset + 1
      }
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError('data_corrupt', `the state log cannot be read at offset ${at}: ${String(error)}`, { cause: error })
  }
  return { entities, highestId }
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
  const final = applySnapshotPart(cursor.content, new ByteReader(value))
  if (cursor.pending === undefined) return
  cursor.pending.bytes += bytes
  if (!final) return
  cursor.rebuiltFrom = cursor.pending.from
  cursor.snapshotBytes = cursor.pending.bytes
  cursor.pending = undefined
}
