import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sampleBatch } from '../../ports/conformance/journal.ts'
import type { Journal } from '../../ports/journal.ts'
import { FaultFileSystem } from './fault-file-system.ts'
import { openDiskJournal } from './open-disk-journal.ts'
import { seededRandom } from './seeded-random.ts'

async function open(files: FaultFileSystem, warnings: string[] = []): Promise<Journal> {
  return openDiskJournal({
    directory: '/data',
    durability: 'fsync',
    segmentBytes: 64 * 1024,
    batchBytesMax: 32 * 1024,
    reserveBytes: 0,
    fileSystem: files.boot(),
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    onWarning: (message) => warnings.push(message),
  })
}

/** Lets what the journal does in the background come to its end. */
async function quiet(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** Appends batches until one is not answered `ok`. @returns how many were */
async function appendUntilRefused(journal: Journal, bytes: number): Promise<number> {
  for (;;) {
    const { next } = journal.bounds()
    if ((await journal.append(next, [sampleBatch(next, bytes)])).kind !== 'ok') return next
  }
}

describe('a disk that fails (EIO)', () => {
  for (const call of ['write', 'sync'] as const) {
    it(`in ${call}: the append is unknown, so are all after it, and reads go on`, async () => {
      const files = new FaultFileSystem({ random: seededRandom(3) })
      const warnings: string[] = []
      const journal = await open(files, warnings)
      expect(await journal.append(0, [sampleBatch(0, 100)])).toEqual({ kind: 'ok' })
      await quiet()
      files.inject({ call, code: 'EIO', pathEnd: '.segment' })
      const cause = expect.objectContaining({ message: expect.stringContaining('EIO') as string }) as Error
      expect(await journal.append(1, [sampleBatch(1, 100)])).toEqual({ kind: 'unknown', cause })
      expect(await journal.append(1, [sampleBatch(1, 100)])).toEqual({ kind: 'unknown', cause })
      expect(journal.bounds()).toEqual({ first: 0, next: 1 })
      expect([...(await journal.read(0, 0, 100))]).toEqual([...sampleBatch(0, 100)])
      expect(warnings).toEqual([expect.stringContaining('the journal stops: EIO')])
      await journal.close()
    })
  }

  it('decides an unknown append once and for all at the next start, whatever happens after', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.boolean(), async (seed, isKilled) => {
        const files = new FaultFileSystem({ random: seededRandom(seed) })
        const journal = await open(files)
        files.inject({ call: 'sync', code: 'EIO', after: seed % 40 })
        const acked = await appendUntilRefused(journal, 100 + (seed % 3000))
        if (isKilled) files.kill()
        else files.powerLoss()
        const second = await open(files)
        const { next } = second.bounds()
        expect([acked, acked + 1]).toContain(next)
        files.powerLoss()
        const third = await open(files)
        expect(third.bounds().next).toBe(next)
        for (let seq = 0; seq < next; seq++) await third.verify(seq)
        await third.close()
      }),
      { numRuns: 150, endOnFailure: true },
    )
  })

  it('in a read: the read fails, naming the file, and the journal goes on', async () => {
    const files = new FaultFileSystem({ random: seededRandom(3) })
    const journal = await open(files)
    await journal.append(0, [sampleBatch(0, 100)])
    files.inject({ call: 'read', code: 'EIO' })
    await expect(journal.read(0, 0, 100)).rejects.toMatchObject({
      code: 'data_corrupt',
      message: expect.stringContaining('/data/0000000001.segment') as string,
    })
    expect(await journal.append(1, [sampleBatch(1, 100)])).toEqual({ kind: 'ok' })
    expect([...(await journal.read(0, 0, 100))]).toEqual([...sampleBatch(0, 100)])
    await journal.close()
  })

  it('beside an append, while zeros are written ahead: nothing is acknowledged after it', async () => {
    const files = new FaultFileSystem({ random: seededRandom(3) })
    files.inject({ call: 'sync', code: 'EIO', pathEnd: '0000000001.segment' })
    const journal = await open(files)
    expect((await journal.append(0, [sampleBatch(0, 10)])).kind).toBe('unknown')
    await journal.close()
  })
})

describe('a full disk (ENOSPC)', () => {
  it('in sync: the append is unknown', async () => {
    const files = new FaultFileSystem({ random: seededRandom(3) })
    const journal = await open(files)
    await journal.append(0, [sampleBatch(0, 100)])
    await quiet()
    files.inject({ call: 'sync', code: 'ENOSPC', pathEnd: '.segment' })
    expect((await journal.append(1, [sampleBatch(1, 20_000)])).kind).toBe('unknown')
    await journal.close()
  })

  it('refuses, and takes the same sequence when space returns; what was refused is never seen', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const files = new FaultFileSystem({
          random: seededRandom(seed),
          capacityBytes: 200_000 + (seed % 50) * 4096,
          shortWritesOf256: 40,
        })
        const journal = await open(files)
        const bytes = 1000 + (seed % 20_000)
        const acked = await appendUntilRefused(journal, bytes)
        for (let attempt = 0; attempt < 3; attempt++) {
          expect(await journal.append(acked, [sampleBatch(acked + attempt, bytes)])).toEqual({ kind: 'full' })
        }
        if (seed % 2 === 0) {
          files.capacityBytes += 300_000
          expect(await journal.append(acked, [sampleBatch(acked, bytes)])).toEqual({ kind: 'ok' })
        }
        files.powerLoss()
        files.capacityBytes += 300_000
        const again = await open(files)
        expect(again.bounds().next).toBe(seed % 2 === 0 ? acked + 1 : acked)
        for (let seq = 0; seq < again.bounds().next; seq++) {
          expect(Buffer.compare(await again.read(seq, 0, bytes), sampleBatch(seq, bytes))).toBe(0)
        }
        await again.close()
      }),
      { numRuns: 150, endOnFailure: true },
    )
  })

  it('at start says how much to free', async () => {
    const files = new FaultFileSystem({ random: seededRandom(3), capacityBytes: 8192 })
    await expect(open(files)).rejects.toMatchObject({
      code: 'disk_full',
      message: expect.stringContaining('free at least') as string,
    })
  })
})
