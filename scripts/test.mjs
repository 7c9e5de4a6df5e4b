// `npm test -- PATTERNS`: sets up what is missing, then runs the checks and the tests that need npm alone.
import { join } from 'node:path'
import { root, run, setUp } from './setup.mjs'

setUp()
const bin = (path) => join(root, 'node_modules', path)
if (process.argv.length === 2) {
  run(process.execPath, [bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings'])
  run(process.execPath, [bin('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'])
  run(process.execPath, [bin('knip/bin/knip.js')])
}
run(process.execPath, [bin('vitest/vitest.mjs'), 'run', ...process.argv.slice(2)], { stdio: 'inherit' })
