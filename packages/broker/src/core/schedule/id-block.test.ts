import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader, ByteWriter, StateFormatError } from '../state/bytes.ts'
import { BLOCK_IDS, IdBlock } from './id-block.ts'

function stored(block: IdBlock): IdBlock {
  const out = new ByteWriter()
  block.write(out)
  const from = new ByteReader(out.view().slice())
  const read = IdBlock.read(block.number, from)
  if (from.left > 0) throw new Error(`${from.left} bytes are left`)
  return read
}

function compare(block: IdBlock, model: ReadonlySet<number>): void {
  expect(block.size).toBe(model.size)
  const wrong: number[] = []
  for (let id = 0; id < BLOCK_IDS; id++) if (block.has(id) !== model.has(id)) wrong.push(id)
  expect(wrong).toEqual([])
}

const step = fc.oneof(
  fc.record({ give: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1000, max: 9000 })) }),
  fc.record({
    from: fc.double({ min: 0, max: 1, noNaN: true }),
    count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6000 })),
  }),
)

test('a block agrees with a set, whatever is given out and removed, also after it was stored', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let block = new IdBlock(7)
      const model = new Set<number>()
      for (const [n, each] of steps.entries()) {
        if ('give' in each) {
          const used = Math.min(BLOCK_IDS, block.used + each.give)
          for (let id = block.used; id < used; id++) model.add(id)
          block.extend(used)
        } else {
          const first = Math.min(Math.floor(each.from * block.used), BLOCK_IDS - 1)
          const last = Math.min(first + each.count - 1, BLOCK_IDS - 1)
          let expected = 0
          for (let id = first; id <= last; id++) if (model.delete(id)) expected++
          expect(block.count(first, last)).toBe(expected)
          expect(block.remove(first, last)).toBe(expected)
        }
        expect(block.size).toBe(model.size)
        if (n % 7 === 0) block = stored(block)
      }
      compare(block, model)
      compare(stored(block), model)
    }),
    { numRuns: 60 },
  )
})

test('messages with the same delay leave nothing behind: a block that loses its front stays a run', () => {
  const block = new IdBlock(1)
  block.extend(60_000)
  for (let id = 0; id < 59_999; id++) expect(block.remove(id, id)).toBe(1)
  expect(block.bytesMax).toBeLessThan(20)
  expect([block.has(59_998), block.has(59_999)]).toEqual([false, true])
  expect(block.remove(59_999, 59_999)).toBe(1)
  block.extend(60_001)
  expect([block.size, block.has(60_000)]).toEqual([1, true])
})

test('refuses what is malformed', () => {
  for (const bytes of [[], [5], [5, 3], [0xff, 0xff, 0x7f, 0, 0], [5, 1, 0xff, 0xff, 3], [5, 2, 1, 2, 3]]) {
    expect(() => IdBlock.read(1, new ByteReader(Uint8Array.from(bytes)))).toThrow(StateFormatError)
  }
})
