import { expect, test } from 'vitest'
import { sampleBatch } from '../../ports/conformance/journal.ts'
import type { Journal } from '../../ports/journal.ts'
import { FaultFileSystem } from './fault-file-system.ts'
import type { FileSystem } from './file-system.ts'
import { openDiskJournal } from './open-disk-journal.ts'
import { seededRandom } from './seeded-random.ts'
import { segmentName, spareName } from './segment-format.ts'

const SEGMENT_BYTES = 64 * 1024
const BATCH_BYTES = 20_000

/** A directory is listed in any order: here with what was made last in front, which is then used last. */
function newestFirst(fileSystem: FileSystem): FileSystem {
  return new Proxy(fileSystem, {
    get(target, name): unknown {
      if (name === 'list') return async (directory: string) => (await target.list(directory)).toReversed()
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function open(files: FaultFileSystem): Promise<Journal> {
  return openDiskJournal({
    directory: '/data',
    durability: 'os',
    segmentBytes: SEGMENT_BYTES,
    batchBytesMax: 40 * 1024,
    fileSystem: newestFirst(files.boot()),
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    random: seededRandom(2),
    onWarning: () => undefined,
  })
}

async function append(journal: Journal, first: number, last: number): Promise<void> {
  for (let seq = first; seq <= last; seq++) {
    expect(await journal.append(seq, [sampleBatch(seq, BATCH_BYTES)])).toEqual({ kind: 'ok' })
  }
}

test('a file that was made for a generation to come does not meet the segment of that generation when it is recycled', async () => {
  const files = new FaultFileSystem({ random: seededRandom(1) })
  let journal = await open(files)
  await append(journal, 0, 12)
  await journal.discard(0, 10)
  await journal.close()
  const names = await files.boot().list('/data')
  expect(names.some((name) => name.endsWith('.spare'))).toBe(true)
  const newest = names
    .filter((name) => name.endsWith('.segment'))
    .toSorted()
    .at(-1)!
  const next = Number.parseInt(newest, 10) + 1
  expect(segmentName(next - 1)).toBe(newest)
  const left = await files.boot().open(`/data/${spareName(next)}`, true)
  await left.truncate(SEGMENT_BYTES)
  await left.close()

  journal = await open(files)
  let end = journal.bounds().next
  for (let round = 0; round < 10; round++) {
    await append(journal, end, end + 5)
    end += 6
    await journal.discard(0, end - 4)
  }
  // All files that wait are used.
  const kept = end - 3
  await append(journal, end, end + 40)
  end += 41
  await journal.close()
  journal = await open(files)
  expect(journal.bounds().next).toBe(end)
  for (let seq = kept; seq < end; seq++) {
    expect(Buffer.compare(await journal.read(seq, 0, BATCH_BYTES), sampleBatch(seq, BATCH_BYTES))).toBe(0)
  }
  await journal.close()
})
