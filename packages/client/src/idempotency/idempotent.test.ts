import { describe, expect, test, vi } from 'vitest'
import type { Message } from '../api.ts'
import { type Claim, idempotent, type IdempotentMessage } from './idempotent.ts'
import { MemoryIdempotencyStore } from './memory-idempotency-store.ts'

const encoder = new TextEncoder()
const OPTIONS = { consumer: 'billing' }

interface FakeMessage extends Message {
  readonly ack: Message['ack'] & ReturnType<typeof vi.fn>
  readonly nack: Message['nack'] & ReturnType<typeof vi.fn>
  readonly defer: Message['defer'] & ReturnType<typeof vi.fn>
  readonly reject: Message['reject'] & ReturnType<typeof vi.fn>
}

function message(body: string | null, id?: string, offset = 0): FakeMessage {
  const value = body === null ? null : encoder.encode(body)
  return {
    partition: 0,
    offset,
    timestampMs: 0,
    key: null,
    value,
    headers: id === undefined ? {} : { 'message-id': encoder.encode(id) },
    priority: 0,
    attempt: 1,
    text: () => body ?? '',
    json: () => JSON.parse(body ?? 'null') as unknown,
    ack: vi.fn(async () => {}),
    nack: vi.fn(async () => {}),
    defer: vi.fn(async () => {}),
    reject: vi.fn(async () => {}),
    extend: vi.fn(async () => {}),
    reply: vi.fn(() => Promise.resolve({ partition: 0, offset: 0 })),
  }
}

const orderOf = (m: Message): string => (m.json() as { order: string }).order

describe('an idempotent handler', () => {
  test('runs once per message id, and returns for duplicates so that they are acked', async () => {
    const seen: string[] = []
    const handler = idempotent(new MemoryIdempotencyStore(), (m: IdempotentMessage) => void seen.push(m.text()), OPTIONS)
    for (const [offset, id] of ['1', '2', '1', '2', '3'].entries()) {
      const m = message(`body of ${id}`, id, offset)
      await handler(m)
      expect(m.nack).not.toHaveBeenCalled()
    }
    expect(seen).toEqual(['body of 1', 'body of 2', 'body of 3'])
  })

  test('without an id, a message is its place', async () => {
    let runs = 0
    const handler = idempotent(new MemoryIdempotencyStore(), () => void runs++, OPTIONS)
    await handler(message('same', undefined, 7))
    await handler(message('same', undefined, 8))
    await handler(message('same', undefined, 7))
    expect(runs).toBe(2)
  })

  test('consumers of one message work independently with one store', async () => {
    const store = new MemoryIdempotencyStore()
    const done: string[] = []
    for (const consumer of ['billing', 'stock', 'billing']) {
      await idempotent(store, () => void done.push(consumer), { consumer })(message('order', '1'))
    }
    expect(done).toEqual(['billing', 'stock'])
  })

  test('the key may be anything of the message', async () => {
    let runs = 0
    const handler = idempotent(new MemoryIdempotencyStore(), () => void runs++, { ...OPTIONS, key: orderOf })
    await handler(message('{"order":"a"}', '1'))
    await handler(message('{"order":"a"}', '2'))
    expect(runs).toBe(1)
  })

  test('what fails is released and rethrown, and runs again', async () => {
    const store = new MemoryIdempotencyStore()
    let attempts = 0
    const handler = idempotent(
      store,
      () => {
        if (++attempts === 1) throw new Error('the printer is on fire')
      },
      OPTIONS,
    )
    await expect(handler(message('m', '1'))).rejects.toThrow('the printer is on fire')
    expect(await store.get('billing/id/1')).toBeUndefined()
    await handler(message('m', '1'))
    expect(await store.get('billing/id/1')).toMatchObject({ state: 'done', fence: 2 })
  })

  test('both errors are told when the release fails too', async () => {
    const store = new MemoryIdempotencyStore()
    store.release = () => Promise.reject(new Error('the store is away'))
    const handler = idempotent(store, () => Promise.reject(new Error('no paper')), OPTIONS)
    await expect(handler(message('m', '1'))).rejects.toThrow(/no paper .*the store is away/)
  })

  describe('while somebody else is working on it', () => {
    const store = new MemoryIdempotencyStore()
    const held = { leaseMs: 60_000, retentionMs: 60_000 }
    const patient = { ...OPTIONS, waitMs: 60_000 }

    async function hold(id: string): Promise<number> {
      const begun = await store.begin(`billing/id/${id}`, held)
      return begun.state === 'started' ? begun.fence : expect.unreachable(begun.state)
    }

    test('a duplicate waits a little, and is acked as soon as that is done', async () => {
      const fence = await hold('quick')
      const duplicate = message('m', 'quick')
      const waiting = idempotent(store, () => expect.unreachable(), patient)(duplicate)
      await store.complete('billing/id/quick', fence)
      await waiting
      expect(duplicate.nack).not.toHaveBeenCalled()
    })

    test('or takes over as soon as that failed', async () => {
      const fence = await hold('failing')
      let ran = false
      const waiting = idempotent(store, () => void (ran = true), patient)(message('m', 'failing'))
      await store.release('billing/id/failing', fence)
      await waiting
      expect(ran).toBe(true)
    })

    test('after that it goes back to the queue for the rest of the lease', async () => {
      await hold('slow')
      const duplicate = message('m', 'slow')
      await idempotent(store, () => expect.unreachable(), { ...OPTIONS, waitMs: 30 })(duplicate)
      const delayMs = expect.toSatisfy((ms: number) => ms > 1000 && ms < 60_000)
      expect(duplicate.defer).toHaveBeenCalledExactlyOnceWith({ delayMs })
      expect(duplicate.nack).not.toHaveBeenCalled()
    })
  })

  test('a key that comes again with another payload goes to the dead letters', async () => {
    const runs: string[] = []
    const handler = idempotent(new MemoryIdempotencyStore(), (m: IdempotentMessage) => void runs.push(m.text()), OPTIONS)
    await handler(message('pay 5', '1'))
    for (const other of [message('pay 500', '1'), message(null, '1')]) {
      await expect(handler(other)).rejects.toMatchObject({ code: 'payload_mismatch' })
      expect(other.reject).toHaveBeenCalledWith(expect.stringContaining('billing/id/1'))
    }
    expect(runs).toEqual(['pay 5'])
  })

  test('the payload check may be another, or none', async () => {
    const store = new MemoryIdempotencyStore()
    let runs = 0
    const unchecked = idempotent(store, () => void runs++, { ...OPTIONS, fingerprint: false })
    await unchecked(message('a', '1'))
    await unchecked(message('b', '1'))
    expect(runs).toBe(1)
    const byLength = idempotent(store, () => void runs++, { consumer: 'other', fingerprint: (m) => String(m.text().length) })
    await byLength(message('a', '2'))
    await byLength(message('b', '2'))
    await expect(byLength(message('cc', '2'))).rejects.toMatchObject({ code: 'payload_mismatch' })
    expect(runs).toBe(2)
  })

  test('a duplicate can be answered with the first result', async () => {
    const onDuplicate = vi.fn()
    const handler = idempotent(new MemoryIdempotencyStore(), () => encoder.encode('receipt 17'), { ...OPTIONS, onDuplicate })
    await handler(message('m', '1'))
    expect(onDuplicate).not.toHaveBeenCalled()
    const duplicate = message('m', '1')
    await handler(duplicate)
    expect(onDuplicate).toHaveBeenCalledExactlyOnceWith(duplicate, encoder.encode('receipt 17'))
  })

  test("the handler has the fence, hears when its lease is over, and cannot end what is another's", async () => {
    const claims: Claim[] = []
    let finish!: () => void
    const store = new MemoryIdempotencyStore()
    const slow = idempotent(
      store,
      async (_: IdempotentMessage, claim: Claim) => {
        claims.push(claim)
        await new Promise<void>((resolve) => (finish = resolve))
      },
      { ...OPTIONS, leaseMs: 30 },
    )
    const overtaken = slow(message('m', '1'))
    await vi.waitFor(() => expect(claims[0]?.signal.aborted).toBe(true))
    expect(claims[0]!.signal.reason).toMatchObject({ code: 'stale_claim' })
    const quick = idempotent(store, (_, claim) => void claims.push(claim), OPTIONS)
    await vi.waitFor(async () => {
      await quick(message('m', '1'))
      expect(claims).toHaveLength(2)
    })
    finish()
    await expect(overtaken).rejects.toMatchObject({ code: 'stale_claim' })
    expect(claims[1]!.fence).toBeGreaterThan(claims[0]!.fence)
    expect(claims[1]!.signal.aborted).toBe(false)
  })
})
