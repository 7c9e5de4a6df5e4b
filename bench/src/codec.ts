import { batchProblem, crc32c, encodeBatch, RecordBatchBuilder, RecordReader } from '@millrace/wire'
import { crc32c as brokersCrc32c } from '../../packages/broker/dist/engines/disk/checksum.js'
import type { Figure, Unit } from './figure.ts'
import type { Scenario } from './scenarios/scenario.ts'

const RECORDS = 600
const RUN_MS = 300
const body = new Uint8Array(100).fill(0x6d)

/** What one record and one byte cost in the stored form, on one processor, without a broker, and what its own checksum costs. */
export const codec: Scenario = {
  name: 'codec',
  about: 'record batches and checksums, in this process',
  async *measure(): AsyncGenerator<Figure> {
    const builder = new RecordBatchBuilder(64 * 1024)
    const batch = encodeBatch(Array.from({ length: RECORDS }, () => ({ timestampMs: 1, value: body }))).slice()
    yield figure('encode a record of 100 B', 'ns', nanoseconds(() => encode(builder)) / RECORDS)
    yield figure('walk a record of 100 B', 'ns', nanoseconds(() => walk(batch)) / RECORDS)
    yield figure(
      'check a batch of 600 records',
      'ns',
      nanoseconds(() => batchProblem(batch)),
    )
    for (const bytes of [200, 64 * 1024]) {
      const data = new Uint8Array(bytes).fill(0x6d)
      yield figure(`portable crc32c of ${bytes} B`, 'MB/s', (bytes * 1000) / nanoseconds(() => crc32c(data)))
      yield figure(`the broker's crc32c of ${bytes} B`, 'MB/s', (bytes * 1000) / nanoseconds(() => brokersCrc32c(data)))
    }
  },
}

function encode(builder: RecordBatchBuilder): void {
  for (let n = 0; n < RECORDS; n++) builder.append(1, null, body)
  builder.finish()
}

function walk(batch: Uint8Array): void {
  const reader = new RecordReader(batch)
  while (reader.next());
}

/** Time per call, after a warm-up of the same length. */
function nanoseconds(work: () => unknown): number {
  let calls = 0
  let startedMs = performance.now()
  for (let round = 0; round < 2; round++) {
    calls = 0
    startedMs = performance.now()
    while (performance.now() - startedMs < RUN_MS) {
      for (let n = 0; n < 16; n++) work()
      calls += 16
    }
  }
  return ((performance.now() - startedMs) * 1e6) / calls
}

function figure(name: string, unit: Unit, value: number): Figure {
  return { name, unit, value }
}
