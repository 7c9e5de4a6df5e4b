import { expect, test } from 'vitest'
import { CuttableJournal } from '../../../test/core/cuttable-journal.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'

const VALUES: readonly string[] = Array.from({ length: 20 }, (_, n) => `m${n} ${'x'.repeat(200)}`)

test('whichever commit is the last, a message is in its queue or in the dead letters, and not in both', async () => {
  const places = new Set<string>()
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    // One stored batch becomes many letters, for several logs, which are more than an ordinary commit takes.
    const t = await TestBroker.open({ storage: { commitBytesMax: 4000 } }, 1, cut.journal)
    t.broker.createTopic({ name: 'dead', partitions: 3 })
    t.broker.createQueue({ name: 'work', delivery: { deadLetter: 'topic:dead' } })
    t.publishKeyed(
      'queue:work',
      0,
      VALUES.map((value, n) => [`key ${n}`, value]),
    )
    const consumer = t.consume('queue:work')
    await t.settle()
    expect(consumer.messages).toHaveLength(VALUES.length)

    cut.left = commits
    consumer.consumer.settle(0, 0, VALUES.length - 1, { kind: 'reject', reason: 'bad' })
    await t.settle()
    isThrough = cut.left > 0
    cut.left = Infinity
    await t.crash()
    const waiting = t.read('queue:work', 'earliest')
    const dead = [0, 1, 2].map((partition) => t.read('topic:dead', 'earliest', partition))
    await t.settle()
    const found = [waiting, ...dead].flatMap((reader) => reader.values)
    expect(found).toHaveLength(VALUES.length)
    expect(new Set(found)).toEqual(new Set(VALUES))
    places.add(waiting.values.length === 0 ? 'all dead' : 'waiting')
  }
  expect([...places]).toEqual(['waiting', 'all dead'])
})
