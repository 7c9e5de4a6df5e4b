import {
  BATCH_HAS_EXPIRY,
  batchAttributes,
  batchProblem,
  batchRecordCount,
  crc32c,
  decodeBatch,
  encodeBatch,
  encodeText,
  type RecordHeader,
  type BatchRecord,
} from '@millrace/wire'
import { expect, test } from 'vitest'
import { laterBatch, laterLives } from './later-batch.ts'

const NOW_MS = 1_700_000_000_000
const text = (key: string, value: string): RecordHeader => ({ key, value: encodeText(value) })
const record = (timestampMs: number, ...headers: readonly RecordHeader[]): Omit<BatchRecord, 'offset'> => ({
  timestampMs,
  key: encodeText('k'),
  value: encodeText('v'),
  headers,
})

test('all timestamps are later, and nothing else is changed', () => {
  const batch = encodeBatch([record(NOW_MS, text('expires-at', String(NOW_MS + 50))), record(NOW_MS + 3)]).slice()
  const before = batch.slice()
  const later = laterBatch(batch, 1000, crc32c)
  expect(batchProblem(later)).toBeUndefined()
  expect(decodeBatch(later)).toEqual(decodeBatch(batch).map((each) => ({ ...each, timestampMs: each.timestampMs + 1000 })))
  expect(batch).toEqual(before)
})

test('what messages have to live moves with their timestamps', () => {
  const records = [
    record(NOW_MS, text('a', '1'), text('expires-at', String(NOW_MS + 50)), text('z', '2')),
    record(NOW_MS + 3),
    record(NOW_MS + 4, text('expires-at', '999')),
  ]
  const batch = encodeBatch(records).slice()
  const later = laterLives(batch, 1000, crc32c)
  expect(batchProblem(later)).toBeUndefined()
  expect(batchAttributes(later)).toBe(BATCH_HAS_EXPIRY)
  expect(decodeBatch(later)).toMatchObject([
    record(NOW_MS + 1000, text('a', '1'), text('expires-at', String(NOW_MS + 1050)), text('z', '2')),
    record(NOW_MS + 1003),
    record(NOW_MS + 1004, text('expires-at', '1999')),
  ])
})

test.each(['tomorrow', '', '-5', '9007199254740992'])('an expiry %j that is no time stays', (value) => {
  const odd = [text('expires-at', value), { key: 'expires-at', value: null }]
  const later = laterLives(encodeBatch([record(NOW_MS, ...odd)]).slice(), 1000, crc32c)
  expect(batchRecordCount(later)).toBe(1)
  expect(decodeBatch(later)[0]!.headers).toEqual(odd)
})

test('what is not later is as it was', () => {
  const batch = encodeBatch([record(NOW_MS, text('expires-at', '5'))]).slice()
  expect([laterBatch(batch, -1, crc32c), laterLives(batch, -1, crc32c)]).toEqual([batch, batch])
})
