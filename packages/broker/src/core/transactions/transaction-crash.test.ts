import { encodeBatch } from '@millrace/wire'
import { expect, test } from 'vitest'
import { CuttableJournal } from '../../../test/core/cuttable-journal.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'
import type { TransactionAction } from '../broker.ts'

const COPIES = 40
const TEXT = 'x'.repeat(200)

function batchOf(value: string): Uint8Array {
  return encodeBatch([{ timestampMs: 0, key: null, value: new TextEncoder().encode(value) }])
}

test('whichever commit is the last, a transaction has happened as a whole or not at all', async () => {
  const outcomes = new Set<string>()
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    // The transaction is much more than an ordinary commit takes.
    const t = await TestBroker.open({ storage: { commitBytesMax: 4000 } }, 1, cut.journal)
    t.broker.createQueue({ name: 'in', delivery: { deadLetter: 'queue:dead' } })
    t.broker.createTopic({ name: 'log', partitions: 2 })
    t.publish('queue:in', ...Array.from({ length: COPIES }, (_, n) => `m${n} ${TEXT}`))
    const { consumer, messages } = t.consume('queue:in')
    const out = t.broker.destination('queue:out', true)
    const log = t.broker.destination('topic:log', true)
    await t.settle()
    expect(messages).toHaveLength(COPIES)

    cut.left = commits
    // Something before and after it, so that it does not begin with the commit.
    t.publish('queue:noise', TEXT)
    const actions: TransactionAction[] = []
    for (let n = 0; n < COPIES; n++) {
      const outcome = n === 7 ? ({ kind: 'reject' } as const) : ({ kind: 'ack' } as const)
      actions.push({ kind: 'settle', consumer, partition: 0, first: n, last: n, attempt: 1, outcome })
      actions.push({ kind: 'publish', to: n % 2 === 0 ? out : log, partition: -1, batch: batchOf(`p${n} ${TEXT}`) })
      actions.push({ kind: 'multicast', to: [out, log], batch: batchOf(`c${n} ${TEXT}`) })
      const offset = { topic: 'log', partition: n % 2, offset: n, metadata: TEXT }
      actions.push({ kind: 'offsets', group: `g${n % 3}`, offsets: [offset] })
    }
    t.broker.transact(actions)
    t.publish('queue:noise', TEXT)
    await t.settle()
    isThrough = cut.left > 0
    cut.left = Infinity
    await t.crash()

    const readers = ['queue:in', 'queue:dead', 'queue:out'].map((source) => t.read(source, 'earliest'))
    readers.push(t.read('topic:log', 'earliest', 0), t.read('topic:log', 'earliest', 1))
    await t.settle()
    const [waiting, dead, queued, ...logged] = readers.map((reader) => reader.values.length)
    const copied = logged.reduce((sum, count) => sum + count, 0)
    // What was rejected may be on its way: that is another commit.
    const groups = ['g0', 'g1', 'g2'].flatMap((group) => t.broker.groups.offsets(group))
    const read = groups.reduce((sum, { offset }) => sum + offset, 0)
    outcomes.add(`in ${waiting! + dead!} out ${queued! + copied} read ${read}`)
  }
  expect([...outcomes]).toEqual([`in ${COPIES} out 0 read 0`, `in 1 out ${3 * COPIES} read ${6 * COPIES - 21}`])
})
