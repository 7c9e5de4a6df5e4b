import { encodeBatch } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { TestBroker } from '../../test/core/harness.ts'
import { journalOver } from '../../test/core/journal-over.ts'
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

describe('when the disk is full', () => {
  test('publishes are refused with disk_full, and consuming goes on until there is room again', async () => {
    const journal = await openMemoryJournal({ bytesMax: 512 * KIB, batchBytesMax: 64 * KIB })
    const t = await TestBroker.open({ storage: { headroomReserveBytes: 256 * KIB } }, 1, journal)
    let published = 0
    let code = ''
    for (; code === '' && published < 1000;) {
      try {
        t.publish('queue:work', 'x'.repeat(4000))
        published++
        await t.settle()
      } catch (error) {
        code = (error as { code: string }).code
      }
    }
    expect(code).toBe('disk_full')
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.messages).toHaveLength(published)
    for (let offset = 0; offset < published; offset++) consumer.ack(offset)
    await t.advance(5000)
    expect(t.broker.queue('work')).toMatchObject({ ready: 0, inFlight: 0 })
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
