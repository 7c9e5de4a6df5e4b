import { expect, test } from 'vitest'
import { describeStore } from './conformance/store-conformance.ts'
import { MemoryIdempotencyStore } from './memory-idempotency-store.ts'

describeStore('memory', async () => {
  const store = new MemoryIdempotencyStore()
  return { store, sameData: store, close: async () => {} }
})

const OPTIONS = { leaseMs: 1000, retentionMs: 1000 }

test("time is the store's own, to the millisecond", async () => {
  let nowMs = 0
  const store = new MemoryIdempotencyStore({ now: () => nowMs })
  expect(await store.begin('k', OPTIONS)).toEqual({ state: 'started', fence: 1 })
  nowMs = 999
  expect(await store.begin('k', OPTIONS)).toEqual({ state: 'in-progress', retryAfterMs: 1 })
  nowMs = 1000
  expect(await store.begin('k', OPTIONS)).toEqual({ state: 'started', fence: 2 })
  await store.complete('k', 2)
  nowMs = 1999
  expect(await store.begin('k', OPTIONS)).toMatchObject({ state: 'done' })
  nowMs = 2000
  expect(await store.get('k')).toBeUndefined()
})

/** A key that is done. */
async function done(store: MemoryIdempotencyStore, key: string): Promise<void> {
  const begun = await store.begin(key, OPTIONS)
  expect(begun.state).toBe('started')
  if (begun.state === 'started') await store.complete(key, begun.fence)
}

test('a full store refuses new keys, and has room again as old ones end', async () => {
  let nowMs = 0
  const store = new MemoryIdempotencyStore({ entriesMax: 10, now: () => nowMs })
  for (let n = 0; n < 10; n++) await done(store, `k${n}`)
  await expect(store.begin('k10', OPTIONS)).rejects.toMatchObject({ code: 'limit_reached' })
  expect(await store.begin('k3', OPTIONS)).toMatchObject({ state: 'done' })
  nowMs = 1000
  expect(await store.begin('k10', OPTIONS)).toMatchObject({ state: 'started' })
  expect(await store.purge(3)).toBe(3)
})

test('begin alone keeps the store as small as what lives', async () => {
  let nowMs = 0
  const store = new MemoryIdempotencyStore({ entriesMax: 300, now: () => nowMs })
  for (let n = 0; n < 10_000; n++) {
    nowMs += 10
    // 100 keys are remembered at any time.
    await done(store, `k${n}`)
  }
  expect(await store.purge(10_000)).toBeLessThan(200)
})

test('a claim of somebody who crashed is forgotten in the end', async () => {
  let nowMs = 0
  const store = new MemoryIdempotencyStore({ now: () => nowMs })
  await store.begin('k', OPTIONS)
  nowMs = 3_600_999
  expect(await store.purge()).toBe(0)
  nowMs = 3_601_000
  expect(await store.purge()).toBe(1)
})
