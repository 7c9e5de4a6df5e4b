import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sampleBatch } from '../../ports/conformance/journal.ts'
import type { Journal } from '../../ports/journal.ts'
import { FaultFileSystem } from './fault-file-system.ts'
import { openDiskJournal } from './open-disk-journal.ts'
import { seededRandom } from './seeded-random.ts'

const SEGMENT_BYTES = 16 * 1024
const BATCH_BYTES_MAX = 4 * 1024
const SEGMENT_1 = '/data/0000000001.segment'

function newFiles(): FaultFileSystem {
  return new FaultFileSystem({ random: seededRandom(7), writebackOf256: 0 })
}

async function open(files: FaultFileSystem, warnings: string[] = [], segmentBytes = SEGMENT_BYTES): Promise<Journal> {
  return openDiskJournal({
    directory: '/data',
    durability: 'fsync',
    segmentBytes,
    batchBytesMax: BATCH_BYTES_MAX,
    fileSystem: files.boot(),
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    random: seededRandom(9),
    onWarning: (message) => warnings.push(message),
  })
}

async function appendMany(journal: Journal, count: number, bytes: number): Promise<void> {
  for (let left = count; left > 0; left--) {
    const { next } = journal.bounds()
    expect(await journal.append(next, [sampleBatch(next, bytes)])).toEqual({ kind: 'ok' })
  }
}

async function expectBatches(journal: Journal, first: number, next: number, bytes: number): Promise<void> {
  expect(journal.bounds().next).toBeGreaterThanOrEqual(next)
  for (let seq = first; seq < next; seq++) {
    expect(Buffer.compare(await journal.read(seq, 0, BATCH_BYTES_MAX), sampleBatch(seq, bytes))).toBe(0)
  }
}

/** The positions at which two images of a file differ. */
function changedRange(before: Uint8Array, after: Uint8Array): { from: number; to: number } {
  let from = 0
  while (before[from] === after[from]) from++
  let to = after.length
  while (before[to - 1] === after[to - 1]) to--
  return { from, to }
}

/** Three segments, closed cleanly. */
async function damageable(): Promise<FaultFileSystem> {
  const files = newFiles()
  const journal = await open(files)
  await appendMany(journal, 60, 400)
  await journal.close()
  return files
}

describe('a write that was cut', () => {
  it('at any byte of the last frame leaves all batches before it, and nothing of it', async () => {
    const files = newFiles()
    const journal = await open(files)
    await appendMany(journal, 5, 100)
    files.kill()
    const before = files.contents(SEGMENT_1)
    const again = await open(files)
    await appendMany(again, 1, 100)
    files.kill()
    const after = files.contents(SEGMENT_1)
    const { from, to } = changedRange(before, after)
    expect(to - from).toBeGreaterThan(100)
    for (let cut = from; cut <= to; cut++) {
      const image = new Uint8Array(before)
      image.set(after.subarray(0, cut))
      const copy = newFiles()
      await (await open(copy)).close()
      copy.overwrite(SEGMENT_1, image)
      copy.overwrite('/data/manifest', files.contents('/data/manifest'))
      const cutJournal = await open(copy)
      expect(cutJournal.bounds()).toEqual({ first: 0, next: cut === to ? 6 : 5 })
      await expectBatches(cutJournal, 0, cut === to ? 6 : 5, 100)
      await appendMany(cutJournal, 2, 100)
      await expectBatches(cutJournal, 0, cut === to ? 8 : 7, 100)
      // The rest of a segment with a torn write is not used. It is told by magic and generation, which end in three zeros here.
      const isTorn = cut >= from + 5 && cut < to
      expect(cutJournal.extents()).toHaveLength(isTorn ? 2 : 1)
      await cutJournal.close()
      const reopened = await open(copy)
      await expectBatches(reopened, 0, cut === to ? 8 : 7, 100)
      await reopened.close()
    }
  })

  it('over the frames of an earlier use of the file does not bring those back', async () => {
    const files = newFiles()
    const journal = await open(files)
    for (let round = 0; round < 20; round++) {
      await appendMany(journal, 10, 300)
      await journal.discard(0, journal.bounds().next - 1)
    }
    const { next } = journal.bounds()
    files.powerLossAt = files.mutations + 1
    void journal.append(next, [sampleBatch(next, 300)])
    await files.death
    const again = await open(files)
    expect([next, next + 1]).toContain(again.bounds().next)
    await appendMany(again, 3, 300)
    await expectBatches(again, again.bounds().next - 3, again.bounds().next, 300)
    await again.close()
  })
})

describe('damage', () => {
  it('of any bit is reported or harmless: never wrong bytes, never a missing batch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(7), async (which, where, bit) => {
        const files = await damageable()
        const paths = files.paths()
        const path = paths[which % paths.length]!
        files.flipBit(path, where % files.contents(path).length, bit)
        let journal: Journal
        try {
          journal = await open(files)
        } catch (error) {
          expect(error).toMatchObject({ code: 'data_corrupt' })
          return
        }
        expect(journal.bounds()).toEqual({ first: 0, next: 60 })
        for (let seq = 0; seq < 60; seq++) {
          const read = await journal.read(seq, 0, BATCH_BYTES_MAX).catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'data_corrupt' })
          })
          if (read !== undefined) expect(Buffer.compare(read, sampleBatch(seq, 400))).toBe(0)
        }
        await journal.close()
      }),
      { numRuns: 300, endOnFailure: true },
    )
  })

  it('in the middle of the segment that was being filled stops the start, naming file and position', async () => {
    const files = newFiles()
    const journal = await open(files)
    await appendMany(journal, 10, 400)
    files.kill()
    files.flipBit(SEGMENT_1, 4096 + 448 * 3 + 100, 3)
    await expect(open(files)).rejects.toMatchObject({ code: 'data_corrupt' })
    await expect(open(files)).rejects.toThrow(`${SEGMENT_1}: the frame at byte ${4096 + 448 * 3} (journal sequence 3) is damaged`)
  })

  it('of a batch is found by verify and by a read, and the others stay readable', async () => {
    const files = await damageable()
    files.flipBit(SEGMENT_1, 4096 + 448 * 3 + 100, 3)
    const journal = await open(files)
    await expect(journal.verify(3)).rejects.toMatchObject({ code: 'data_corrupt' })
    await expect(journal.read(3, 0, 1)).rejects.toThrow(
      `${SEGMENT_1}: journal sequence 3, at byte ${4096 + 448 * 3}, fails its checksum`,
    )
    await journal.verify(2)
    await journal.verify(4)
    await journal.close()
  })

  it('of an index is repaired from the frames', async () => {
    const files = await damageable()
    files.flipBit(SEGMENT_1, SEGMENT_BYTES - 64 - 10, 2)
    const warnings: string[] = []
    const journal = await open(files, warnings)
    await expectBatches(journal, 0, 60, 400)
    expect(warnings).toEqual([`${SEGMENT_1}: its index is damaged; frames are found by reading the segment`])
    await journal.close()
  })

  it('by a missing file is reported with its name', async () => {
    const count = (await damageable()).paths().filter((path) => path.endsWith('.segment')).length
    expect(count).toBeGreaterThan(2)
    for (let generation = 1; generation < count; generation++) {
      const files = await damageable()
      const path = `/data/${String(generation).padStart(10, '0')}.segment`
      files.delete(path)
      await expect(open(files)).rejects.toMatchObject({ code: 'data_corrupt', message: expect.stringContaining(path) as string })
    }
  })

  it('by missing files at the end, or of all of them, is reported', async () => {
    const files = await damageable()
    const segments = files.paths().filter((path) => path.endsWith('.segment'))
    for (const path of segments.toReversed()) {
      files.delete(path)
      await expect(open(files)).rejects.toMatchObject({ code: 'data_corrupt' })
    }
    files.delete('/data/manifest')
    const fresh = await open(files)
    expect(fresh.bounds()).toEqual({ first: 0, next: 0 })
    await fresh.close()
  })

  it.each([0, 1])('of one copy of the manifest (%i) is told, and mended by the start', async (slot) => {
    const files = newFiles()
    const first = await open(files)
    await appendMany(first, 9, 1000)
    await first.close()
    const at = slot * 16 * 1024
    const manifest = files.contents('/data/manifest').slice()
    manifest[at + 20]! ^= 1
    files.overwrite('/data/manifest', manifest)
    const warnings: string[] = []
    const journal = await open(files, warnings)
    await expectBatches(journal, 0, 9, 1000)
    expect(warnings).toEqual([expect.stringContaining(`/data/manifest: bytes ${at} to ${at + 16 * 1024 - 1} are damaged`)])
    expect(warnings[0]).toContain('check the disk')
    await journal.close()
    const again: string[] = []
    await (await open(files, again)).close()
    expect(again).toEqual([])
  })

  it('of a frame is reported, though the copy of the manifest that is left tells of a clean end before it', async () => {
    const files = newFiles()
    const first = await open(files)
    await appendMany(first, 5, 400)
    await first.close()
    const ended = files.contents('/data/manifest').slice()
    const second = await open(files)
    await appendMany(second, 3, 400)
    files.kill()
    const started = files.contents('/data/manifest').slice()
    started[changedRange(ended, started).from + 1]! ^= 1
    files.overwrite('/data/manifest', started)
    files.flipBit(SEGMENT_1, 4096 + 448 * 5 + 100, 3)
    await expect(open(files)).rejects.toThrow(`${SEGMENT_1}: the frame at byte ${4096 + 448 * 5} (journal sequence 5) is damaged`)
  })

  it('by a missing manifest is reported', async () => {
    const files = await damageable()
    files.delete('/data/manifest')
    await expect(open(files)).rejects.toMatchObject({
      code: 'data_corrupt',
      message: expect.stringContaining('manifest') as string,
    })
  })

  it('by a file that was cut is reported', async () => {
    const files = await damageable()
    files.overwrite(SEGMENT_1, files.contents(SEGMENT_1).subarray(0, 8000))
    await expect(open(files)).rejects.toMatchObject({
      code: 'data_corrupt',
      message: expect.stringContaining('cut to 8000') as string,
    })
  })

  it('by a segment of another journal is reported', async () => {
    const files = await damageable()
    const other = newFiles()
    const journal = await open(other)
    await appendMany(journal, 60, 399)
    await journal.close()
    const path = '/data/0000000002.segment'
    files.overwrite(path, other.contents(path))
    await expect(open(files)).rejects.toMatchObject({ code: 'data_corrupt', message: expect.stringContaining(path) as string })
  })
})

describe('a read', () => {
  it('keeps its segment from being reused until it is done', async () => {
    let isHeld = false
    const held: (() => void)[] = []
    const files = new FaultFileSystem({
      random: seededRandom(1),
      pause: (call) => (isHeld && call === 'read' ? new Promise<void>((resolve) => held.push(resolve)) : undefined),
    })
    const journal = await open(files)
    await appendMany(journal, 60, 400)
    isHeld = true
    const reading = journal.read(0, 0, BATCH_BYTES_MAX)
    await new Promise((resolve) => setImmediate(resolve))
    isHeld = false
    await journal.discard(0, 59)
    expect(journal.extents()[0]!.first).toBe(0)
    for (let round = 0; round < 10; round++) {
      await appendMany(journal, 60, 400)
      await journal.discard(0, journal.bounds().next - 1)
    }
    for (const letGo of held) letGo()
    expect(Buffer.compare(await reading, sampleBatch(0, 400))).toBe(0)
    await new Promise((resolve) => setImmediate(resolve))
    expect(journal.extents()[0]!.first).toBeGreaterThan(0)
    await journal.close()
  })
})

describe('a start', () => {
  it('makes durable what the process before left in memory, names of files too', async () => {
    // Killed after each of the first calls that write, and after the restart and one append the power fails.
    for (let calls = 1; calls < 80; calls++) {
      for (let seed = 0; seed < 2; seed++) {
        const files = new FaultFileSystem({ random: seededRandom(seed) })
        const dies = new Promise<void>((resolve) => {
          files.onMutation = (count) => {
            if (count !== calls) return
            files.kill()
            resolve()
          }
        })
        const work = async (): Promise<void> => {
          const journal = await open(files)
          await appendMany(journal, 25, 400)
        }
        await Promise.race([work(), dies])
        files.onMutation = undefined
        files.kill()
        const again = await open(files)
        await appendMany(again, 25, 400)
        const { next } = again.bounds()
        files.powerLoss()
        const third = await open(files)
        expect(third.bounds()).toEqual({ first: 0, next })
        await expectBatches(third, 0, next, 400)
        await third.close()
      }
    }
  })

  it.each([
    ['a clean end reads the frames', true, 20],
    ['a kill reads the rest of the segment too', false, Infinity],
  ] as const)('after %s', async (_, isClean, readsMax) => {
    const megabytes = 32
    let reads = 0
    const files = new FaultFileSystem({ random: seededRandom(1), pause: (call) => (call === 'read' ? void reads++ : undefined) })
    const journal = await open(files, [], megabytes * 1024 * 1024)
    await appendMany(journal, 10, 400)
    if (isClean) await journal.close()
    else files.kill()
    reads = 0
    const again = await open(files, [], megabytes * 1024 * 1024)
    // A megabyte with each.
    expect(reads).toBeGreaterThan(isClean ? 0 : megabytes)
    expect(reads).toBeLessThan(readsMax)
    await expectBatches(again, 0, 10, 400)
    await appendMany(again, 10, 400)
    // What the start took away does not come back: this one has to be looked for again.
    files.kill()
    reads = 0
    const third = await open(files, [], megabytes * 1024 * 1024)
    expect(reads).toBeGreaterThan(megabytes)
    await expectBatches(third, 0, 20, 400)
    await third.close()
  })

  it('reads only the segment that was being filled', async () => {
    const files = newFiles()
    const journal = await open(files)
    await appendMany(journal, 400, 1000)
    await journal.close()
    let reads = 0
    const counted = new FaultFileSystem({
      random: seededRandom(1),
      pause: (call) => (call === 'read' ? void reads++ : undefined),
    })
    const made = await open(counted)
    await appendMany(made, 400, 1000)
    const segments = made.extents().length
    await made.close()
    reads = 0
    const again = await open(counted)
    expect(segments).toBeGreaterThan(30)
    // Header and footer of each, and a few for the manifest and the last one.
    expect(reads).toBeLessThan(segments * 2 + 12)
    await again.close()
  })

  it('refuses a directory that another journal has open', async () => {
    const files = newFiles()
    const journal = await open(files)
    await expect(open(files)).rejects.toMatchObject({ code: 'data_in_use' })
    await journal.close()
    await (await open(files)).close()
  })

  it('takes segments of another size, and goes on in the new one', async () => {
    const files = newFiles()
    await appendMany(await open(files), 30, 400)
    files.kill()
    const settings = { directory: '/data', durability: 'fsync', batchBytesMax: 20_000, fileSystem: files.boot() } as const
    const larger = await openDiskJournal({ ...settings, segmentBytes: 64 * 1024, onWarning: () => undefined })
    expect(await larger.append(30, [sampleBatch(30, 20_000)])).toEqual({ kind: 'ok' })
    await larger.close()
    const again = await openDiskJournal({ ...settings, segmentBytes: 64 * 1024, onWarning: () => undefined })
    await expectBatches(again, 0, 30, 400)
    expect(await again.length(30)).toBe(20_000)
    await again.close()
  })

  it('explains segments that cannot hold a batch', async () => {
    const options = { directory: '/data', durability: 'fsync', segmentBytes: 16 * 1024, batchBytesMax: 16 * 1024 } as const
    await expect(openDiskJournal({ ...options, fileSystem: newFiles().boot() })).rejects.toMatchObject({ code: 'bad_config' })
  })
})
