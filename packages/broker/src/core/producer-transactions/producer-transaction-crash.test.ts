import { expect, test } from 'vitest'
import { CuttableJournal } from '../../../test/core/cuttable-journal.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { TransactionalClient } from '../../../test/core/transactional-client.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'

const TEXT = 'x'.repeat(200)
const VALUES = Array.from({ length: 60 }, (_, n) => `${n} ${TEXT}`)

interface Found {
  readonly values: readonly (string | null)[]
  readonly offset: number | undefined
  readonly state: string
}

async function look(t: TestBroker): Promise<Found> {
  const readers = [t.read('topic:t', 'earliest', 0), t.read('topic:t', 'earliest', 1)]
  await t.settle()
  const values = readers.flatMap((reader) => reader.values)
  for (const { reader } of readers) reader.close()
  const offset = t.broker.groups.offset('g', 'in', 0)?.offset
  return {
    values: values.toSorted((a, b) => Number.parseInt(a!) - Number.parseInt(b!)),
    offset,
    state: t.broker.producerTransactions.describe('p')!.state,
  }
}

/** Opens, produces, settles; then the journal takes so many commits while the transaction is committed, and the process is killed. */
async function crashAfter(
  commits: number,
  commitBytesMax: number,
): Promise<{ t: TestBroker; p: TransactionalClient; isThrough: boolean }> {
  const cut = new CuttableJournal(await openMemoryJournal())
  const t = await TestBroker.open(
    { storage: { commitBytesMax, pendingBytesHigh: 3 * commitBytesMax, pendingBytesLow: commitBytesMax } },
    1,
    cut.journal,
  )
  t.broker.createTopic({ name: 't', partitions: 2 })
  t.broker.createTopic({ name: 'in' })
  const p = new TransactionalClient(t, 'p').open()
  for (const [n, value] of VALUES.entries()) {
    p.send('topic:t', n % 2, [value])
    await t.settle()
  }
  p.addOffset('g', 'in', 0, VALUES.length)
  await t.settle()
  expect((await look(t)).values).toEqual([])
  cut.left = commits
  p.end('commit')
  await t.settle()
  const isThrough = cut.left > 0
  cut.left = Infinity
  await t.crash()
  return { t, p, isThrough }
}

test('a transaction that fits into one commit is seen whole or not at all, whichever commit is the last', async () => {
  const outcomes: Found[] = []
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const { t, ...rest } = await crashAfter(commits, 1_000_000)
    isThrough = rest.isThrough
    outcomes.push(await look(t))
  }
  expect(outcomes[0]).toEqual({ values: [], offset: undefined, state: 'open' })
  for (const after of outcomes.slice(1)) expect(after).toEqual({ values: VALUES, offset: VALUES.length, state: 'committed' })
})

test('a larger one goes on after a crash and loses or repeats nothing, whichever commit is the last', async () => {
  const commitsSeen: number[] = []
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const { t, p, ...rest } = await crashAfter(commits, 1200)
    isThrough = rest.isThrough
    const found = await look(t)
    commitsSeen.push(found.values.length)
    if (found.values.length === 0) {
      expect(found).toMatchObject({ offset: undefined, state: 'open' })
      p.end('commit')
      await t.settle()
    }
    expect(await look(t)).toEqual({ values: VALUES, offset: VALUES.length, state: 'committed' })
  }
  // Only before the decision was durable nothing of it is there.
  expect(commitsSeen.length).toBeGreaterThan(4)
  expect(commitsSeen.filter((count) => count === 0)).toHaveLength(1)
})
