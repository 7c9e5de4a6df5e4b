import { BatchFormatError, batchProblem, crc32c, decodeBatch, encodeBatch, readHeaders, RecordCursor } from '@millrace/wire'
import type { BatchRecord } from '@millrace/wire'
import { expect, test } from 'vitest'
import { fuzzing } from './fuzz.ts'
import type { FuzzRandom } from './fuzz.ts'

test(
  'record batch: what was encoded is what is decoded',
  fuzzing((random) => {
    const records = randomRecords(random)
    const batch = encodeBatch(records).slice()
    expect(batchProblem(batch)).toBeUndefined()
    expect(decodeBatch(batch)).toEqual(records.map((record, offset) => ({ offset, ...record })))
  }),
)

test(
  'record batch: damage is told, and never read beyond the batch',
  fuzzing((random) => {
    const mutant = random.mutate(encodeBatch(randomRecords(random)).slice())
    // With a right checksum a batch gets past the first check, as one that a faulty client sent on purpose does.
    if (mutant.length > 61 && random.chance(0.7)) {
      new DataView(mutant.buffer).setInt32(8, mutant.length - 12)
      new DataView(mutant.buffer).setUint32(17, crc32c(mutant.subarray(21)))
    }
    if (batchProblem(mutant) !== undefined) return
    const read = attempt(() => decodeBatch(mutant))
    const walked = attempt(() => walk(mutant))
    // Two readers of one format: they agree on what the records are. Either may be the stricter one about damage.
    if (read !== undefined && walked !== undefined) expect(walked).toEqual(read)
    for (const record of read ?? []) expect(record.value?.length ?? 0).toBeLessThanOrEqual(mutant.length)
  }),
)

test(
  'record batch: a cut or random batch is refused',
  fuzzing((random) => {
    const batch = encodeBatch(randomRecords(random))
    expect(batchProblem(batch.slice(0, random.between(0, batch.length - 1)))).toBeTypeOf('string')
    expect(batchProblem(random.bytes(random.between(0, 200)))).toBeTypeOf('string')
  }),
)

function randomRecords(random: FuzzRandom): Omit<BatchRecord, 'offset'>[] {
  const blob = (): Uint8Array | null => (random.chance(0.2) ? null : random.bytes(random.between(0, 40)))
  return Array.from({ length: random.between(1, 6) }, () => ({
    timestampMs: random.between(0, 2 ** 42),
    key: blob(),
    value: blob(),
    headers: Array.from({ length: random.between(0, 3) }, (_, n) => ({ key: `h${n}`, value: blob() })),
  }))
}

/** The result, or undefined when the batch is malformed. Anything else that is thrown is a finding. */
function attempt<Result>(read: () => Result): Result | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof BatchFormatError) return undefined
    throw error
  }
}

function walk(batch: Uint8Array): BatchRecord[] {
  const cursor = new RecordCursor(batch)
  const records: BatchRecord[] = []
  const part = (at: number, length: number): Uint8Array | null => (length < 0 ? null : batch.subarray(at, at + length))
  const baseOffset = decodeBase(batch)
  while (cursor.next()) {
    records.push({
      offset: baseOffset + cursor.offsetDelta,
      timestampMs: cursor.timestampMs,
      key: part(cursor.keyAt, cursor.keyLength),
      value: part(cursor.valueAt, cursor.valueLength),
      headers: readHeaders(batch, cursor.headersAt, cursor.end),
    })
  }
  return records
}

function decodeBase(batch: Uint8Array): number {
  const view = new DataView(batch.buffer, batch.byteOffset)
  return view.getInt32(0) * 2 ** 32 + view.getUint32(4)
}
