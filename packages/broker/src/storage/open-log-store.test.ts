import { encodeBatch, crc32c } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { openMemoryJournal } from '../engines/memory/index.ts'
import { openLogStore } from './open-log-store.ts'

const text = (value: string): Uint8Array => encodeBatch([{ timestampMs: 1000, value: new TextEncoder().encode(value) }])

describe('a log store', () => {
  test('gives offsets at once, shows batches once they are committed, and has them after it is opened again', async () => {
    const journal = await openMemoryJournal()
    const platform = new VirtualPlatform()
    const store = await platform.until(openLogStore({ journal, platform, crc32c }))
    const a = store.createLog()
    const b = store.createLog()
    expect(store.append(a, text('one'), 1)).toBe(0)
    expect(store.append(b, text('two'), 1)).toBe(0)
    expect(store.append(a, text('three'), 1)).toBe(1)
    expect(store.appendShared([a, b], text('four'), 1)).toEqual([2, 1])
    expect(store.append(a, text('five'), 1)).toBe(3)
    const ticket = store.ticket()
    expect(store.bounds(a)).toEqual({ start: 0, end: 0, bytes: 0 })
    expect(store.read(a, 0, 1000)).toEqual([])
    await platform.settle()
    expect(store.committedTicket).toBe(ticket)
    const first = store.read(a, 0, 10_000)
    expect(Array.isArray(first)).toBe(true)
    const reopened = await platform.until(openLogStore({ journal, platform, crc32c }))
    for (const [log, values] of [
      [a, ['one', 'three', 'four', 'five']],
      [b, ['two', 'four']],
    ] as const) {
      const found: unknown[] = []
      while (found.length < values.length) {
        for (const batch of await reopened.read(log, found.length, 200)) {
          expect(batch.baseOffset).toBe(found.length)
          expect(batch.bytes.subarray(8)).toEqual(text(values[found.length]!).subarray(8))
          found.push(batch)
        }
      }
      expect(await reopened.read(log, values.length, 100)).toEqual([])
    }
    expect(reopened.bounds(a).bytes).toBe(store.bounds(a).bytes)
    reopened.trim(a, 2)
    await platform.settle()
    expect(reopened.bounds(a).start).toBe(2)
    await platform.until(reopened.close())
  })
})
