/** Reads a log of cells that each are one entity with one part: a log in the form of the state log. */
import { RecordReader } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { MIB } from '../../base/units.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { ByteReader, StateFormatError } from './bytes.ts'
import type { LoggedCell } from './cell-log.ts'
import { DELTA, FORMAT_VERSION, type RecoveredCell, RECORD_OVERHEAD_BYTES, SNAPSHOT, TOMBSTONE } from './state-log.ts'

const READ_BYTES: number = MIB

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
  const { start, end } = store.bounds(log)
  let highestEntity = 0
  let at = start
  try {
    while (at < end) {
      for (const batch of await store.read(log, at, READ_BYTES)) {
        const record = new RecordReader(batch.bytes)
        while (record.next()) {
          const key = new ByteReader(record.key ?? new Uint8Array(0))
          const kind = kindOf(what, key.byte())
          const entity = key.varint()
          const content = new ByteReader(record.value ?? new Uint8Array(0))
          highestEntity = Math.max(highestEntity, entity)
          if (kind === TOMBSTONE) found.delete(entity)
          else if (kind === SNAPSHOT) {
            const snapshotBytes = content.left + RECORD_OVERHEAD_BYTES
            const rebuiltFrom = batch.baseOffset + record.offsetDelta
            found.set(entity, { cell: readSnapshot(entity, content), rebuiltFrom, snapshotBytes })
          } else if (kind !== DELTA) throw new StateFormatError(`unknown kind ${kind} of record`)
          // One that comes before the snapshot which holds it says nothing new.
          else found.get(entity)?.cell.applyDelta(content)
        }
        at = batch.lastOffset + 1
      }
    }
  } catch (error) {
    if (!(error instanceof StateFormatError)) throw error
    throw new MillraceError('data_corrupt', `${what} cannot be read at offset ${at}: ${error.message}`, { cause: error })
  }
  return { log, cells: [...found.values()], highestEntity }
}

function kindOf(what: string, first: number): number {
  if (first >>> 4 === FORMAT_VERSION) return first & 15
  throw new MillraceError(
    'data_unusable',
    `${what} has format ${first >>> 4}; this Millrace reads format ${FORMAT_VERSION}: use the version that wrote it`,
  )
}
