import { expect, test } from 'vitest'
import { CommitMemory, type MemoryBlock } from './commit-memory.ts'

const KIB = 1024

interface Commit {
  readonly blocks: MemoryBlock[]
  readonly pieces: Uint8Array[]
}

function commit(memory: CommitMemory, ...lengths: number[]): Commit {
  const blocks: MemoryBlock[] = []
  return { blocks, pieces: lengths.map((bytes) => memory.take(bytes, blocks)) }
}

function drop({ blocks }: Commit): void {
  for (const block of blocks) block.release()
}

test('commits share a block, and each byte belongs to one of them', () => {
  const memory = new CommitMemory(0)
  const commits = [commit(memory, 3000, 100), commit(memory, 65_536, 7), commit(memory, 1)]
  for (const [n, { pieces }] of commits.entries()) for (const piece of pieces) piece.fill(n + 1)
  expect(new Set(commits.flatMap(({ blocks }) => blocks)).size).toBe(1)
  for (const [n, { pieces }] of commits.entries()) {
    for (const piece of pieces) expect(piece.every((byte) => byte === n + 1)).toBe(true)
  }
})

test('a block is used again once no commit has bytes in it, and not before', () => {
  const memory = new CommitMemory(10_000 * KIB)
  const [first, second] = [commit(memory, 128 * KIB, 128 * KIB), commit(memory, 128 * KIB, 128 * KIB)]
  const block = first.blocks[0]!.memory
  // Enough to leave the block that is being filled.
  const others = (): ArrayBufferLike[] =>
    commit(memory, ...Array.from({ length: 8 }, () => 128 * KIB)).pieces.map(({ buffer }) => buffer)
  others()
  drop(first)
  expect(others().includes(block)).toBe(false)
  drop(second)
  expect(others().includes(block)).toBe(true)
})

test('the block that is being filled stays, also when the commits in it are gone', () => {
  const memory = new CommitMemory(10_000 * KIB)
  const early = commit(memory, 1000)
  drop(early)
  const late = commit(memory, 1000)
  expect(late.blocks).toEqual(early.blocks)
  expect(late.pieces[0]!.byteOffset).toBe(1000)
})

test('what somebody else holds too is not used again', () => {
  const memory = new CommitMemory(10_000 * KIB)
  const shown = commit(memory, 200 * KIB)
  shown.blocks[0]!.hold()
  drop(shown)
  expect(commit(memory, 200 * KIB).pieces[0]!.buffer).not.toBe(shown.pieces[0]!.buffer)
})

test('under a load of commits of all sizes, memory is that of the commits that are alive and little more', () => {
  const memory = new CommitMemory(4096 * KIB)
  const alive: Commit[] = []
  const buffers = new Set<ArrayBufferLike>()
  let aliveBytes = 0
  let seed = 7
  for (let n = 0; n < 20_000; n++) {
    seed = (seed * 48_271) % 2_147_483_647
    const each = commit(memory, ...Array.from({ length: 1 + (seed % 4) }, (_, part) => 2049 + ((seed >> part) % (126 * KIB))))
    alive.push(each)
    for (const piece of each.pieces) {
      buffers.add(piece.buffer)
      aliveBytes += piece.length
    }
    while (aliveBytes > 16_384 * KIB) {
      const oldest = alive.shift()!
      for (const piece of oldest.pieces) aliveBytes -= piece.length
      drop(oldest)
    }
  }
  const taken = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)
  expect(taken).toBeLessThan(16_384 * KIB * 1.25)
})
