import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { MIB } from '../../base/units.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { ByteReader, StateFormatError } from '../state/bytes.ts'
import { DELTA, FORMAT_VERSION, RECORD_OVERHEAD_BYTES, SNAPSHOT, TOMBSTONE } from '../state/state-log.ts'
import { Producer } from './producer.ts'
import type { RecoveredProducers } from './producers.ts'

const READ_BYTES: number = MIB
type Recovered = RecoveredProducers['producers'][number]

/** Reads the whole log of producers. @throws MillraceError `data_corrupt`, `data_unusable` */
export async function readProducers(store: LogStore, log: LogId): Promise<RecoveredProducers> {
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
    throw new MillraceError('data_corrupt', `the log of producers cannot be read at offset ${at}: ${error.message}`, {
      cause: error,
    })
  }
  return { log, producers: [...found.values()], highestEntity }
}

/** @returns the entity that the record speaks of */
function apply(found: Map<number, Recovered>, offset: number, keyBytes: Uint8Array | null, value: Uint8Array | null): number {
  const key = new ByteReader(keyBytes ?? new Uint8Array(0))
  const first = key.byte()
  if (first >>> 4 !== FORMAT_VERSION) {
    throw new MillraceError(
      'data_unusable',
      `the log of producers has format ${first >>> 4}; this Millrace reads format ${FORMAT_VERSION}: use the version that wrote it`,
    )
  }
  const kind = first & 15
  const entity = key.varint()
  const content = new ByteReader(value ?? new Uint8Array(0))
  if (kind === TOMBSTONE) found.delete(entity)
  else if (kind === SNAPSHOT) {
    const snapshotBytes = (value?.length ?? 0) + RECORD_OVERHEAD_BYTES
    found.set(entity, { producer: Producer.readSnapshot(entity, content), rebuiltFrom: offset, snapshotBytes })
  } else if (kind !== DELTA) throw new StateFormatError(`unknown kind ${kind} of record`)
  // One that comes before the snapshot which holds it says nothing new.
  else found.get(entity)?.producer.applyDelta(content)
  return entity
}
