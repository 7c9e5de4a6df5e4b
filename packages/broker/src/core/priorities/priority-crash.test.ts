import { encodeBatch, priorityHeader } from '@millrace/wire'
import { expect, test } from 'vitest'
import { CuttableJournal } from '../../../test/core/cuttable-journal.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'

const LEVELS = 200
const TEXT = 'x'.repeat(100)

test('whichever commit is the last, a batch that makes levels is there as a whole or not at all', async () => {
  const outcomes = new Set<string>()
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    // The batch is much more than an ordinary commit takes.
    const t = await TestBroker.open({ storage: { commitBytesMax: 4000 } }, 1, cut.journal)
    t.broker.createQueue({ name: 'work', priorities: LEVELS })
    await t.settle()

    cut.left = commits
    // Something before and after it, so that it does not begin with the commit.
    t.publish('queue:noise', TEXT)
    const value = new TextEncoder().encode(TEXT)
    const records = Array.from({ length: 2 * LEVELS }, (_, n) => ({
      timestampMs: 0,
      value,
      headers: [priorityHeader((7 * n) % LEVELS)],
    }))
    t.broker.destination('queue:work', false).publish(-1, encodeBatch(records))
    t.publish('queue:noise', TEXT)
    await t.settle()
    isThrough = cut.left > 0
    cut.left = Infinity
    await t.crash()

    const { ready, levels } = t.broker.queue('work')
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.messages.map(({ partition }) => partition)).toEqual(
      Array.from({ length: ready }, (_, n) => LEVELS - 1 - Math.floor(n / 2)),
    )
    outcomes.add(`${ready} at ${levels!.length}`)
  }
  expect([...outcomes]).toEqual(['0 at 1', `${2 * LEVELS} at ${LEVELS}`])
})
