import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { allocateBlocks } from './aligned-memory.ts'
import type { File } from './file-system.ts'

const MIB = 1_048_576
const CONTENTS = Buffer.alloc(8 * MIB)
for (let at = 0; at < CONTENTS.length; at += 4) CONTENTS.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)

let directory: string
let files: File[]
/** How long each read takes, and how many blocks it finds on the disk. */
let readMs: number
let readBlocks: number

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-pace-'))
  files = []
  readMs = 0.1
  readBlocks = 0
  let nowMs = 0
  let diskBlocks = 1000
  const usage = process.resourceUsage()
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += readMs))
  vi.spyOn(process, 'resourceUsage').mockImplementation(() => ({ ...usage, fsRead: (diskBlocks += readBlocks) }))
  // What was learnt of the files of other tests does not count.
  vi.resetModules()
})

afterEach(async () => {
  vi.restoreAllMocks()
  for (const file of files) await file.close()
  rmSync(directory, { recursive: true })
})

async function opened(): Promise<File> {
  const path = join(directory, String(files.length))
  writeFileSync(path, CONTENTS)
  const { nodeFileSystem } = await import('./node-file-system.ts')
  const file = await nodeFileSystem.open(path, false)
  files.push(file)
  return file
}

/** Reads, and checks what came. @returns whether no other thread did it: what one did is noticed when the event loop turns, and not before */
async function isAtOnce(file: File, how: 'read' | 'readOnce' = 'readOnce', bytes = MIB): Promise<boolean> {
  const into = allocateBlocks(bytes)
  let isRead = false
  const reading = file[how](into, 4096).then(() => (isRead = true))
  for (let n = 0; n < 10; n++) await Promise.resolve()
  const wasRead = isRead
  await reading
  expect(CONTENTS.compare(into, 0, bytes, 4096, 4096 + bytes)).toBe(0)
  await nextTurn()
  return wasRead
}

async function atOnce(file: File, times: number): Promise<boolean[]> {
  const all: boolean[] = []
  for (let n = 0; n < times; n++) all.push(await isAtOnce(file))
  return all
}

test('what comes as fast as from the page cache needs no other thread from then on, large or small', async () => {
  const file = await opened()
  expect(await atOnce(file, 3)).toEqual([false, true, true])
  expect(await isAtOnce(file, 'read', 4096)).toBe(true)
  expect(await isAtOnce(file, 'read')).toBe(true)
})

test('small reads by other threads tell nothing', async () => {
  const file = await opened()
  for (let n = 0; n < 5; n++) expect(await isAtOnce(file, 'read', 4096)).toBe(false)
})

test('a read that waits for the disk is the last one, until it is as fast again as from the page cache', async () => {
  const file = await opened()
  await atOnce(file, 2)
  readMs = 3
  readBlocks = 2048
  expect(await atOnce(file, 2)).toEqual([true, false])
  readMs = 0.1
  readBlocks = 0
  const later = await atOnce(file, 20)
  expect(later[0]).toBe(false)
  expect(later.at(-1)).toBe(true)
})

test('a read that takes long while nothing comes from a disk waited for something else', async () => {
  const file = await opened()
  await atOnce(file, 2)
  readMs = 3
  expect(await atOnce(file, 5)).toEqual([true, true, true, true, true])
})

test('where the system does not count what comes from disks the time decides', async () => {
  vi.spyOn(process, 'resourceUsage').mockImplementation(() => ({ fsRead: 0 }) as NodeJS.ResourceUsage)
  const file = await opened()
  await atOnce(file, 2)
  readMs = 3
  expect(await atOnce(file, 2)).toEqual([true, false])
})

test('a file is expected to be like the one that was read before', async () => {
  await atOnce(await opened(), 2)
  const next = await opened()
  expect(await isAtOnce(next)).toBe(true)
  readMs = 3
  readBlocks = 2048
  await atOnce(next, 2)
  expect(await isAtOnce(await opened())).toBe(false)
})

test('others have their turn after 4 MiB, or 128 small reads', async () => {
  const file = await opened()
  await atOnce(file, 2)
  const into = allocateBlocks(MIB)
  const readAll = async (bytes: number, times: number): Promise<boolean> => {
    let isTurned = false
    setImmediate(() => (isTurned = true))
    for (let n = 0; n < times; n++) await file.readOnce(into.subarray(0, bytes), 0)
    return isTurned
  }
  expect(await readAll(MIB, 4)).toBe(false)
  await nextTurn()
  expect(await readAll(MIB, 5)).toBe(true)
  await nextTurn()
  expect(await readAll(40, 128)).toBe(false)
  await nextTurn()
  expect(await readAll(40, 129)).toBe(true)
})
