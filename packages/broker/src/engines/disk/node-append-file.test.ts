import {
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { allocateBlocks } from './aligned-memory.ts'
import { openDirect } from './direct-reader.ts'
import { openForAppend } from './node-append-file.ts'

const KIB = 1024
const FILE_BYTES = 32 * 1024 * KIB

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-append-'))
  path = join(directory, 'file')
  writeFileSync(path, '')
  truncateSync(path, FILE_BYTES)
})

afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true })
})

test.each(['os', 'fsync'] as const)(
  'writes of all sizes, by whatever way, are read as they were written (%s)',
  async (durability) => {
    const memory = allocateBlocks(4096 * KIB)
    const expected = Buffer.alloc(FILE_BYTES)
    const file = await openForAppend(path, durability)
    // As segments are: the file that was opened, whatever its name is now.
    const renamed = join(directory, 'renamed')
    renameSync(path, renamed)
    let position = 0
    for (let n = 0; position + 4096 * KIB <= FILE_BYTES; n++) {
      const length = [2048, 4, 3072, 128, 1024, 32][n % 6]! * KIB
      const blocks = memory.subarray(0, length)
      for (let at = 0; at < length; at += 4) blocks[at] = (at * 31 + n) & 0xff
      expect(await file.append(blocks, position)).toBe(length)
      expected.set(blocks, position)
      expect(readFileSync(renamed).equals(expected), `after write ${n}`).toBe(true)
      // The last block is written again with what follows.
      position += length - 4 * KIB * (n % 2)
    }
    await file.close()
  },
)

test('goes past the page cache after a file that filled fast, until one does not', async () => {
  const direct = await openDirect(path, constants.O_RDWR)
  await direct?.close()
  const mayGoPast = direct !== undefined && process.platform === 'linux'
  let nowMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  const blocks = allocateBlocks(1024 * KIB)
  // 1 GiB/s; then 10 MiB/s, twice.
  for (const [msEach, goesPast] of [
    [1, false],
    [100, true],
    [100, false],
  ] as const) {
    const file = await openForAppend(path, 'os')
    for (let n = 0; n < 20; n++) {
      nowMs += msEach
      await file.append(blocks, n * blocks.length)
    }
    expect(isOpenPastPageCache()).toBe(goesPast && mayGoPast)
    await file.close()
  }
})

/** Linux tells the flags of every descriptor. */
function isOpenPastPageCache(): boolean {
  if (process.platform !== 'linux') return false
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== path) continue
      const flags = Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!, 8)
      if ((flags & constants.O_DIRECT) !== 0) return true
    } catch {
      // The one that listed them.
    }
  }
  return false
}
