import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CuttableJournal } from '../../../test/core/cuttable-journal.ts'
import { TestBroker } from '../../../test/core/harness.ts'
import { RedriveModel, type RedriveStep } from '../../../test/core/redrive-model.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'

const VALUES: readonly string[] = Array.from({ length: 40 }, (_, n) => `m${n} ${'x'.repeat(200)}`)

test('whichever commit is the last, a message is in the one queue or in the other', async () => {
  const places = new Set<number>()
  for (let commits = 0, isThrough = false; !isThrough; commits++) {
    const cut = new CuttableJournal(await openMemoryJournal())
    const t = await TestBroker.open({ storage: { commitBytesMax: 4000 } }, 1, cut.journal)
    for (let n = 0; n < VALUES.length; n += 4) t.publish('queue:dead', ...VALUES.slice(n, n + 4))
    t.broker.createQueue({ name: 'work' })
    await t.settle()
    cut.left = commits
    // Slowly, so that there are many commits.
    t.broker.redrive({ source: 'queue:dead', to: 'queue:work', ratePerSecond: 10 })
    await t.advance(10_000)
    isThrough = cut.left > 0
    cut.left = Infinity
    await t.crash()
    const readers = ['queue:dead', 'queue:work'].map((queue) => t.read(queue, 'earliest'))
    await t.settle()
    const found = readers.flatMap((reader) => reader.values)
    expect(found).toHaveLength(VALUES.length)
    expect(new Set(found)).toEqual(new Set(VALUES))
    places.add(readers[1]!.values.length)
  }
  expect(places.size).toBeGreaterThan(3)
  expect(places.has(0) && places.has(VALUES.length)).toBe(true)
})

const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 6 }), expires: fc.boolean() }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'consume',
          'settle',
          'settle',
          'settle',
          'leave',
          'redrive',
          'redrive',
          'offset',
          'crash',
          'restart',
          'turn',
          'turn',
          'cancel',
        ),
        pick: fc.nat(1000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('purge' as const), pick: fc.nat(1000) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 4000 }) }) },
  ),
  { minLength: 10, maxLength: 60 },
) as fc.Arbitrary<RedriveStep[]>

test('no message is lost or doubled, or delivered late, whatever is redriven, expires, is rejected or crashes', async () => {
  const orders = fc.constantFrom('none' as const, 'key' as const, 'strict' as const)
  const property = fc.asyncProperty(steps, fc.boolean(), orders, fc.boolean(), async (program, small, order, crashes) => {
    const model = await RedriveModel.open(order, small)
    for (const step of program) await model.run(step)
    await model.check()
    if (crashes) await model.run({ do: 'crash', pick: 0 })
    await model.drain()
  })
  await expect(fc.assert(property, { numRuns: 200 })).resolves.toBeUndefined()
})
