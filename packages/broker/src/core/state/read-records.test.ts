import { crc32c, RecordBatchBuilder } from '@millrace/wire'
import { beforeEach, expect, test } from 'vitest'
import { VirtualPlatform } from '../../../sim/virtual-platform.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { openLogStore } from '../../storage/open-log-store.ts'
import { ByteReader } from './bytes.ts'
import { readStateRecords, snapshotPartRead, snapshotPlace, type StateRecord } from './read-records.ts'
import { DELTA, FORMAT_VERSION, RECORD_OVERHEAD_BYTES, SNAPSHOT, TOMBSTONE } from './state-log.ts'

let platform: VirtualPlatform
let store: LogStore
let log: LogId

beforeEach(async () => {
  platform = new VirtualPlatform(1)
  store = await platform.until(openLogStore({ journal: await openMemoryJournal(), platform, crc32c, limits: {} }))
  log = store.createLog()
})

/** Commits one batch of records. */
async function write(...records: { readonly key: readonly number[]; readonly value?: readonly number[] }[]): Promise<void> {
  const batch = new RecordBatchBuilder(0, crc32c)
  for (const { key, value } of records) batch.append(0, Uint8Array.from(key), Uint8Array.from(value ?? []))
  store.append(log, batch.finish(), records.length)
  await platform.settle()
}

function keyOf(kind: number, entity: number, part: number): number[] {
  return [FORMAT_VERSION * 16 + kind, entity, part]
}

function snapshotPart(offset: number, bytes: number): StateRecord {
  return { kind: SNAPSHOT, entity: 1, part: 0, offset, content: new Uint8Array(bytes) }
}

function read(apply: (record: StateRecord) => void = () => {}): Promise<number> {
  return platform.until(readStateRecords(store, log, 'the log of pears', apply))
}

test('records come in order, with their offsets, over all batches', async () => {
  await write({ key: keyOf(SNAPSHOT, 3, 0), value: [1, 2] }, { key: keyOf(DELTA, 3, 0), value: [3] })
  await write({ key: keyOf(TOMBSTONE, 2, 1) })
  const records: StateRecord[] = []
  expect(await read((record) => records.push({ ...record, content: record.content.slice() }))).toBe(3)
  expect(records).toEqual([
    { kind: SNAPSHOT, entity: 3, part: 0, offset: 0, content: Uint8Array.of(1, 2) },
    { kind: DELTA, entity: 3, part: 0, offset: 1, content: Uint8Array.of(3) },
    { kind: TOMBSTONE, entity: 2, part: 1, offset: 2, content: new Uint8Array(0) },
  ])
})

test('an empty log says nothing', async () => {
  expect(await read(() => expect.unreachable())).toBe(0)
})

test('a newer format is refused with what to do', async () => {
  await write({ key: [(FORMAT_VERSION + 1) * 16, 1, 0] })
  await expect(read()).rejects.toMatchObject({
    code: 'data_unusable',
    message: `the log of pears has format ${FORMAT_VERSION + 1}; this Millrace reads format ${FORMAT_VERSION}: use the version that wrote it`,
  })
})

test.each([
  ['a kind that there is not', keyOf(9, 1, 0), 'unknown kind 9 of record'],
  ['a key that ends early', [FORMAT_VERSION * 16, 0x80], 'a state record ends early'],
  ['no key', [], 'a state record ends early'],
])('%s is found to be damage, with its place', async (_, damaged, why) => {
  await write({ key: keyOf(SNAPSHOT, 1, 0) })
  await write({ key: damaged })
  await expect(read()).rejects.toMatchObject({
    code: 'data_corrupt',
    message: `the log of pears cannot be read at offset 1: ${why}`,
  })
})

test('content that makes no sense to its reader is damage', async () => {
  await write({ key: keyOf(DELTA, 1, 0), value: [0x80] })
  await expect(read(({ content }) => void new ByteReader(content).varint())).rejects.toMatchObject({ code: 'data_corrupt' })
})

test('a cell is rebuilt from its latest whole snapshot', () => {
  const place = snapshotPlace(snapshotPart(10, 5))
  expect(place).toMatchObject({ rebuiltFrom: 10, snapshotBytes: 5 + RECORD_OVERHEAD_BYTES })
  // The end of one that was given up.
  snapshotPartRead(place, snapshotPart(11, 7), { isFirst: false, isFinal: true })
  expect(place.rebuiltFrom).toBe(10)
  snapshotPartRead(place, snapshotPart(12, 7), { isFirst: true, isFinal: false })
  expect(place.rebuiltFrom).toBe(10)
  // Begun again.
  snapshotPartRead(place, snapshotPart(15, 1), { isFirst: true, isFinal: false })
  snapshotPartRead(place, snapshotPart(17, 2), { isFirst: false, isFinal: true })
  expect(place).toEqual({ rebuiltFrom: 15, snapshotBytes: 3 + 2 * RECORD_OVERHEAD_BYTES, pending: undefined })
})
