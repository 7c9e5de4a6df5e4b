import { expect, test } from 'vitest'
import { Lease } from '../../base/lease.ts'
import type { File } from './file-system.ts'
import { ReadBlocks } from './read-blocks.ts'
import { Stretches } from './stretches.ts'

const KIB = 1024

/** Bytes that tell their position; `reads` are the ranges that were read. */
function countedFile(): { readonly file: File; readonly reads: [number, number][] } {
  const reads: [number, number][] = []
  const read = (into: Uint8Array, position: number): Promise<number> => {
    reads.push([position, position + into.length])
    for (let n = 0; n < into.length; n++) into[n] = byteAt(position + n)
    return Promise.resolve(into.length)
  }
  return { file: { read, readOnce: read } as unknown as File, reads }
}

function byteAt(position: number): number {
  return (position * 31 + (position >>> 8)) & 0xff
}

function someBlocks(): ReadBlocks {
  return new ReadBlocks({ allocateBlocks: (bytes) => new Uint8Array(bytes) })
}

async function readRanges(ranges: readonly (readonly [number, number])[]): Promise<[number, number][]> {
  const { file, reads } = countedFile()
  const stretches = new Stretches()
  const pieces = ranges.map(([start, end]) => stretches.add(start, end))
  await stretches.read(file, someBlocks())
  for (const [n, [start, end]] of ranges.entries()) {
    expect([...pieces[n]!.bytes]).toEqual(Array.from({ length: end - start }, (_, at) => byteAt(start + at)))
  }
  return reads
}

/** Reads zeros, and tells how many. */
function counting(lengths: number[]): (into: Uint8Array) => Promise<number> {
  return (into) => {
    lengths.push(into.length)
    return Promise.resolve(into.length)
  }
}

test('neighbours, and what a small gap is between, are one read', async () => {
  const ranges = [
    [100, 140],
    [140, 300],
    [300 + 16 * KIB, 301 + 16 * KIB],
    [200, 250],
  ] as const
  expect(await readRanges(ranges)).toEqual([[100, 301 + 16 * KIB]])
})

test('what lies apart, or before, is a read of its own', async () => {
  const ranges = [
    [100, 140],
    [141 + 16 * KIB, 142 + 16 * KIB],
    [0, 10],
  ] as const
  expect(await readRanges(ranges)).toEqual(ranges)
})

test('no read grows above a mebibyte and little more by joining', async () => {
  const ranges = [
    [0, 600 * KIB],
    [600 * KIB, 1200 * KIB],
    [1200 * KIB, 1800 * KIB],
  ] as const
  expect(await readRanges(ranges)).toEqual(ranges)
})

test('a large read may bypass the page cache, but for pieces of less than a block', async () => {
  const bypassing: number[] = []
  const cached: number[] = []
  const file = { read: counting(cached), readOnce: counting(bypassing) } as unknown as File
  for (const length of [200 * KIB, 300 * KIB]) {
    const stretches = new Stretches()
    stretches.add(0, 40)
    stretches.add(1000 * KIB, 1000 * KIB + length)
    await stretches.read(file, someBlocks())
  }
  expect(bypassing).toEqual([300 * KIB])
  expect(cached).toEqual([40, 200 * KIB, 40])
})

test('what is larger than the memory to read into comes by way of it, piece by piece', async () => {
  const { file, reads } = countedFile()
  const stretches = new Stretches()
  const [start, end] = [5000, 5000 + 2500 * KIB]
  const piece = stretches.add(start, end)
  await stretches.read(file, someBlocks())
  expect(piece.bytes.length).toBe(end - start)
  const wrong = Array.from(piece.bytes.entries()).filter(([at, byte]) => byte !== byteAt(start + at))
  expect(wrong).toEqual([])
  expect(reads).toHaveLength(3)
})

test('an empty range reads nothing', async () => {
  expect(await readRanges([[50, 50]])).toEqual([])
})

test('what is lent is read into the same memory again once the lease ended, and not before', async () => {
  const { file, reads } = countedFile()
  const blocks = someBlocks()
  const read = async (start: number, lease?: Lease): Promise<Buffer> => {
    const stretches = new Stretches()
    const piece = stretches.add(start, start + 300 * KIB)
    await stretches.read(file, blocks, lease)
    return piece.bytes
  }
  const [first, second] = [new Lease(), new Lease()]
  const lent = await read(5000, first)
  const other = await read(1000 * KIB, second)
  const own = await read(2000 * KIB)
  expect(new Set([lent.buffer, other.buffer, own.buffer]).size).toBe(3)
  expect([lent[0], lent[300 * KIB - 1]]).toEqual([byteAt(5000), byteAt(5000 + 300 * KIB - 1)])
  // Whole blocks of the disk, but for what is not lent.
  expect(reads).toEqual([
    [4096, 4096 + 304 * KIB],
    [1000 * KIB, 1300 * KIB],
    [2000 * KIB, 2300 * KIB],
  ])
  second.release()
  const again = await read(3000 * KIB + 1, new Lease())
  expect(again.buffer).toBe(other.buffer)
  expect(again[0]).toBe(byteAt(3000 * KIB + 1))
  expect(lent[0]).toBe(byteAt(5000))
})

test('where too much is lent, and of little, the bytes are the reader’s own', async () => {
  const { file } = countedFile()
  const blocks = someBlocks()
  const lease = new Lease()
  const read = async (length: number): Promise<Buffer> => {
    const stretches = new Stretches()
    const piece = stretches.add(100, 100 + length)
    await stretches.read(file, blocks, lease)
    return piece.bytes
  }
  const few = await read(1000)
  const all = await Promise.all(Array.from({ length: 20 }, () => read(200 * KIB)))
  lease.release()
  const next = await Promise.all(Array.from({ length: 20 }, () => read(200 * KIB)))
  const buffers = new Set(all.map(({ buffer }) => buffer))
  expect(buffers.size).toBe(20)
  expect(next.filter(({ buffer }) => buffers.has(buffer)).length).toBe(12)
  expect(few.length).toBe(1000)
})
