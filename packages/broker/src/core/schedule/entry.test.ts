import { encodeBatch, RecordBatchBuilder } from '@millrace/wire'
import { expect, test } from 'vitest'
import { ENTRY_BYTES, type Entry, appendEntry, readEntries } from './entry.ts'

const batch = encodeBatch([
  { timestampMs: 1, value: new Uint8Array(3) },
  { timestampMs: 2, value: null },
])

test('entries are read as they were written', () => {
  const builder = new RecordBatchBuilder()
  const entries: Entry[] = [
    { dueMs: 1_700_000_000_123, id: 65_536, messages: 2, partition: -1, batch },
    { dueMs: 5_000_000_000_000, id: 2 ** 53 - 10, messages: 2, partition: 1023, batch },
  ]
  for (const entry of entries) appendEntry(builder, entry)
  const read: Entry[] = []
  readEntries(builder.finish(), (entry) => read.push({ ...entry, batch: entry.batch.slice() }))
  expect(read).toEqual(entries)
})

test('an entry takes as much room as is reserved for it, at most', () => {
  const builder = new RecordBatchBuilder()
  appendEntry(builder, { dueMs: 2 ** 52, id: 2 ** 53 - 10, messages: 2, partition: 2 ** 31, batch })
  expect(builder.finish().length).toBeLessThanOrEqual(batch.length + ENTRY_BYTES)
})
