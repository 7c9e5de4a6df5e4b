// `npm run sim -- [--engine memory|disk] [--seed N] [--count N]`: random programs against the log store, packages/broker/sim.
// Without a seed it goes on with new ones until one fails or `count` is reached.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root, setUp } from './setup.mjs'

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'memory' },
    seed: { type: 'string' },
    count: { type: 'string' },
  },
})
const first = Number(values.seed ?? Date.now() % 2 ** 31)
const count = Number(values.count ?? (values.seed === undefined ? Infinity : 1))
if (!['memory', 'disk'].includes(values.engine) || !Number.isInteger(first) || !(count >= 1)) {
  console.error('usage: npm run sim -- [--engine memory|disk] [--seed N] [--count N]')
  process.exit(2)
}
setUp()
const { runnerImport } = await import('vite')
const configFile = join(root, 'vitest.config.ts')
const { module } = await runnerImport(join(root, 'packages/broker/sim/run.ts'), { configFile, logLevel: 'error' })
const totals = new Map()
for (let done = 0; done < count; done += 100) {
  const coverage = await module.simulateSeeds(values.engine, first + done, Math.min(100, count - done))
  for (const [name, times] of coverage) totals.set(name, (totals.get(name) ?? 0) + times)
  console.error(`${values.engine}: seeds ${first} to ${first + Math.min(done + 100, count) - 1} passed`)
}
console.log(totals)
