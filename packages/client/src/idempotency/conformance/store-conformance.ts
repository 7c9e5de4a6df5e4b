import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { BeginOptions, IdempotencyStore } from '../idempotency-store.ts'

export interface StoreUnderTest {
  readonly store: IdempotencyStore
  /** As another process has it: the same data through an instance of its own. */
  readonly sameData: IdempotencyStore
  close(): Promise<void>
}

const LONG: BeginOptions = { leaseMs: 60_000, retentionMs: 60_000 }
/** Long enough that a call's own duration does not matter, short enough to wait for. */
const SHORT_MS = 100

let keys = 0
const newKey = (): string => `key-${++keys}`

/** What every idempotency store must do. */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`idempotency store: ${name}`, () => {
    let opened: StoreUnderTest

    beforeAll(async () => {
      opened = await open()
    })

    afterAll(async () => {
      await opened.close()
    })

    const use = (): StoreUnderTest => opened
    claims(use)
    fencing(use)
    expiry(use)
    payload(use)
  })
}

function claims(use: () => StoreUnderTest): void {
  test('a key is unknown, in progress, done', async () => {
    const { store, sameData } = use()
    const key = newKey()
    expect(await store.get(key)).toBeUndefined()
    const fence = await start(store, key)
    expect(await store.get(key)).toEqual({ state: 'in-progress', fence })
    const begun = await sameData.begin(key, LONG)
    expect(begun).toEqual({ state: 'in-progress', retryAfterMs: expect.any(Number) })
    expect(begun).toHaveProperty(
      'retryAfterMs',
      expect.toSatisfy((ms: number) => ms > 30_000 && ms <= 60_000),
    )
    await store.complete(key, fence)
    expect(await store.get(key)).toEqual({ state: 'done', fence, result: undefined })
    expect(await sameData.begin(key, LONG)).toEqual({ state: 'done', result: undefined })
  })

  test('a result comes back byte for byte', async () => {
    const { store, sameData } = use()
    const result = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    for (const bytes of [result, new Uint8Array(0)]) {
      const key = newKey()
      await store.complete(key, await start(store, key), bytes)
      const begun = await sameData.begin(key, LONG)
      expect(begun.state === 'done' && begun.result !== undefined && Array.from(begun.result)).toEqual(Array.from(bytes))
      const entry = await store.get(key)
      expect(entry?.state === 'done' && entry.result !== undefined && Array.from(entry.result)).toEqual(Array.from(bytes))
    }
  })

  test('a released key may begin at once', async () => {
    const { store } = use()
    const key = newKey()
    const first = await start(store, key)
    await store.release(key, first)
    expect(await store.get(key)).toBeUndefined()
    expect(await start(store, key)).toBeGreaterThan(first)
  })

  test('of many that begin at the same time one starts', async () => {
    const { store, sameData } = use()
    const key = newKey()
    const all = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? store : sameData).begin(key, LONG)))
    const started = all.filter((begun) => begun.state === 'started')
    expect(started).toHaveLength(1)
    expect(all.filter((begun) => begun.state === 'in-progress')).toHaveLength(39)
    await store.complete(key, started[0]!.fence)
  })

  test('keys are any text, and do not touch each other', async () => {
    const { store } = use()
    const odd = ['', 'a b', "o'clock", '{x}', '100%', '鍵', 'k'.repeat(500)].map((text) => `${newKey()}/${text}`)
    const fences = await Promise.all(odd.map((key) => start(store, key)))
    for (const [n, key] of odd.entries()) await store.complete(key, fences[n]!, new TextEncoder().encode(String(n)))
    for (const [n, key] of odd.entries()) {
      const entry = await store.get(key)
      expect(entry?.state === 'done' && new TextDecoder().decode(entry.result)).toBe(String(n))
    }
  })
}

function fencing(use: () => StoreUnderTest): void {
  test('a claim that ended cannot be ended again', async () => {
    const { store } = use()
    const key = newKey()
    const fence = await start(store, key)
    await store.complete(key, fence)
    await expect(store.complete(key, fence)).rejects.toMatchObject({ code: 'stale_claim' })
    await expect(store.release(key, fence)).rejects.toMatchObject({ code: 'stale_claim' })
    expect(await store.get(key)).toMatchObject({ state: 'done' })
    const released = newKey()
    const gone = await start(store, released)
    await store.release(released, gone)
    await expect(store.complete(released, gone)).rejects.toMatchObject({ code: 'stale_claim' })
    await expect(store.release(released, gone)).rejects.toMatchObject({ code: 'stale_claim' })
  })

  test('who lost the claim to another can end nothing', async () => {
    const { store, sameData } = use()
    const key = newKey()
    const crashed = await start(store, key, { ...LONG, leaseMs: SHORT_MS })
    await untilForgotten(store, key)
    const fence = await start(sameData, key)
    expect(fence).toBeGreaterThan(crashed)
    await expect(store.complete(key, crashed, new Uint8Array([1]))).rejects.toThrow(/not held any more/)
    await expect(store.release(key, crashed)).rejects.toMatchObject({ code: 'stale_claim', retryable: false })
    expect(await store.get(key)).toEqual({ state: 'in-progress', fence })
    await sameData.complete(key, fence)
  })

  test('an unknown key cannot be ended', async () => {
    const { store } = use()
    await expect(store.complete(newKey(), 1)).rejects.toMatchObject({ code: 'stale_claim' })
    await expect(store.release(newKey(), 1)).rejects.toMatchObject({ code: 'stale_claim' })
  })

  test('fences rise through everything that can happen to a key', async () => {
    const { store, sameData } = use()
    const key = newKey()
    const fences: number[] = []
    for (let round = 0; round < 4; round++) {
      const fence = await start(round % 2 === 0 ? store : sameData, key, {
        leaseMs: round === 2 ? SHORT_MS : 60_000,
        retentionMs: 1,
      })
      fences.push(fence)
      if (round === 0) await store.release(key, fence)
      if (round === 1) await store.complete(key, fence)
      await (round < 3 ? untilForgotten(store, key) : store.release(key, fence))
      await store.purge()
    }
    expect(fences).toEqual(fences.toSorted((a, b) => a - b))
    expect(new Set(fences).size).toBe(fences.length)
  })
}

function expiry(use: () => StoreUnderTest): void {
  test('a holder that is late, but alone, still completes', async () => {
    const { store } = use()
    const key = newKey()
    const fence = await start(store, key, { ...LONG, leaseMs: SHORT_MS })
    await untilForgotten(store, key)
    await store.purge()
    await store.complete(key, fence)
    expect(await store.begin(key, LONG)).toEqual({ state: 'done', result: undefined })
  })

  test('what is done may be done anew after its retention', async () => {
    const { store } = use()
    const key = newKey()
    const fence = await start(store, key, { leaseMs: 60_000, retentionMs: SHORT_MS })
    await store.complete(key, fence)
    await untilForgotten(store, key)
    expect(await start(store, key)).toBeGreaterThan(fence)
  })

  test('purge removes what is over and nothing else', async () => {
    const { store } = use()
    const kept = newKey()
    const held = newKey()
    await store.complete(kept, await start(store, kept))
    await start(store, held)
    await store.purge()
    expect(await store.get(kept)).toMatchObject({ state: 'done' })
    expect(await store.get(held)).toMatchObject({ state: 'in-progress' })
  })

  test('times that mean nothing are refused', async () => {
    const { store } = use()
    for (const wrong of [
      { leaseMs: 0 },
      { leaseMs: 2 ** 31 },
      { leaseMs: Number.NaN },
      { retentionMs: -1 },
      { retentionMs: 0.5 },
    ]) {
      await expect(store.begin(newKey(), { ...LONG, ...wrong })).rejects.toMatchObject({ code: 'bad_request' })
    }
  })
}

function payload(use: () => StoreUnderTest): void {
  test('the same key with another payload is told from a duplicate', async () => {
    const { store, sameData } = use()
    const key = newKey()
    const fence = await start(store, key, { ...LONG, fingerprint: 'a' })
    expect(await sameData.begin(key, { ...LONG, fingerprint: 'b' })).toEqual({ state: 'mismatch' })
    expect(await store.begin(key, { ...LONG, fingerprint: 'a' })).toMatchObject({ state: 'in-progress' })
    await store.complete(key, fence)
    expect(await store.begin(key, { ...LONG, fingerprint: 'b' })).toEqual({ state: 'mismatch' })
    expect(await store.begin(key, { ...LONG, fingerprint: 'a' })).toMatchObject({ state: 'done' })
    expect(await store.begin(key, LONG)).toMatchObject({ state: 'done' })
  })

  test('a new life of a key has the payload of its own', async () => {
    const { store } = use()
    const key = newKey()
    await store.release(key, await start(store, key, { ...LONG, fingerprint: 'a' }))
    await start(store, key, { ...LONG, fingerprint: 'b' })
    expect(await store.begin(key, { ...LONG, fingerprint: 'a' })).toEqual({ state: 'mismatch' })
  })
}

/** Begins a key that nobody has. @returns its fence */
async function start(store: IdempotencyStore, key: string, options: BeginOptions = LONG): Promise<number> {
  const begun = await store.begin(key, options)
  if (begun.state !== 'started') throw new Error(`expected to start, but ${key} is ${begun.state}`)
  return begun.fence
}

async function untilForgotten(store: IdempotencyStore, key: string): Promise<void> {
  await vi.waitFor(async () => expect(await store.get(key)).toBeUndefined(), { interval: 10, timeout: 10_000 })
}
