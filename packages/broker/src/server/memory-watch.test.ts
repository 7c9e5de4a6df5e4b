import { expect, test } from 'vitest'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { MemoryWatch } from './memory-watch.ts'

const MIB = 1024 * 1024

function watched(): {
  watch: MemoryWatch
  use: { heapBytes: number; heapBytesMax: number; bytes: number }
  platform: VirtualPlatform
  told: boolean[]
} {
  const platform = new VirtualPlatform()
  const use = { heapBytes: 20 * MIB, heapBytesMax: 100 * MIB, bytes: 50 * MIB }
  const told: boolean[] = []
  const watch = new MemoryWatch(
    200 * MIB,
    platform,
    (isShort) => told.push(isShort),
    () => use,
  )
  return { watch, use, platform, told }
}

test.each([
  ['buffers', { bytes: 201 * MIB }],
  ['the heap', { heapBytes: 86 * MIB }],
])('%s above the mark after a collection are a shortage, until they are well below it', async (_, much) => {
  const { watch, use, platform, told } = watched()
  let changes = 0
  watch.onChange(() => changes++)
  const stop = watch.onChange(() => changes--)
  stop()
  watch.collected()
  expect([watch.isShort, changes]).toEqual([false, 0])
  Object.assign(use, much)
  // What is garbage is known once it is collected.
  await platform.advance(5000)
  expect(watch.isShort).toBe(false)
  watch.collected()
  watch.collected()
  expect([watch.isShort, changes, told]).toEqual([true, 1, [true]])
  Object.assign(use, { bytes: 190 * MIB, heapBytes: 20 * MIB })
  await platform.advance(5000)
  expect(watch.isShort).toBe(true)
  use.bytes = 170 * MIB
  await platform.advance(1000)
  expect([watch.isShort, changes, told]).toEqual([false, 2, [true, false]])
  watch.close()
})

test('a closed one looks no more', async () => {
  const { watch, use, platform } = watched()
  use.bytes = 300 * MIB
  watch.collected()
  watch.close()
  use.bytes = 1
  await platform.advance(10_000)
  expect(watch.isShort).toBe(true)
})
