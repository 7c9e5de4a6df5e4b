import { encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { VirtualPlatform } from '../sim/virtual-platform.ts'
import { AssertionError } from '../src/base/assert.ts'
import { MillraceError } from '../src/base/errors.ts'
import { crc32c } from '../src/engines/disk/checksum.ts'
import { openMemoryJournal } from '../src/engines/memory/index.ts'
import type { Journal } from '../src/ports/journal.ts'
import { readCommitHeader } from '../src/storage/commit-format.ts'
import { DirectoryReplay } from '../src/storage/directory-replay.ts'
import { payloadRanges } from '../src/storage/directory-scan.ts'
import { LogIndex } from '../src/storage/log-index.ts'
import type { LogId, LogStore } from '../src/storage/log-store.ts'
import { openLogStore } from '../src/storage/open-log-store.ts'
import { journalOver } from '../test/core/journal-over.ts'
import { fuzzing } from './fuzz.ts'
import type { FuzzRandom } from './fuzz.ts'

const limits = { batchBytesMax: 4096, commitBytesMax: 2048, tailCacheBytes: 0, indexRunEntries: 8, checkpointBytes: 2048 }

test(
  'a directory with a right checksum and wrong content ends in an error or in an index, never in anything else',
  fuzzing(async (random) => {
    const { journal } = await writtenJournal(random)
    const { first, next } = journal.bounds()
    const seq = random.between(first, next - 1)
    const bytes = await journal.read(seq, 0, await journal.length(seq))
    const header = readCommitHeader(bytes, seq, crc32c)
    const original = bytes.subarray(64, 64 + header.directoryLength)
    const directory = random.chance(0.2) ? random.bytes(random.between(0, 100)) : random.mutate(original)
    const index = new LogIndex(limits.indexRunEntries)
    const findings = [
      findingOf(() => [...payloadRanges({ header, directory })]),
      findingOf(() => new DirectoryReplay(index).apply(header, directory)),
    ]
    expect(findings).toEqual([undefined, undefined])
  }),
)

test(
  'damage anywhere in the journal is told, or does not matter; it never gives other bytes and never shortens a log',
  fuzzing(async (random) => {
    const { journal, platform, contents } = await writtenJournal(random)
    const damaged = await damage(journal, random)
    let store: LogStore
    try {
      store = await platform.until(openLogStore({ journal: damaged, platform, crc32c, limits }))
    } catch (error) {
      expect(codeOf(error)).toBe('data_corrupt')
      return
    }
    expect(store.logs()).toEqual([...contents.keys()])
    for (const [log, bodies] of contents) await expectContent(store, log, bodies, platform)
    await platform.until(store.close())
  }),
)

/** What is readable is what was written. A batch that cannot be read may stand for itself, not for those behind it. */
async function expectContent(store: LogStore, log: LogId, content: Content, platform: VirtualPlatform): Promise<void> {
  expect(store.bounds(log)).toMatchObject({ start: content.start, end: content.end })
  for (const [offset, batch] of content.batches) {
    if (offset < content.start) continue
    try {
      const [stored] = await platform.until(Promise.resolve(store.read(log, offset, 1)))
      expect(stored?.baseOffset).toBe(offset)
      // The checksum of a batch does not cover what brokers may change: base offset and leader epoch, which the store does not use.
      expect(stored?.bytes.subarray(16)).toEqual(batch.subarray(16))
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      expect(error.code).toBe('data_corrupt')
    }
  }
}

interface Content {
  start: number
  end: number
  /** By base offset, in order. */
  readonly batches: Map<number, Uint8Array>
}

interface Written {
  readonly journal: Journal
  readonly platform: VirtualPlatform
  readonly contents: ReadonlyMap<LogId, Content>
}

/** A journal that a store has worked in: several logs, trims, index runs, checkpoints. */
async function writtenJournal(random: FuzzRandom): Promise<Written> {
  const platform = new VirtualPlatform(random.between(0, 2 ** 31))
  const journal = await openMemoryJournal({ bytesMax: 1024 * 1024, batchBytesMax: 16 * 1024, extentBytes: 64 * 1024 })
  const store = await platform.until(openLogStore({ journal, platform, crc32c, limits }))
  const contents = new Map<LogId, Content>()
  for (let n = random.between(1, 4); n > 0; n--) contents.set(store.createLog(), { start: 0, end: 0, batches: new Map() })
  for (let n = random.between(1, 60); n > 0; n--) {
    const log = random.pick([...contents.keys()])
    const content = contents.get(log)!
    if (random.chance(0.1) && content.end > 0) {
      content.start = Math.max(content.start, random.pick([...content.batches.keys()]))
      store.trim(log, content.start)
    } else {
      const records = Array.from({ length: random.between(1, 3) }, () => ({
        timestampMs: 1,
        value: random.bytes(random.between(0, 80)),
      }))
      const batch = encodeBatch(records).slice()
      const base = store.append(log, batch, records.length)
      content.batches.set(base, batch)
      content.end = base + records.length
    }
    if (random.chance(0.3)) await platform.settle()
  }
  if (random.chance(0.5)) await platform.until(store.close())
  else await platform.settle()
  return { journal, platform, contents }
}

/** The same journal with some bytes of some batches changed, as a faulty disk gives them back. */
async function damage(journal: Journal, random: FuzzRandom): Promise<Journal> {
  const { first, next } = journal.bounds()
  const flips = new Map<number, Map<number, number>>()
  for (let n = random.between(1, 3); n > 0; n--) {
    const seq = random.between(first, next - 1)
    const at = random.between(0, (await journal.length(seq)) - 1)
    const ofBatch = flips.get(seq) ?? new Map<number, number>()
    flips.set(seq, ofBatch.set(at, 1 << random.between(0, 7)))
  }
  return journalOver(journal, {
    read: async (seq, from, length) => {
      const bytes = await journal.read(seq, from, length)
      for (const [at, mask] of flips.get(seq) ?? []) if (at >= from && at < from + bytes.length) bytes[at - from]! ^= mask
      return bytes
    },
  })
}

/** What a reader throws that it may not throw. */
function findingOf(read: () => unknown): unknown {
  try {
    read()
  } catch (error) {
    const isExpected = error instanceof AssertionError || (error instanceof MillraceError && error.code === 'data_corrupt')
    if (!isExpected) return error
  }
  return undefined
}

function codeOf(error: unknown): string {
  if (error instanceof MillraceError) return error.code
  throw error
}
