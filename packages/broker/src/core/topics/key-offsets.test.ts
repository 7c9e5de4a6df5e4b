import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyOffsets } from './key-offsets.ts'

test('knows the last offset of every key it had room for', () => {
  const key = fc.uint8Array({ maxLength: 3, max: 3 })
  fc.assert(
    fc.property(fc.array(key), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 60 }), (keys, keysMax, bytesMax) => {
      const offsets = new KeyOffsets(keysMax, bytesMax)
      const model = new Map<string, number>()
      let bytes = 0
      keys.forEach((each, offset) => {
        const name = each.join()
        const fits = model.has(name) || (model.size < keysMax && bytes + each.length <= bytesMax)
        expect(offsets.set(each, offset)).toBe(fits)
        if (!fits) return
        if (!model.has(name)) bytes += each.length
        model.set(name, offset)
      })
      for (const each of keys) expect(offsets.get(each)).toBe(model.get(each.join()) ?? -1)
      expect(offsets.keys).toBe(model.size)
      offsets.clear()
      for (const each of keys) expect(offsets.get(each)).toBe(-1)
    }),
  )
})
