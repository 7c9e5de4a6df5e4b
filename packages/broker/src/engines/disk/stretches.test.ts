import { expect, test } from 'vitest'
import type { File } from './file-system.ts'
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
  return { file: { read } as File, reads }
}

function byteAt(position: number): number {
  return (position * 31 + (position >>> 8)) & 0xff
}

async function readRanges(ranges: readonly (readonly [number, number])[]): Promise<[number, number][]> {
  const { file, reads } = countedFile()
  const stretches = new Stretches()
  const pieces = ranges.map(([start, end]) => stretches.add(start, end))
  await stretches.read(file)
  for (const [n, [start, end]] of ranges.entries()) {
    expect([...pieces[n]!.bytes]).toEqual(Array.from({ length: end - start }, (_, at) => byteAt(start + at)))
  }
  return reads
}

/** Reads zeros, and tells how many. */
function reading(lengths: number[]): (into: Uint8Array) => Promise<number> {
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

test('no read grows above a mebibyte by joining, and a larger range stays whole', async () => {
  const ranges = [
    [0, 600 * KIB],
    [600 * KIB, 1200 * KIB],
    [1200 * KIB, 3000 * KIB],
  ] as const
  expect(await readRanges(ranges)).toEqual(ranges)
})

test('a large read may bypass the page cache, but for pieces of less than a block', async () => {
  const bypassing: number[] = []
  const cached: number[] = []
  const file = { read: reading(cached), readOnce: reading(bypassing) } as unknown as File
  for (const [length, mayBypass] of [
    [200 * KIB, true],
    [300 * KIB, false],
    [300 * KIB, true],
  ] as const) {
    const stretches = new Stretches()
    stretches.add(0, 40)
    stretches.add(1000 * KIB, 1000 * KIB + length)
    await stretches.read(file, mayBypass)
  }
  expect(bypassing).toEqual([300 * KIB])
  expect(cached).toEqual([40, 200 * KIB, 40, 300 * KIB, 40])
})

test('an empty range reads nothing', async () => {
  expect(await readRanges([[50, 50]])).toEqual([])
})
