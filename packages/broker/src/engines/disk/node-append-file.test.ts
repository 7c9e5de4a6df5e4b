import { mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { allocateBlocks } from './aligned-memory.ts'
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

afterEach(() => rmSync(directory, { recursive: true }))

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
