import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { allocateBlocks } from './aligned-memory.ts'
import { DirectReader } from './direct-reader.ts'
import type { File } from './file-system.ts'
import { nodeFileSystem } from './node-file-system.ts'
import { readFully } from './whole-transfers.ts'

const FILE_BYTES = 3 * 1024 * 1024 + 100

let directory: string
let path: string
let file: File
let contents: Buffer

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-direct-'))
  path = join(directory, 'file')
  contents = Buffer.alloc(FILE_BYTES)
  for (let at = 0; at + 4 <= FILE_BYTES; at += 4) contents.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)
  writeFileSync(path, contents)
  file = await nodeFileSystem.open(path, false)
})

afterEach(async () => {
  await file.close()
  rmSync(directory, { recursive: true })
})

test.each([
  ['whole blocks', 4096, 8192, allocateBlocks],
  ['a lot', 0, 2_600_960, allocateBlocks],
  ['what begins and ends within blocks', 5000, 300_001, allocateBlocks],
  ['from within a block', 5000, 8192, allocateBlocks],
  ['into memory of other kinds', 4096, 8192, (bytes: number) => new Uint8Array(bytes)],
  ['up to the end of the file', FILE_BYTES - 70_000, 70_000, allocateBlocks],
])('reads %s', async (_, position, length, allocate) => {
  const into = allocate(length).fill(7)
  expect(await readFully(file, into, position, true)).toBe(length)
  expect(contents.compare(into, 0, length, position, position + length)).toBe(0)
})

test('what lies beyond the end of the file is zeros', async () => {
  const into = allocateBlocks(16_384).fill(7)
  const position = FILE_BYTES - (FILE_BYTES % 4096) - 4096
  const rest = FILE_BYTES - position
  expect(await readFully(file, into, position, true)).toBe(rest)
  expect([...into.subarray(0, rest)]).toEqual([...contents.subarray(position)])
  expect(into.subarray(rest).every((byte) => byte === 0)).toBe(true)
  expect(await readFully(file, into, FILE_BYTES + 50_000, true)).toBe(0)
})

test('many at once each get their own bytes', async () => {
  const reads = Array.from({ length: 20 }, (_, n) => ({ position: n * 102_400, into: allocateBlocks(901_120) }))
  await Promise.all(reads.map(({ position, into }) => readFully(file, into, position, true)))
  for (const { position, into } of reads) expect(contents.compare(into, 0, into.length, position, position + into.length)).toBe(0)
})

test('sees what was written, also into a block that was read before', async () => {
  const into = allocateBlocks(303_104)
  await readFully(file, into, 0, true)
  await file.write(new Uint8Array(10).fill(9), 5000)
  await readFully(file, into, 0, true)
  expect(into.subarray(5000, 5010)).toEqual(new Uint8Array(10).fill(9))
})

test('leaves to others what is not whole blocks, and not where they begin', async () => {
  const handle = await open(path, 'r')
  const reader = new DirectReader(handle.fd)
  const blocks = allocateBlocks(8192)
  const refused = [reader.read(blocks, 512), reader.read(blocks.subarray(0, 5000), 0), reader.read(blocks.subarray(10, 4106), 0)]
  expect(await Promise.all([...refused, reader.read(new Uint8Array(4096), 0)])).toEqual(Array.from({ length: 4 }))
  await reader.close()
  await handle.close()
})

test('reads the file that was opened, whatever has its name now', async () => {
  const other = join(directory, 'other')
  await nodeFileSystem.rename(path, other)
  writeFileSync(path, new Uint8Array(FILE_BYTES))
  const into = allocateBlocks(499_712)
  await readFully(file, into, 8192, true)
  expect(contents.compare(into, 0, into.length, 8192, 507_904)).toBe(0)
})
