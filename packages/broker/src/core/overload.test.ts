import { encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { TestBroker } from '../../test/core/harness.ts'
import { journalOver } from '../../test/core/journal-over.ts'
import { TestMemory } from '../../test/core/test-memory.ts'
import { smallJournals } from '../../test/core/small-journals.ts'
import { openMemoryJournal } from '../engines/memory/index.ts'
import type { AppendResult, Journal } from '../ports/journal.ts'

const KIB = 1024

/** The memory journal, whose appends wait or fail as the test wants. */
async function controlled(): Promise<{ journal: Journal; state: { answer: 'ok' | 'unknown' | 'wait'; release: () => void } }> {
  const inner = await openMemoryJournal()
  const state = { answer: 'ok' as 'ok' | 'unknown' | 'wait', release: (): void => {} }
  const journal = journalOver(inner, {
    append: async (seq, batch): Promise<AppendResult> => {
      if (state.answer === 'unknown') return { kind: 'unknown', cause: new Error('EIO') }
      if (state.answer === 'wait') await new Promise<void>((resolve) => (state.release = resolve))
      return inner.append(seq, batch)
    },
  })
  return { journal, state }
}

describe.each(smallJournals)('when the journal of the %s engine is full', (_, openJournal) => {
  test.each([
    [512 * KIB, 128 * KIB],
    [4096 * KIB, 1024 * KIB],
  ])(
    'of %i bytes, publishes are refused with disk_full, consuming goes on, and when all is acknowledged there is room again',
    async (bytesMax, reserve) => {
      const platform = new VirtualPlatform()
      const journal = await platform.until(openJournal(platform, bytesMax))
      const t = await TestBroker.open({ storage: { headroomReserveBytes: reserve } }, 1, journal, platform)
      const consumer = t.consume('queue:work')
      let relieved = 0
      t.broker.onRelief(() => relieved++)
      let published = 0
      for (let round = 1; round <= 3; round++) {
        const before = published
        await expect(publishUntilRefused()).rejects.toThrow(expect.objectContaining({ code: 'disk_full' }))
        expect(published - before).toBeGreaterThan(10)
        expect(consumer.messages).toHaveLength(published)
        expect(t.broker.shortages.disk).toBe(true)
        for (let offset = before; offset < published; offset++) consumer.ack(offset)
        await t.advance(5000)
        expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0 })
        expect([t.broker.shortages.disk, relieved]).toEqual([false, round])
      }

      async function publishUntilRefused(): Promise<never> {
        for (; ; published++) {
          t.publish('queue:work', 'x'.repeat(4000))
          await t.settle()
        }
      }
    },
  )
})

describe('a shortage', () => {
  test('of disk is told with the commit that used up the room, and its end', async () => {
    const inner = await openMemoryJournal()
    let headroom = 1 << 30
    const journal = journalOver(inner, { headroomBytes: () => headroom })
    const t = await TestBroker.open({}, 1, journal)
    const told: boolean[] = []
    t.broker.shortages.listen(() => told.push(t.broker.shortages.disk))
    t.publish('queue:work', 'a')
    headroom = 0
    expect(told).toEqual([])
    await t.settle()
    expect(told).toEqual([true])
    expect(() => t.publish('queue:work', 'b')).toThrow(expect.objectContaining({ code: 'disk_full' }))
    headroom = 1 << 30
    await t.advance(1000)
    expect(told).toEqual([true, false])
    t.publish('queue:work', 'b')
  })

  test('of memory is told, and refuses nothing; its end is a relief', async () => {
    const memory = new TestMemory()
    const t = await TestBroker.open({ memory })
    const told: [boolean, boolean][] = []
    let relieved = 0
    t.broker.shortages.listen(() => told.push([t.broker.shortages.memory, t.broker.shortages.disk]))
    const stop = t.broker.onRelief(() => relieved++)
    memory.become(true)
    t.publish('queue:work', 'a')
    await t.settle()
    expect([t.broker.queue('work').ready, relieved, told]).toEqual([1, 0, [[true, false]]])
    memory.become(false)
    expect([relieved, told.at(-1)]).toEqual([1, [false, false]])
    stop()
    memory.become(true)
    memory.become(false)
    expect([relieved, told.length]).toEqual([1, 4])
  })
})

describe('a ticket of a commit with nothing in it', () => {
  test('is committed all the same, however it is waited for', async () => {
    const t = await TestBroker.open()
    const ticket = t.broker.ticket()
    await t.platform.until(t.broker.whenCommitted(ticket))
    expect(t.broker.committedTicket).toBe(ticket)
    const told: number[] = []
    t.broker.onCommitted((committed) => told.push(committed))
    const next = t.broker.ticket()
    await t.settle()
    expect(told).toEqual([next])
    await t.platform.until(t.broker.whenCommitted(t.store.ticket()))
    expect(told).toEqual([next, next + 1])
  })

  test('is written once for all who wait for it, and not again', async () => {
    const t = await TestBroker.open()
    const { commits } = t.store.stats
    const waits = [1, 2, 3].map(() => t.broker.whenCommitted(t.broker.ticket()))
    await t.platform.until(Promise.all(waits))
    await t.platform.until(t.broker.whenCommitted(t.broker.committedTicket))
    await t.settle()
    expect(t.store.stats.commits).toBe(commits + 1)
  })
})

describe('when the journal is slow', () => {
  test('publishers are asked to pause, then refused, and told when there is room', async () => {
    const { journal, state } = await controlled()
    const t = await TestBroker.open({ storage: { pendingBytesHigh: 64 * KIB, pendingBytesLow: 16 * KIB } }, 1, journal)
    const queue = t.broker.destination('queue:work', true)
    await t.settle()
    state.answer = 'wait'
    const batch = encodeBatch([{ timestampMs: 1, value: new Uint8Array(8 * KIB) }])
    let relieved = 0
    t.broker.onRelief(() => relieved++)
    for (let n = 0; n < 9; n++) queue.publish(0, batch)
    await t.settle()
    expect(t.broker.congested).toBe(true)
    expect(() => {
      for (let n = 0; n < 100; n++) queue.publish(0, batch)
    }).toThrow(expect.objectContaining({ code: 'overloaded' }))
    state.answer = 'ok'
    state.release()
    await t.settle()
    expect([t.broker.congested, relieved > 0]).toEqual([false, true])
    queue.publish(0, batch)
  })
})

describe('when the journal fails', () => {
  test('nobody is left waiting, and nothing more is accepted', async () => {
    const { journal, state } = await controlled()
    const t = await TestBroker.open({}, 1, journal)
    const consumer = t.consume('queue:work')
    const reader = t.read('queue:work', 'earliest')
    t.publish('queue:work', 'a')
    await t.settle()
    state.answer = 'unknown'
    t.publish('queue:work', 'b')
    const committed = t.broker.whenCommitted(t.broker.ticket())
    await Promise.all([expect(committed).rejects.toMatchObject({ code: 'outcome_unknown' }), t.settle()])
    expect([consumer.reason?.code, reader.reason?.code]).toEqual(['outcome_unknown', 'outcome_unknown'])
    expect(consumer.values).toEqual(['a'])
    expect(() => t.publish('queue:work', 'c')).toThrow(expect.objectContaining({ code: 'outcome_unknown' }))
    await expect(t.broker.close()).rejects.toMatchObject({ code: 'outcome_unknown' })
    state.answer = 'ok'
    await t.crash()
    const again = t.consume('queue:work')
    await t.settle()
    expect(again.values).toEqual(['a'])
  })
})
