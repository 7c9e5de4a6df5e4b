import { expect, test } from 'vitest'
import { FaultFileSystem } from './fault-file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { FrameHeader } from './frame.ts'
import { openDiskJournal } from './open-disk-journal.ts'
import { RecentHeaders } from './recent-headers.ts'
import { seededRandom } from './seeded-random.ts'

const BYTES = 400_000
const PART_BYTES = 100_000

/** An object that does what `inner` does, apart from what it does `instead`. */
function over<T extends object>(inner: T, instead: Partial<T>): T {
  const get = (target: T, name: string | symbol): unknown => {
    const value: unknown = Reflect.get(name in instead ? instead : target, name)
    return typeof value === 'function' ? value.bind(target) : value
  }
  return new Proxy(inner, { get })
}

/** @param reads gets the length of each read of a file */
function counting(fileSystem: FileSystem, reads: number[]): FileSystem {
  return over(fileSystem, {
    open: async (path, create) => {
      const file = await fileSystem.open(path, create)
      const counted = (name: 'read' | 'readOnce') => (into: Uint8Array, position: number) => {
        reads.push(into.length)
        return file[name](into, position)
      }
      return over(file, { read: counted('read'), readOnce: counted('readOnce') })
    },
  })
}

function headerOf(seq: number): FrameHeader {
  return { seq, bodyBytes: seq + 1, epoch: 2, previousChecksum: 0xffff_fff3, bodyChecksum: 4, unsynced: 5, headerChecksum: 6 }
}

test('who reads a large batch part by part reads its header once', async () => {
  const reads: number[] = []
  const files = new FaultFileSystem({ random: seededRandom(1) })
  const journal = await openDiskJournal({
    directory: '/data',
    durability: 'fsync',
    segmentBytes: 4 * 1024 * 1024,
    batchBytesMax: 1024 * 1024,
    fileSystem: counting(files.boot(), reads),
  })
  const batch = Buffer.from(Array.from({ length: BYTES }, (_, n) => n % 251))
  for (let seq = 0; seq < 3; seq++) await journal.append(seq, [batch])
  reads.length = 0
  for (let from = 0; from < BYTES; from += PART_BYTES) {
    const [bytes] = await journal.readParts([{ seq: 1, from, length: PART_BYTES }])
    expect(batch.compare(bytes!, 0, PART_BYTES, from, from + PART_BYTES)).toBe(0)
  }
  // The first part lies behind its header.
  expect(reads).toEqual([40 + PART_BYTES, PART_BYTES, PART_BYTES, PART_BYTES])
  await journal.close()
})

test('a header is that of a place, and a newer one takes the place of an old one', () => {
  const headers = new RecentHeaders()
  const place = { start: 4096, end: 8192 }
  for (let seq = 0; seq < 256; seq++) headers.keep(place, headerOf(seq))
  expect(headers.find(0, place)).toEqual(headerOf(0))
  expect(headers.find(0, { start: 8192, end: 12_288 })).toBe(undefined)
  headers.keep(place, headerOf(256))
  expect(headers.find(0, place)).toBe(undefined)
  expect(headers.find(256, place)).toEqual(headerOf(256))
})
