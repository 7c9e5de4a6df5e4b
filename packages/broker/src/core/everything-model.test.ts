import { expect, test } from 'vitest'
import { EverythingModel } from '../../test/core/everything/everything-model.ts'
import { playSeeds } from '../../test/core/seeds.ts'

test('with any features on beside any others, each message is where it must be, whatever crashes', async () => {
  const counts: Record<string, number> = {}
  const seeds = await playSeeds(80, async (seed) => {
    const model = await EverythingModel.open(seed)
    await model.run(250)
    for (const [what, count] of Object.entries(model.counts)) counts[what] = (counts[what] ?? 0) + count
  })
  if (seeds < 20) return
  const happened = ['published', 'delivered', 'duplicates', 'died', 'redrives', 'transactions', 'crashes', 'refused', 'scheduled']
  expect(happened.filter((what) => (counts[what] ?? 0) < seeds / 4)).toEqual([])
}, 120_000)
