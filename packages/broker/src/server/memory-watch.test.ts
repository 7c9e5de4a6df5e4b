import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'
import { expect, test } from 'vitest'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { MemoryWatch } from './memory-watch.ts'
import { nodePlatform } from './node-platform.ts'

const MIB = 1024 * 1024

function watched(): {
  watch: MemoryWatch
  use: { heapBytes: number; heapBytesMax: number; bytes: number }
  platform: VirtualPlatform
  told: boolean[]
  collections: number[]
  /** V8 has collected all garbage. */
  collected: () => void
} {
  const platform = new VirtualPlatform()
  const use = { heapBytes: 20 * MIB, heapBytesMax: 100 * MIB, bytes: 50 * MIB }
  const told: boolean[] = []
  const collections: number[] = []
  const listeners = new Set<() => void>()
  const watch = new MemoryWatch(200 * MIB, platform, (isShort) => told.push(isShort), {
    use: () => use,
    collect: () => void collections.push(platform.clock.monotonicMs()),
    onCollected: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
  const collected = (): void => listeners.forEach((listener) => listener())
  return { watch, use, platform, told, collections, collected }
}

test.each([
  ['buffers', { bytes: 201 * MIB }],
  ['the heap', { heapBytes: 86 * MIB }],
])('%s above the mark after a collection are a shortage, until they are well below it', async (_, much) => {
  const { watch, use, platform, told, collected } = watched()
  let changes = 0
  watch.onChange(() => changes++)
  const stop = watch.onChange(() => changes--)
  stop()
  collected()
  expect([watch.isShort, changes]).toEqual([false, 0])
  Object.assign(use, much)
  // What is garbage is known once it is collected.
  await platform.advance(5000)
  expect(watch.isShort).toBe(false)
  collected()
  collected()
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
  const { watch, use, platform, collected } = watched()
  use.bytes = 300 * MIB
  collected()
  watch.close()
  use.bytes = 1
  await platform.advance(10_000)
  expect(watch.isShort).toBe(true)
  collected()
  expect(watch.isShort).toBe(true)
})

test('while memory is short garbage is collected now and then, so that its end is noticed', async () => {
  const { watch, use, platform, collections, collected } = watched()
  use.bytes = 300 * MIB
  await platform.advance(20_000)
  expect(collections).toEqual([])
  collected()
  await platform.advance(12_000)
  expect(collections).toEqual([25_000, 30_000])
  watch.close()
})

test('a real collection is noticed, and frees what nobody holds', async () => {
  const platform = nodePlatform()
  const held: Uint8Array[] = []
  const told: boolean[] = []
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  const watch = new MemoryWatch(heap + external + 200 * MIB, platform, (isShort) => told.push(isShort))
  for (let n = 0; n < 40 && !watch.isShort; n++) {
    held.push(new Uint8Array(16 * MIB))
    await sleep(20)
  }
  expect(told).toEqual([true])
  held.length = 0
  while (watch.isShort) await sleep(100)
  expect(told).toEqual([true, false])
  watch.close()
}, 20_000)
