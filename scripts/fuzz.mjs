// `npm run fuzz -- [--seconds N] [--seed N] [PATTERN]...`: the fuzzers of packages/broker/fuzz for longer than `npm test` runs them.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root, run, setUp } from './setup.mjs'

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
  allowPositionals: true,
})
setUp()
process.env.MILLRACE_FUZZ_SECONDS = values.seconds
if (values.seed !== undefined) process.env.MILLRACE_FUZZ_SEED = values.seed
const patterns = positionals.length === 0 ? ['packages/broker/fuzz'] : positionals.map((name) => `packages/broker/fuzz/${name}`)
run(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...patterns], { stdio: 'inherit' })
