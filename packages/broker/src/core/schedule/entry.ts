/** A delayed batch as a slot stores it: one record of a record batch. Bytes: docs/formats/schedule.md. */
import { batchRecordCount, type RecordBatchBuilder, RecordReader } from '@millrace/wire'
import { ByteReader, ByteWriter } from '../state/bytes.ts'

/** What an entry takes beside the batch in it, at most. */
export const ENTRY_BYTES = 160

export interface Entry {
  readonly dueMs: number
  /** Id of the first message; the others follow. */
  readonly id: number
  readonly messages: number
  /** -1: any. */
  readonly partition: number
  readonly batch: Uint8Array
}

const key = new ByteWriter()

export function appendEntry(builder: RecordBatchBuilder, entry: Entry): void {
  key.clear()
  key.varint(entry.dueMs)
  key.varint(entry.id)
  key.varint(entry.partition + 1)
  builder.append(entry.dueMs, key.view(), entry.batch)
}

/** Calls back for each entry of a stored batch. Bytes are views. @throws BatchFormatError, StateFormatError */
export function readEntries(stored: Uint8Array, take: (entry: Entry) => void): void {
  const reader = new RecordReader(stored)
  while (reader.next()) {
    const from = new ByteReader(reader.key!)
    const batch = reader.value!
    const dueMs = from.varint()
    const id = from.varint()
    take({ dueMs, id, messages: batchRecordCount(batch), partition: from.varint() - 1, batch })
  }
}
