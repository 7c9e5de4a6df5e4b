/**
 * What every journal engine does, as tests: an engine's own test file calls `describeJournal` with a harness. What an engine cannot
 * do is left out of its harness, with the reason there.
 */
import { crc32c } from '@millrace/wire'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AssertionError } from '../../base/assert.ts'
import type { Journal } from '../journal.ts'

export interface JournalHarness {
  /** Opens a new, empty journal. */
  open(): Promise<Journal>
  /** Opens a new, empty journal with extents of at most 128 KiB. */
  openSmall(): Promise<Journal>
  /** Whether what `openSmall` opens has room for at least 256 KiB and at most 4 MiB. */
  readonly isSmallBounded: boolean
  /** Closes what was opened last and opens it again. Left out by an engine that keeps nothing. */
  readonly reopen?: () => Promise<Journal>
  /** Ends the process that has it open without closing, and opens it again in a new one. */
  readonly crash?: () => Promise<Journal>
  /** Closes everything and removes it. */
  cleanup(): Promise<void>
}

export function describeJournal(name: string, makeHarness: () => JournalHarness): void {
  describe(`${name} keeps the journal's contract`, () => {
    let harness: JournalHarness
    beforeEach(() => {
      harness = makeHarness()
    })
    afterEach(async () => {
      await harness.cleanup()
    })
    describeAppends(() => harness)
    describeContents(() => harness)
    describeReads(() => harness)
    describeReadsOfParts(() => harness)
    describeDiscards(() => harness)
    describeSpace(() => harness, makeHarness())
    describeEnd(() => harness, makeHarness())
  })
}

/** A batch whose bytes tell which one it is. */
export function sampleBatch(seq: number, bytes: number): Uint8Array {
  const batch = new Uint8Array(bytes)
  let value = (seq * 2654435761) >>> 0
  for (let at = 0; at < bytes; at++) {
    value = (Math.imul(value, 1664525) + 1013904223) >>> 0
    batch[at] = value >>> 24
  }
  return batch
}

async function append(journal: Journal, seq: number, bytes: number): Promise<void> {
  expect(await journal.append(seq, [sampleBatch(seq, bytes)])).toEqual({ kind: 'ok' })
}

async function appendMany(journal: Journal, count: number, bytes: number): Promise<void> {
  for (let left = count; left > 0; left--) await append(journal, journal.bounds().next, bytes)
}

async function readWhole(journal: Journal, seq: number): Promise<Uint8Array> {
  return journal.read(seq, 0, journal.limits.batchBytesMax)
}

async function expectKept(journal: Journal, seq: number, bytes: number): Promise<void> {
  expect(await journal.length(seq)).toBe(bytes)
  expect(Buffer.from(await readWhole(journal, seq)).equals(sampleBatch(seq, bytes))).toBe(true)
  await journal.verify(seq)
}

async function expectNotKept(journal: Journal, seq: number): Promise<void> {
  const outOfRange = { code: 'offset_out_of_range' }
  await expect(async () => journal.read(seq, 0, 1)).rejects.toMatchObject(outOfRange)
  await expect(async () => journal.length(seq)).rejects.toMatchObject(outOfRange)
  await expect(async () => journal.verify(seq)).rejects.toMatchObject(outOfRange)
}

function describeAppends(harness: () => JournalHarness): void {
  it('starts empty, at sequence 0', async () => {
    const journal = await harness().open()
    expect(journal.bounds()).toEqual({ first: 0, next: 0 })
    await expectNotKept(journal, 0)
  })

  it('appends at dense sequences', async () => {
    const journal = await harness().open()
    for (let seq = 0; seq < 50; seq++) {
      await append(journal, seq, 10 + seq)
      expect(journal.bounds()).toEqual({ first: 0, next: seq + 1 })
    }
    for (let seq = 0; seq < 50; seq++) await expectKept(journal, seq, 10 + seq)
  })

  it('stores an empty batch', async () => {
    const journal = await harness().open()
    expect(await journal.append(0, [])).toEqual({ kind: 'ok' })
    await append(journal, 1, 5)
    expect(await journal.length(0)).toBe(0)
    expect(await readWhole(journal, 0)).toHaveLength(0)
    await journal.verify(0)
    await expectKept(journal, 1, 5)
  })

  it('does not keep the parts: they may change once the append is answered', async () => {
    const journal = await harness().open()
    const part = Uint8Array.of(1, 2, 3)
    await journal.append(0, [part])
    part.fill(9)
    expect([...(await readWhole(journal, 0))]).toEqual([1, 2, 3])
  })

  it('answers conflict at any other sequence, and stores nothing', async () => {
    const journal = await harness().open()
    await appendMany(journal, 3, 10)
    for (const seq of [0, 2, 4, 100]) expect(await journal.append(seq, [sampleBatch(seq, 99)])).toEqual({ kind: 'conflict' })
    expect(journal.bounds()).toEqual({ first: 0, next: 3 })
    await expectKept(journal, 2, 10)
    await append(journal, 3, 10)
  })

  it('takes a batch of batchBytesMax, wherever it falls, and refuses a larger one as a bug', async () => {
    const journal = await harness().openSmall()
    const { batchBytesMax } = journal.limits
    for (const bytes of [1, batchBytesMax, 1, batchBytesMax, batchBytesMax]) await appendMany(journal, 1, bytes)
    await expectKept(journal, 1, batchBytesMax)
    await expectKept(journal, 4, batchBytesMax)
    await expect(async () => journal.append(5, [new Uint8Array(batchBytesMax), Uint8Array.of(1)])).rejects.toThrow(AssertionError)
    await append(journal, 5, 10)
  })
}

function describeContents(harness: () => JournalHarness): void {
  it('stores the concatenation of the parts, empty ones too', async () => {
    const journal = await harness().open()
    const parts = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3), Uint8Array.of(4, 5)]
    expect(await journal.append(0, parts)).toEqual({ kind: 'ok' })
    expect([...(await readWhole(journal, 0))]).toEqual([1, 2, 3, 4, 5])
  })

  it('takes the checksum of a batch from whoever has it', async () => {
    const journal = await harness().open()
    for (const [seq, bytes] of [1, 300, 100_000, 5].entries()) {
      const batch = sampleBatch(seq, bytes)
      const cut = Math.floor(bytes / 3)
      const parts = [batch.subarray(0, cut), batch.subarray(cut)]
      expect(await journal.append(seq, parts, seq % 2 === 0 ? undefined : crc32c(batch))).toEqual({ kind: 'ok' })
    }
    for (const [seq, bytes] of [1, 300, 100_000, 5].entries()) await expectKept(journal, seq, bytes)
  })
}

function describeReads(harness: () => JournalHarness): void {
  it('reads any part of a batch, and less at its end', async () => {
    const journal = await harness().open()
    await append(journal, 0, 7)
    await append(journal, 1, 200_000)
    await append(journal, 2, 1000)
    for (const [seq, bytes] of [
      [0, 7],
      [1, 200_000],
      [2, 1000],
    ] as const) {
      const batch = sampleBatch(seq, bytes)
      for (const [from, length] of [
        [0, 0],
        [0, 1],
        [3, 2],
        [bytes - 1, 1],
        [bytes - 1, 10],
        [Math.floor(bytes / 2), bytes],
        [bytes, 5],
        [bytes + 5, 5],
      ] as const) {
        expect([...(await journal.read(seq, from, length))]).toEqual([...batch.subarray(from, from + length)])
      }
    }
  })

  it('gives bytes that belong to the caller', async () => {
    const journal = await harness().open()
    await append(journal, 0, 20)
    const read = await readWhole(journal, 0)
    read.fill(0)
    expect([...(await readWhole(journal, 0))]).toEqual([...sampleBatch(0, 20)])
  })

  it('reads at random over all extents, many at once', async () => {
    const journal = await harness().openSmall()
    await appendMany(journal, 200, 1000)
    const seqs = Array.from({ length: 200 }, (_, at) => (at * 77) % 200)
    const batches = await Promise.all(seqs.map((seq) => readWhole(journal, seq)))
    for (const [at, batch] of batches.entries()) expect([...batch]).toEqual([...sampleBatch(seqs[at]!, 1000)])
  })

  it('does not read beyond its bounds', async () => {
    const journal = await harness().open()
    await appendMany(journal, 2, 10)
    expect(journal.bounds()).toEqual({ first: 0, next: 2 })
    for (const seq of [-1, 2, 3, 1000]) await expectNotKept(journal, seq)
  })
}

function describeReadsOfParts(harness: () => JournalHarness): void {
  it('reads many parts at once as it reads each of them, in any order', async () => {
    const journal = await harness().openSmall()
    const sizes = Array.from({ length: 100 }, (_, seq) => (seq % 10 === 0 ? 32 * 1024 : (seq * 37) % 3000))
    for (const [seq, bytes] of sizes.entries()) await append(journal, seq, bytes)
    const inOrder = sizes.flatMap((bytes, seq) => [
      { seq, from: 0, length: Math.min(50, bytes) },
      { seq, from: Math.floor(bytes / 2), length: 1000 },
      { seq, from: bytes - 1, length: 10 },
      { seq, from: bytes, length: 1 },
    ])
    const parts = [...inOrder, { seq: 10, from: 0, length: 32 * 1024 }, ...inOrder.toReversed()].filter(({ from }) => from >= 0)
    const read = await journal.readParts(parts)
    expect(read).toHaveLength(parts.length)
    for (const [n, { seq, from, length }] of parts.entries()) {
      expect(Buffer.compare(read[n]!, sampleBatch(seq, sizes[seq]!).subarray(from, from + length))).toBe(0)
    }
    expect(await journal.readParts([])).toEqual([])
  })

  it('reads none of several parts when one of them is not kept', async () => {
    const journal = await harness().openSmall()
    await appendMany(journal, 20, 1000)
    await journal.discard(3, 3)
    const parts = [2, 3, 4].map((seq) => ({ seq, from: 0, length: 10 }))
    await expect(async () => journal.readParts(parts)).rejects.toMatchObject({ code: 'offset_out_of_range' })
    expect(await journal.readParts([parts[0]!, parts[2]!])).toHaveLength(2)
  })
}

function describeDiscards(harness: () => JournalHarness): void {
  it('forgets ranges in any order, with gaps, and moves `first` only when the gap before it is closed', async () => {
    const journal = await harness().openSmall()
    await appendMany(journal, 300, 1000)
    await journal.discard(100, 149)
    expect(journal.bounds()).toEqual({ first: 0, next: 300 })
    await journal.discard(0, 49)
    expect(journal.bounds()).toEqual({ first: 50, next: 300 })
    await journal.discard(160, 299)
    await journal.discard(40, 120)
    expect(journal.bounds()).toEqual({ first: 150, next: 300 })
    for (const seq of [0, 49, 50, 99, 100, 149, 160, 299]) await expectNotKept(journal, seq)
    for (const seq of [150, 155, 159]) await expectKept(journal, seq, 1000)
  })

  it('forgets twice without harm', async () => {
    const journal = await harness().open()
    await appendMany(journal, 10, 10)
    await journal.discard(0, 4)
    await journal.discard(0, 4)
    await journal.discard(2, 6)
    expect(journal.bounds()).toEqual({ first: 7, next: 10 })
    await expectKept(journal, 7, 10)
  })

  it('keeps the next sequence when everything is forgotten', async () => {
    const journal = await harness().openSmall()
    await appendMany(journal, 200, 1000)
    await journal.discard(0, 199)
    expect(journal.bounds()).toEqual({ first: 200, next: 200 })
    await append(journal, 200, 10)
    expect(journal.bounds()).toEqual({ first: 200, next: 201 })
    await expectKept(journal, 200, 10)
  })

  it('lists extents in sequence order that cover what is kept', async () => {
    const journal = await harness().openSmall()
    await appendMany(journal, 250, 1000)
    await journal.discard(0, 99)
    const extents = journal.extents()
    expect(extents.length).toBeGreaterThan(1)
    expect(extents.at(-1)!.next).toBe(250)
    expect(extents[0]!.first).toBeLessThanOrEqual(journal.bounds().first)
    for (let at = 1; at < extents.length; at++) expect(extents[at]!.first).toBe(extents[at - 1]!.next)
    for (const { first, next, bytes } of extents) expect(bytes).toBe((next - first) * 1000)
  })

  it('gives an extent back as a whole once all of it is forgotten, also from the middle', async () => {
    const journal = await harness().openSmall()
    await appendMany(journal, 300, 1000)
    const before = journal.extents()
    expect(before.length).toBeGreaterThan(2)
    const middle = before[1]!
    await journal.discard(middle.first, middle.next - 2)
    expect(journal.extents()).toEqual(before)
    await journal.discard(middle.next - 1, middle.next - 1)
    expect(journal.extents()).toEqual(before.filter(({ first }) => first !== middle.first))
    expect(journal.bounds()).toEqual({ first: 0, next: 300 })
    await expectKept(journal, middle.first - 1, 1000)
    await expectKept(journal, middle.next, 1000)
    await expectNotKept(journal, middle.first)
  })
}

function describeSpace(harness: () => JournalHarness, example: JournalHarness): void {
  if (example.isSmallBounded) describeBounds(harness)

  it('goes on for ever in little space when old batches are forgotten', async () => {
    const journal = await harness().openSmall()
    for (let seq = 0; seq < 3000; seq++) {
      await append(journal, seq, 2000)
      if (seq % 25 === 24) await journal.discard(0, seq - 20)
    }
    await expectKept(journal, 2990, 2000)
    expect(journal.extents().length).toBeLessThan(10)
  })
}

function describeBounds(harness: () => JournalHarness): void {
  it('answers full when there is no room, keeps what it has, and takes the same sequence once there is room', async () => {
    const journal = await harness().openSmall()
    const bytes = 4096
    expect(journal.headroomBytes()).toBeGreaterThan(bytes)
    let seq = 0
    for (;;) {
      const result = await journal.append(seq, [sampleBatch(seq, bytes)])
      if (result.kind !== 'ok') {
        expect(result).toEqual({ kind: 'full' })
        break
      }
      seq++
      expect(seq).toBeLessThan(10_000)
    }
    expect(seq).toBeGreaterThan((256 * 1024) / bytes / 2)
    expect(journal.headroomBytes()).toBeLessThan(2 * bytes)
    expect(await journal.append(seq, [sampleBatch(seq, bytes)])).toEqual({ kind: 'full' })
    expect(journal.bounds()).toEqual({ first: 0, next: seq })
    await expectKept(journal, seq - 1, bytes)
    await journal.discard(0, Math.floor(seq / 2))
    expect(journal.headroomBytes()).toBeGreaterThan(bytes)
    await append(journal, seq, bytes)
    await expectKept(journal, seq, bytes)
    await expectKept(journal, seq - 1, bytes)
  })

  it('appends as much as the headroom promised', async () => {
    const journal = await harness().openSmall()
    await appendMany(journal, 20, 4096)
    const promised = journal.headroomBytes()
    let written = 0
    while (written + 8192 <= promised * 0.9) {
      await appendMany(journal, 1, 4096)
      written += 4096
    }
    expect(written).toBeGreaterThan(0)
  })
}

function describeEnd(harness: () => JournalHarness, example: JournalHarness): void {
  it('closes twice, and after that any use is a bug', async () => {
    const journal = await harness().open()
    await append(journal, 0, 10)
    await journal.close()
    await journal.close()
    await expect(async () => journal.append(1, [])).rejects.toThrow(AssertionError)
    await expect(async () => journal.read(0, 0, 1)).rejects.toThrow(AssertionError)
    await expect(async () => journal.discard(0, 0)).rejects.toThrow(AssertionError)
  })

  it('waits in close for the append under way', async () => {
    const journal = await harness().open()
    const appended = journal.append(0, [sampleBatch(0, 10)])
    await journal.close()
    expect(await appended).toEqual({ kind: 'ok' })
  })

  for (const way of ['reopen', 'crash'] as const) {
    if (example[way] === undefined) continue
    const again = (): Promise<Journal> => harness()[way]!()

    it(`keeps everything acknowledged over a ${way}`, async () => {
      const first = await harness().openSmall()
      await appendMany(first, 130, 1000)
      await append(first, 130, first.limits.batchBytesMax)
      const second = await again()
      expect(second.bounds()).toEqual({ first: 0, next: 131 })
      for (let seq = 0; seq < 130; seq++) await expectKept(second, seq, 1000)
      await expectKept(second, 130, second.limits.batchBytesMax)
      expect(await second.append(130, [])).toEqual({ kind: 'conflict' })
      await appendMany(second, 130, 1000)
      const third = await again()
      expect(third.bounds()).toEqual({ first: 0, next: 261 })
      for (let seq = 131; seq < 261; seq++) await expectKept(third, seq, 1000)
    })

    it(`keeps the next sequence over a ${way} when everything was forgotten`, async () => {
      const first = await harness().openSmall()
      await appendMany(first, 200, 1000)
      await first.discard(0, 199)
      const second = await again()
      expect(second.bounds().next).toBe(200)
      await append(second, 200, 10)
      await expectKept(second, 200, 10)
    })

    it(`may bring forgotten batches back over a ${way}, unharmed, and forgets them again`, async () => {
      const first = await harness().openSmall()
      await appendMany(first, 300, 1000)
      const { first: from, next } = first.extents()[1]!
      await first.discard(from, next + 1)
      await first.discard(0, 3)
      const second = await again()
      const bounds = second.bounds()
      expect(bounds.first).toBeLessThanOrEqual(4)
      expect(bounds.next).toBe(300)
      await expectKept(second, from - 1, 1000)
      for (let seq = next + 2; seq < 300; seq++) await expectKept(second, seq, 1000)
      await second.discard(0, 3)
      await second.discard(from, next + 1)
      expect(second.bounds()).toEqual({ first: 4, next: 300 })
      await expectNotKept(second, next + 1)
    })
  }
}
