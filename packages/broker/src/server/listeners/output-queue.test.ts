import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OutputQueue } from './output-queue.ts'

test('joins small chunks, leaves large ones alone, and keeps the order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 4000, max: 9000 })), { maxLength: 60 }),
      (sizes) => {
        const queue = new OutputQueue()
        const chunks = sizes.map((size, n) => new Uint8Array(size).fill(n))
        for (let n = 0; n < chunks.length; n += 3) queue.push(chunks.slice(n, n + 3))
        expect(queue.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
        const taken = queue.take()
        expect(Buffer.concat(taken).equals(Buffer.concat(chunks))).toBe(true)
        for (const large of chunks.filter(({ length }) => length >= 4096)) expect(taken.includes(large)).toBe(true)
        for (let n = 1; n < taken.length; n++) expect(taken[n - 1]!.length + taken[n]!.length).toBeGreaterThan(4096)
        expect(queue.bytes).toBe(0)
        expect(queue.take()).toEqual([])
      },
    ),
  )
})
