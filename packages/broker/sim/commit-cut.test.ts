import { crc32c, encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { FaultFileSystem } from '../src/engines/disk/fault-file-system.ts'
import { openDiskJournal } from '../src/engines/disk/index.ts'
import { openMemoryJournal } from '../src/engines/memory/index.ts'
import type { Journal } from '../src/ports/journal.ts'
import type { LogId, LogStore } from '../src/storage/log-store.ts'
import { openLogStore } from '../src/storage/open-log-store.ts'
import { VirtualPlatform } from './virtual-platform.ts'

const SEGMENT = '/data/0000000001.segment'
const MANIFEST = '/data/manifest'

/** Each is one commit; most write to several logs at once. The ids of the logs are 1, 2, and so on, in the order in which they are made. */
const commits: readonly ((store: LogStore) => void)[] = [
  (store) => {
    for (let n = 0; n < 3; n++) store.createLog()
  },
  (store) => {
    for (const log of store.logs()) store.append(log, batch('apart'), 1)
  },
  (store) => void store.appendShared(store.logs(), batch('shared', 'by all'), 2),
  (store) => {
    const [a, b, c] = store.logs() as [LogId, LogId, LogId]
    store.append(a, batch('kept'), 1)
    store.trim(a, 2)
    store.discard(b, 1, 1)
    store.append(store.createLog(), batch('first of a new log'), 1)
    store.deleteLog(c)
  },
  (store) => {
    for (let n = 0; n < 2; n++) store.appendShared(store.logs(), batch(`again ${n}`), 1)
    store.trim(store.logs()[0]!, Infinity)
  },
]

function batch(...values: string[]): Uint8Array {
  return encodeBatch(values.map((value) => ({ timestampMs: 1, value: new TextEncoder().encode(value) })))
}

/** All that readers see: which logs there are, where they begin and end, and the bytes of their batches. */
async function contents(store: LogStore, platform: VirtualPlatform): Promise<string> {
  const lines: string[] = []
  for (const log of store.logs()) {
    const { start, end } = store.bounds(log)
    lines.push(`log ${log}: ${start}..${end}`)
    for (let from = start; from < end;) {
      const found = await platform.until(Promise.resolve(store.read(log, from, 100_000)))
      for (const { baseOffset, bytes } of found) lines.push(`${baseOffset} ${Buffer.from(bytes.subarray(8)).toString('hex')}`)
      from = (found.at(-1)?.lastOffset ?? Infinity) + 1
    }
  }
  return lines.join('\n')
}

/** Makes the commits. @returns what there is to see when the journal has so many batches */
async function play(journal: Journal, platform: VirtualPlatform): Promise<Map<number, string>> {
  const seen = new Map([[0, '']])
  const store = await platform.until(openLogStore({ journal, platform, crc32c }))
  await platform.settle()
  seen.set(journal.bounds().next, '')
  for (const commit of commits) {
    const before = journal.bounds().next
    commit(store)
    await platform.settle()
    expect(journal.bounds().next).toBe(before + 1)
    seen.set(before + 1, await contents(store, platform))
  }
  expect(new Set(seen.values()).size).toBe(commits.length + 1)
  return seen
}

/** Opens what is left, and makes sure that it is whole and can be used. */
async function checkCut(journal: Journal, platform: VirtualPlatform, seen: ReadonlyMap<number, string>): Promise<number> {
  const { next } = journal.bounds()
  const store = await platform.until(openLogStore({ journal, platform, crc32c }))
  await platform.settle()
  expect(await contents(store, platform)).toBe(seen.get(next))
  const log = store.createLog()
  const offset = store.append(log, batch('goes on'), 1)
  await platform.settle()
  expect(store.bounds(log)).toMatchObject({ start: 0, end: offset + 1 })
  return next
}

function open(files: FaultFileSystem, platform: VirtualPlatform): Promise<Journal> {
  const { clock, random } = platform
  const sizes = { segmentBytes: 32 * 1024, batchBytesMax: 16 * 1024 }
  const options = { directory: '/data', durability: 'fsync', onWarning: () => undefined, ...sizes } as const
  return platform.until(openDiskJournal({ ...options, fileSystem: files.boot(), clock, random }))
}

test(
  'on the disk engine: cut at any byte, commits over several logs are there whole or not at all',
  { timeout: 120_000 },
  async () => {
    const platform = new VirtualPlatform()
    const files = new FaultFileSystem({ random: platform.random, writebackOf256: 0 })
    const journal = await open(files, platform)
    const blank = files.contents(SEGMENT)
    const seen = await play(journal, platform)
    files.kill()
    const written = files.contents(SEGMENT)
    const first = written.findIndex((byte, at) => byte !== blank[at])
    const end = written.findLastIndex((byte, at) => byte !== blank[at]) + 1
    expect(end - first).toBeGreaterThan(1000)

    const counts = new Map<number, number>()
    for (let cut = first; cut <= end; cut++) {
      const image = blank.slice()
      image.set(written.subarray(first, cut), first)
      const copy = new FaultFileSystem({ random: platform.random, writebackOf256: 0 })
      await (await open(copy, platform)).close()
      copy.overwrite(SEGMENT, image)
      copy.overwrite(MANIFEST, files.contents(MANIFEST))
      platform.forget()
      const next = await checkCut(await open(copy, platform), platform, seen)
      counts.set(next, (counts.get(next) ?? 0) + 1)
    }
    // Every commit was the last one for some cuts, and the whole journal for one only.
    expect([...counts.keys()]).toEqual([...seen.keys()])
    expect(counts.get(commits.length + 1)).toBe(1)
  },
)

test('on the memory engine: whichever batch is the last, commits over several logs are there whole or not at all', async () => {
  const platform = new VirtualPlatform()
  const journal = await openMemoryJournal()
  const seen = await play(journal, platform)
  for (const next of seen.keys()) {
    const cut = await openMemoryJournal()
    for (let seq = 0; seq < next; seq++) await cut.append(seq, [await journal.read(seq, 0, journal.limits.batchBytesMax)])
    platform.forget()
    expect(await checkCut(cut, platform, seen)).toBe(next)
  }
})
